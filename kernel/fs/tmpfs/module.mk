module := fs/tmpfs
uses := lib arch boot sync syscall task mm uapi vfs
srcs := dir.c file.c inode.c memfd.c nameless.c super.c xattr.c
$(eval $(register_module))
