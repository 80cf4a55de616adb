module := dev/virtio
uses := lib arch block boot dev fs mm signal sync task time vfs
srcs := virtio.c sysfs.c ring.c mmio.c pci.c console.c rng.c 9p.c blk.c
ktests :=
cold := console.c mmio.c pci.c rng.c sysfs.c virtio.c
$(eval $(register_module))
