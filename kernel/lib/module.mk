module := lib
uses :=
srcs := acl.c acpi_tables.c bits.c cbpf.c chacha.c cpio.c elf.c file_caps.c format.c hash.c mem.c name_hash.c rbtree.c string.c ubsan.c xarray.c
cold := acl.c acpi_tables.c cbpf.c cpio.c elf.c
$(eval $(register_module))
