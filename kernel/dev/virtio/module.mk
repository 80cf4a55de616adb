module := dev/virtio
uses := lib arch block boot dev fs mm signal sync task time vfs
srcs := virtio.c sysfs.c ring.c mmio.c pci.c console.c rng.c 9p.c blk.c
ktests :=
$(eval $(register_module))
