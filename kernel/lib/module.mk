module := lib
uses :=
srcs := acpi_tables.c bits.c cpio.c format.c hash.c mem.c rbtree.c string.c ubsan.c xarray.c
$(eval $(register_module))
