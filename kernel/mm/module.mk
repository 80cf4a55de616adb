module := mm
uses := lib arch sync sched task time signal boot vfs uapi syscall
srcs := boot.c buddy.c page.c stats.c slab.c slab_debug.c kmalloc.c vmalloc.c stack.c user.c \
	kasan.c reclaim.c
ktests := 
NOSAN_OBJS += $(addprefix mm/,boot buddy page slab slab_debug)
$(eval $(register_module))
