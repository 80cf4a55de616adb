/*
 * One sleep on many files. The first look at each file registers an entry with its queues; a
 * wake-up sets `triggered` and wakes the task. The sleeper sets its state before it tests
 * `triggered`, the waker sets `triggered` before it looks at the state, so none is lost.
 *
 * Entries hold their files: another thread may close a descriptor that is being waited on.
 */
#include <lib/errno.h>
#include <linux/personality.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>

#include "poll_wait.h"

static bool poll_wake(struct wait_entry *e, u32 events)
{
	struct poll_entry *p = container_of(e, struct poll_entry, wait);

	if (events && !(events & p->events))
		return false;
	smp_store_release(&p->owner->triggered, true);
	sched_wake(e->task, TASK_NORMAL);
	return true;
}

static struct poll_entry *new_entry(struct poll_wait *w)
{
	struct poll_block *b = w->blocks;

	if (w->nr_inline < POLL_INLINE_ENTRIES)
		return &w->entry[w->nr_inline++];
	if (!b || b->nr == ARRAY_SIZE(b->entry)) {
		b = kmalloc(sizeof(*b), GFP_KERNEL);
		if (!b)
			return NULL;
		b->next = w->blocks;
		b->nr = 0;
		w->blocks = b;
	}
	return &b->entry[b->nr++];
}

static void register_queue(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	struct poll_wait *w = container_of(pt, struct poll_wait, table);
	struct poll_entry *p = new_entry(w);

	if (!p) {
		w->no_memory = true;
		return;
	}
	file_get(f);
	p->file = f;
	p->queue = q;
	p->owner = w;
	p->events = pt->events;
	wait_entry_init(&p->wait);
	p->wait.wake = poll_wake;
	wait_queue_add(q, &p->wait);
}

void poll_wait_init(struct poll_wait *w, bool may_sleep)
{
	w->table.register_queue = may_sleep ? register_queue : NULL;
	w->triggered = false;
	w->no_memory = false;
	w->over = !may_sleep;
	w->nr_inline = 0;
	w->blocks = NULL;
}

static void drop_entries(struct poll_entry *p, u32 nr)
{
	for (; nr; nr--, p++) {
		wait_queue_remove(p->queue, &p->wait);
		file_put(p->file);
	}
}

void poll_wait_leave(struct poll_wait *w)
{
	struct poll_block *b, *next;

	drop_entries(w->entry, w->nr_inline);
	for (b = w->blocks; b; b = next) {
		next = b->next;
		drop_entries(b->entry, b->nr);
		kfree(b);
	}
}

bool poll_fd_slow(int fd, struct poll_wait *w, u32 *events)
{
	struct fd f = fd_get(fd);

	if (!f.file)
		return false;
	*events = poll_file(f.file, w, *events);
	fd_put(f);
	return true;
}

static int wait_for_queues(struct poll_wait *w, u64 deadline_ns)
{
	int err = 0;

	sched_set_state(TASK_INTERRUPTIBLE);
	if (!smp_load_acquire(&w->triggered))
		err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	sched_set_state(TASK_RUNNING);
	/* Cleared before the next look: what happens after that look sets it again. */
	WRITE_ONCE(w->triggered, false);
	smp_mb();
	return err;
}

bool poll_wait_again(struct poll_wait *w, u64 deadline_ns, long *ret)
{
	poll_wait_stop(w);
	if (*ret)
		return false;
	if (w->no_memory)
		*ret = -ENOMEM;
	else if (signal_pending(current))
		*ret = -EINTR;
	if (*ret || w->over)
		return false;
	w->over = wait_for_queues(w, deadline_ns) == -ETIME;
	return true;
}

u64 deadline_after(u64 ns)
{
	u64 now;

	if (!ns)
		return 0;
	now = clock_monotonic();
	return ns >= S64_MAX || now + ns < now ? U64_MAX : now + ns;
}

u64 deadline_after_ms(int ms)
{
	return ms < 0 ? U64_MAX : deadline_after((u64)ms * NSEC_PER_MSEC);
}

int deadline_from_user(u64 *deadline_ns, struct user_timespec timeout)
{
	struct timespec64 ts;

	*deadline_ns = U64_MAX;
	if (user_is_null(timeout))
		return 0;
	if (user_read(&ts, timeout))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*deadline_ns = deadline_after(timespec_to_ns(&ts));
	return 0;
}

static int get_timeval(u64 uaddr, struct timespec64 *ts)
{
	struct __kernel_old_timeval tv;

	if (user_read(&tv, (struct user_timeval){.uaddr = uaddr}))
		return -EFAULT;
	ts->tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
	ts->tv_nsec = tv.tv_usec % 1000000 * 1000;
	return 0;
}

int poll_timeout_get(struct poll_timeout *t, u64 uaddr, bool timeval)
{
	struct timespec64 ts;

	*t = (struct poll_timeout){.deadline_ns = U64_MAX, .uaddr = uaddr, .timeval = timeval};
	if (!uaddr)
		return 0;
	if (!timeval)
		return deadline_from_user(&t->deadline_ns, user_handle(timespec, uaddr));
	if (get_timeval(uaddr, &ts))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	t->deadline_ns = deadline_after(timespec_to_ns(&ts));
	return 0;
}

static int store_rest(const struct poll_timeout *t)
{
	u64 now = clock_monotonic();
	struct timespec64 ts = ns_to_timespec(t->deadline_ns > now ? t->deadline_ns - now : 0);
	struct __kernel_old_timeval tv = {.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};

	if (t->timeval)
		return user_write((struct user_timeval){.uaddr = t->uaddr}, &tv);
	return user_write((struct user_timespec){.uaddr = t->uaddr}, &ts);
}

long poll_finish(const struct poll_timeout *t, long ret)
{
	signal_restore_mask(ret == -ERESTARTNOHAND);
	if (!t->uaddr || !t->deadline_ns)
		return ret;
	if (t->deadline_ns != U64_MAX && !(current->personality & STICKY_TIMEOUTS) &&
	    !store_rest(t))
		return ret;
	/* A restart would begin with the full time again. */
	return ret == -ERESTARTNOHAND ? -EINTR : ret;
}
