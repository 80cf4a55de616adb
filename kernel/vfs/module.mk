module := vfs
uses := event lib arch sync sched task trace time mm signal syscall uapi boot fs/tmpfs
srcs := anon.c copy.c dup.c eventfd.c fcntl.c fd_table.c fifo.c file.c filemap.c flock.c io_iter.c \
	ioctl.c locks.c locks_show.c notify.c pipe.c poll.c poll_wait.c read_write.c select.c splice.c \
	sync.c
srcs += dcache.c dcache_lru.c dcache_move.c walk.c namei.c mount.c mount_call.c mount_show.c \
	dnotify.c inode.c perm.c super.c open.c stat.c attr.c attr_call.c access.c dir.c create.c remove.c \
	rename.c readlink.c cwd.c statfs.c chrdev.c place.c xattr.c \
	mount_copy.c mount_pivot.c mount_propagate.c acl.c file_caps.c async.c file_owner.c lease.c init.c
ktests := test/fd_table.c test/io_iter.c test/names.c test/pipe.c
cold := acl.c attr_call.c file_owner.c lease.c locks_show.c mount.c mount_call.c \
	mount_copy.c mount_pivot.c mount_propagate.c mount_show.c xattr.c sync.c statfs.c async.c
$(eval $(register_module))
