/* Private to kernel/vfs: one sleep on many files, under poll(2) and select(2). */
#pragma once

#include <arch/speculation.h>
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
	bool over; /* the time is; one more look */
	u32 nr_inline;
	struct poll_block *blocks;
	struct poll_entry entry[POLL_INLINE_ENTRIES];
};

/* may_sleep false: queues are not registered with. */
void poll_wait_init(struct poll_wait *w, bool may_sleep);
/* Leaves all queues. */
void poll_wait_leave(struct poll_wait *w);
static inline void poll_wait_fini(struct poll_wait *w)
{
	if (w->nr_inline)
		poll_wait_leave(w);
}
/* From now on only look. */
static inline void poll_wait_stop(struct poll_wait *w)
{
	w->table.register_queue = NULL;
}
/* Readiness of a file for the events asked for; errors and hang-ups are always reported. */
static __always_inline u32 poll_file(struct file *f, struct poll_wait *w, u32 events)
{
	events |= EPOLLERR | EPOLLHUP;
	w->table.events = events;
	if (unlikely(!f->ops->poll))
		return POLL_DEFAULT & events;
	return f->ops->poll(f, &w->table) & events;
}
/*
 * The descriptors of a loop over many. While the table has one user, nothing changes in it but by
 * this thread, so what fd_peek tests each time is tested once. NULL: shared.
 */
static inline const struct fd_slots *poll_fds(void)
{
	const struct fd_table *t = current->files;

	return ref_read(&t->ref) == 1 ? t->slots : NULL;
}
/* Readiness of a descriptor, with its file held meanwhile: *events, or false: not open. */
bool poll_fd_slow(int fd, struct poll_wait *w, u32 *events);
static __always_inline bool poll_fd(const struct fd_slots *fds, int fd, struct poll_wait *w,
				    u32 *events)
{
	struct file *f = NULL;

	if (likely(fds && (u32)fd < fds->capacity))
		f = fds->file[index_clamp((u32)fd, fds->capacity)];
	if (unlikely(!f || f->mode & FMODE_PATH))
		return poll_fd_slow(fd, w, events);
	*events = poll_file(f, w, *events);
	return true;
}

/*
 * After a look, whose result is *ret: true when it found nothing and it is time for another, which
 * may have meant a sleep. Else *ret is the result: what it was, -EINTR, -ENOMEM.
 */
bool poll_wait_again(struct poll_wait *w, u64 deadline_ns, long *ret);

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
