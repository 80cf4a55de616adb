module := task
uses := lib arch boot sync sched mm vfs signal syscall time ipc uapi seccomp ptrace trace
srcs := task.c user.c cred.c pid.c fork.c clone3.c work.c mm_release.c exit.c rusage.c wait.c \
	exec.c exec_args.c exec_script.c exec_cred.c exec_threads.c exec_elf.c exec_stack.c \
	core_pattern.c \
	random.c ids.c setid.c groups.c caps.c session.c rlimit.c uts.c sysinfo.c reboot.c prctl.c ioprio.c \
	kthread.c unshare.c rseq.c access.c peek.c pidfd.c kcmp.c init.c user_helper.c \
	coredump.c coredump_name.c coredump_elf.c
ktests := test/ids.c test/stack_offset.c
cold := core_pattern.c coredump.c coredump_elf.c coredump_name.c prctl.c rusage.c setid.c \
	sysinfo.c uts.c random.c rlimit.c kcmp.c ioprio.c
$(eval $(register_module))
