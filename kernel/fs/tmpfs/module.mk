module := fs/tmpfs
uses := lib arch sync task mm vfs
srcs := dir.c file.c inode.c super.c xattr.c
$(eval $(register_module))
