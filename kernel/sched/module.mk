module := sched
uses := lib arch sync time task mm signal syscall uapi
srcs := core.c fair.c rt.c account.c loadavg.c balance.c idle.c params.c \
	policy_calls.c priority_calls.c affinity_calls.c membarrier.c pi.c
ktests := test/classes.c
$(eval $(register_module))
