module := net
uses := lib arch boot sync sched task time mm signal syscall uapi vfs
srcs := socket.c calls.c message.c control.c options.c device.c
cold := device.c options.c
$(eval $(register_module))
