module := fs
uses := lib mm sync vfs
srcs := initramfs.c
$(eval $(register_module))
