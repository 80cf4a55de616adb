module := trace
uses := lib arch boot fs sync mm sched time task syscall uapi vfs
srcs := args.c record.c stream.c
$(eval $(register_module))
