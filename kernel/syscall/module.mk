module := syscall
uses := lib arch task uapi
srcs := table.c enter.c
$(eval $(register_module))
