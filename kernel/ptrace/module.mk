module := ptrace
uses := lib arch sync sched mm task signal seccomp syscall uapi vfs
srcs := ptrace.c attach.c stop.c registers.c siginfo.c info.c yama.c
cold := attach.c info.c ptrace.c siginfo.c yama.c
$(eval $(register_module))
