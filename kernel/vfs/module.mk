module := vfs
uses := lib arch sync sched task time mm signal syscall uapi boot
srcs := anon.c dup.c fcntl.c fd_table.c fifo.c file.c filemap.c flock.c io_iter.c ioctl.c locks.c \
	pipe.c poll.c poll_wait.c read_write.c select.c sync.c
$(eval $(register_module))
