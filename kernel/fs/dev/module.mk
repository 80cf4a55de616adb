module := fs/dev
uses := lib sync vfs fs fs/tmpfs boot
srcs := devtmpfs.c
$(eval $(register_module))
