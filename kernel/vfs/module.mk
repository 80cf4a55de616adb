module := vfs
uses := lib arch sync sched task time mm signal syscall uapi boot
srcs := anon.c dup.c fd_table.c fifo.c file.c filemap.c flock.c io_iter.c locks.c pipe.c read_write.c
$(eval $(register_module))
