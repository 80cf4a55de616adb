module := dev/virtio
uses := lib arch boot dev mm signal sync task vfs
srcs := virtio.c ring.c mmio.c pci.c console.c
ktests :=
$(eval $(register_module))
