module := fs/proc
uses := lib arch boot dev event ipc mm net sched seccomp signal sync task time vfs ptrace
srcs := fs.c options.c text.c root.c sysctl.c pid.c stat.c maps.c smaps.c task_info.c system.c net.c sysvipc.c
ktests :=
cold := fs.c maps.c net.c options.c pid.c root.c smaps.c stat.c sysctl.c system.c sysvipc.c \
	task_info.c text.c
$(eval $(register_module))
