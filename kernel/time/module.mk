module := time
uses := lib arch sync sched task signal syscall mm vfs uapi
srcs := clock.c timer.c sleep.c posix_clock.c itimer.c cpu_timer.c adjtimex.c \
	clock_timer.c posix_timer.c posix_timer_set.c timerfd.c
ktests := test/timers.c
cold := adjtimex.c cpu_timer.c itimer.c posix_timer_set.c posix_timer.c
$(eval $(register_module))
