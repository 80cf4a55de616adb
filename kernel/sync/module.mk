module := sync
uses := lib arch boot dev sched time task mm
srcs := preempt.c spinlock.c mutex.c rwsem.c wait.c completion.c rcu.c \
	$(if $(findstring CONFIG_DEBUG,$(KDEFS)),lock_debug.c) $(if $(findstring CONFIG_RACE,$(KDEFS)),race.c)
ktests := test/locks.c test/wait.c test/rcu.c $(if $(findstring CONFIG_RACE,$(KDEFS)),test/race.c)
$(eval $(register_module))
