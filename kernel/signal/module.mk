module := signal
uses := lib arch sync sched mm task syscall time uapi vfs ptrace
srcs := queue.c send.c siginfo.c sighand.c kill.c deliver.c stop.c action.c mask.c wait.c fault.c signal_wait.c
cold := stop.c
$(eval $(register_module))
