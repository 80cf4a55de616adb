module := net/unix
uses := lib arch boot sync sched task time mm signal syscall uapi vfs net
srcs := sock.c name.c connect.c buffer.c stream.c dgram.c scm.c gc.c show.c
cold := connect.c gc.c name.c scm.c show.c
$(eval $(register_module))
