module := block
uses := lib arch boot fs mm sync task time uapi vfs
srcs := bio.c queue.c disk.c device.c bdev.c transfer.c file.c
ktests :=
$(eval $(register_module))
