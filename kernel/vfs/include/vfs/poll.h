/* Readiness. A file's poll operation registers its queues and answers what holds now. */
#pragma once

#include <linux/eventpoll.h>
#include <linux/poll.h>
#include <sync/wait.h>

struct file;

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
