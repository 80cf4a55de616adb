module := ipc
uses := lib arch sync sched mm vfs task signal syscall time uapi fs/tmpfs boot
srcs := futex.c futex_key.c futex_pi.c futex_requeue_pi.c futex_waitv.c \
	ids.c shm.c shm_ctl.c sem.c sem_ctl.c sem_undo.c msg.c msg_ctl.c mqueue.c mqueue_fs.c
cold := ids.c mqueue.c mqueue_fs.c msg_ctl.c sem_ctl.c sem_undo.c shm.c shm_ctl.c \
	futex_pi.c futex_requeue_pi.c
$(eval $(register_module))
