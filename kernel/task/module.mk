module := task
uses := lib arch boot sync sched mm vfs signal syscall time ipc uapi
srcs := task.c user.c cred.c pid.c fork.c clone3.c uts.c
$(eval $(register_module))
