module := seccomp
uses := lib arch ptrace sync mm time task signal syscall uapi vfs
srcs := filter.c judge.c mode.c notify.c addfd.c log.c
$(eval $(register_module))
