/* Making threads and processes, for the system calls of the clone family. */
#pragma once

#include <mm/user.h>

struct clone_request {
	u64 flags;        /* CLONE_*, without the signal */
	s32 exit_signal;
	s32 set_tid;      /* 0: any number */
	u64 stack;        /* user stack pointer; 0: the parent's */
	u64 tls;
	struct user_int parent_tid, child_tid, pidfd;
};

/* The child's thread id, or -errno. Process context of a user task. */
long task_clone(const struct clone_request *req);
