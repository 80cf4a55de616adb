module := seccomp
uses := lib arch ptrace sync mm time task signal syscall uapi vfs
srcs := filter.c judge.c mode.c notify.c addfd.c log.c
cold := addfd.c log.c mode.c notify.c
$(eval $(register_module))
