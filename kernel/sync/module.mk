module := sync
uses := lib arch sched time task mm
srcs := preempt.c spinlock.c mutex.c rwsem.c wait.c completion.c rcu.c \
	$(if $(findstring CONFIG_DEBUG,$(KDEFS)),lock_debug.c)
ktests := test/locks.c test/wait.c test/rcu.c
$(eval $(register_module))
