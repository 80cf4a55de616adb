/* Private to kernel/vfs: one sleep on many files, under poll(2) and select(2). */
#pragma once

#include <vfs/file.h>
#include <vfs/poll.h>

#define POLL_INLINE_ENTRIES 8

struct poll_entry {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct poll_wait *owner;
	struct file *file; /* reference */
	u32 events;
};

struct poll_block {
	struct poll_block *next;
	u32 nr;
	struct poll_entry entry[40];
};

/* Lives on the stack of the call. Declare __uninit and poll_wait_init. */
struct poll_wait {
	struct poll_table table;
	bool triggered;
	bool no_memory;
	u32 nr_inline;
	struct poll_block *blocks;
	struct poll_entry entry[POLL_INLINE_ENTRIES];
};

/* may_sleep false: queues are not registered with. */
void poll_wait_init(struct poll_wait *w, bool may_sleep);
/* Leaves all queues. */
void poll_wait_fini(struct poll_wait *w);
/* From now on only look. */
static inline void poll_wait_stop(struct poll_wait *w)
{
	w->table.register_queue = NULL;
}
/* Readiness of a file for the events asked for; errors and hang-ups are always reported. */
u32 poll_file(struct file *f, struct poll_wait *w, u32 events);
/* Until one of the queues wakes. 0, -ERESTARTSYS, -ETIME. */
int poll_wait_sleep(struct poll_wait *w, u64 deadline_ns) __must_check;

/*
 * The end of ppoll and pselect6 and of select: puts the signal mask back unless a signal is to be
 * delivered under it, and stores what is left of the timeout. The call's result.
 */
struct poll_timeout {
	u64 deadline_ns; /* U64_MAX: none; 0: do not sleep */
	u64 uaddr;       /* of the user's structure; 0: none */
	bool timeval;    /* struct timeval, else struct timespec */
};
long poll_finish(const struct poll_timeout *t, long ret);
/* Fetches a timeout. 0, -EINVAL, -EFAULT. */
int poll_timeout_get(struct poll_timeout *t, u64 uaddr, bool timeval) __must_check;
