module := ipc
uses := lib arch sync sched mm vfs task signal syscall time uapi
srcs := futex.c futex_key.c
$(eval $(register_module))
