module := event
uses := lib sync sched task time mm signal syscall uapi vfs boot
srcs := epoll.c epoll_ctl.c epoll_graph.c epoll_wait.c inotify.c signalfd.c
cold := inotify.c signalfd.c
$(eval $(register_module))
