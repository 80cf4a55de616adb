module := net/netlink
uses := lib arch boot sync sched task time mm syscall uapi vfs net
srcs := netlink.c route.c
cold := netlink.c route.c
$(eval $(register_module))
