module := syscall
uses := lib arch seccomp task uapi ptrace trace
srcs := table.c enter.c
$(eval $(register_module))
