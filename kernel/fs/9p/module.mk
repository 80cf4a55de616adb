module := fs/9p
uses := lib arch boot dev mm sched sync task time vfs
srcs := proto.c client.c ops.c super.c inode.c fid.c dir.c readdir.c file.c xattr.c
ktests := test/server.c
cold := dir.c fid.c inode.c ops.c super.c xattr.c
$(eval $(register_module))
