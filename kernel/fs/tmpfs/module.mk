module := fs/tmpfs
uses := lib arch boot sync task mm vfs
srcs := dir.c file.c inode.c nameless.c super.c xattr.c
$(eval $(register_module))
