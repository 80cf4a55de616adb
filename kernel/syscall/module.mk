module := syscall
uses := lib arch seccomp task uapi
srcs := table.c enter.c
$(eval $(register_module))
