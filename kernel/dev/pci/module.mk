module := dev/pci
uses := lib arch boot dev fs mm
srcs := pci.c sysfs.c
ktests :=
$(eval $(register_module))
