module := syscall
uses := lib arch seccomp task uapi ptrace
srcs := table.c enter.c
$(eval $(register_module))
