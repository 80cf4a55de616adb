module := time
uses := lib arch sync sched task signal syscall mm uapi
srcs := clock.c timer.c sleep.c posix_clock.c itimer.c cpu_timer.c adjtimex.c
ktests := test/timers.c
$(eval $(register_module))
