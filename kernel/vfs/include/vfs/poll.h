/* Readiness. A file's poll operation registers its queues and answers what holds now. */
#pragma once

#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <sync/wait.h>

struct file;
struct user_timespec;

struct poll_table {
	/* NULL once the caller does not want to sleep any more. */
	void (*register_queue)(struct poll_table *pt, struct file *f, struct wait_queue *q);
	u32 events; /* that the caller is interested in */
};

static inline void poll_wait(struct file *f, struct wait_queue *q, struct poll_table *pt)
{
	if (pt && pt->register_queue)
		pt->register_queue(pt, f, q);
}

/* The bits for a file without a poll operation: always readable and writable. */
#define POLL_DEFAULT (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

/*
 * Deadlines of calls that wait for files: absolute times on CLOCK_MONOTONIC; 0 means no sleep,
 * U64_MAX no end.
 */
u64 deadline_after(u64 ns);
u64 deadline_after_ms(int ms); /* negative: no end */
/* A relative time in user memory, perhaps none. 0, -EINVAL, -EFAULT. */
int deadline_from_user(u64 *deadline_ns, struct user_timespec timeout) __must_check;
