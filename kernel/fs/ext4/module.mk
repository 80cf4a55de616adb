module := fs/ext4
uses := lib arch block boot mm sched sync task time uapi vfs
srcs := acl.c balloc.c buffer.c check.c check_names.c checkpoint.c commit.c csum.c dir.c direct.c \
	dirhash.c extent.c fallocate.c fiemap.c file.c group.c htree.c ialloc.c indirect.c inode.c io.c ioctl.c jformat.c journal.c \
	journal_file.c map.c namei.c options.c readdir.c recover.c super.c trim.c truncate.c xattr.c
cold := acl.c check.c check_names.c ioctl.c jformat.c options.c recover.c super.c trim.c xattr.c \
	indirect.c
$(eval $(register_module))
