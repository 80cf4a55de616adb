module := dev/pci
uses := lib arch boot dev mm
srcs := pci.c
ktests :=
$(eval $(register_module))
