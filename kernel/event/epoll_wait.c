/* epoll_wait(2) and its kin: the harvest of the ready list, and the sleep until there is one. */
#include <lib/errno.h>
#include <signal/signal.h>
#include <syscall/table.h>
#include "epoll.h"

#define MAX_EVENTS ((int)(INT_MAX / sizeof(struct epoll_event)))

/* Reports one item that was taken off the list: 1, 0 when it is not ready, -EFAULT. */
static int report(struct epoll_item *item, struct user_epoll_event to)
{
	struct epoll_event ev = {.events = epoll_item_poll(item, NULL), .data = item->data};

	if (!ev.events)
		return 0;
	if (user_write(to, &ev)) {
		epoll_return_ready(item, true);
		return -EFAULT;
	}
	if (item->events & EPOLLONESHOT)
		WRITE_ONCE(item->events, item->events & EPOLL_HOW);
	else if (!(item->events & EPOLLET))
		epoll_return_ready(item, false); /* level: the next harvest looks again */
	return 1;
}

/*
 * Reports what is ready: the number, or -EFAULT when not even one event could be stored. Each item
 * is looked at once, in the order of the list; those that stay go behind the others, so every
 * ready descriptor gets its turn however small max is.
 */
static long harvest(struct epoll *ep, struct user_epoll_event to, int max)
{
	struct epoll_item *item;
	struct list_head *last;
	int n = 0, err = 0;

	mutex_lock(&ep->lock);
	epoll_scan_begin(ep);
	/* Only harvests, and changes of items, take from the list: the lock keeps `last` there. */
	last = READ_ONCE(ep->ready.prev);
	while (n < max && (item = epoll_take_ready(ep))) {
		err = report(item, user_at(to, n));
		if (err < 0)
			break;
		n += err;
		if (&item->ready == last)
			break;
	}
	epoll_scan_end(ep);
	mutex_unlock(&ep->lock);
	return n ? n : MIN(err, 0);
}

/*
 * Sleeps until the list is not empty: 0, -ETIME, -ERESTARTSYS. Whoever takes this sleeper off the
 * queue has queued an item before; so after leaving the queue the list is looked at once more, or
 * the one wake-up that an item causes would be lost with a sleeper that gives up.
 */
static int wait_ready(struct epoll *ep, u64 deadline_ns)
{
	struct wait_entry e __uninit;
	int err;

	wait_entry_init(&e);
	e.exclusive = true;
	do {
		err = 0;
		wait_prepare(&ep->wait, &e, TASK_INTERRUPTIBLE);
		if (!epoll_has_ready(ep))
			err = wait_sleep(TASK_INTERRUPTIBLE, deadline_ns);
	} while (!err && !epoll_has_ready(ep));
	wait_finish(&ep->wait, &e);
	return epoll_has_ready(ep) ? 0 : err;
}

/* deadline_ns 0: no sleep. */
static long wait_events(struct epoll *ep, struct user_epoll_event to, int max, u64 deadline_ns)
{
	long n;
	int err;

	for (;;) {
		n = epoll_has_ready(ep) ? harvest(ep, to, max) : 0;
		if (n || !deadline_ns)
			return n;
		/* Items that turn out not to be ready must not keep us from a signal. */
		if (signal_pending(current))
			return -EINTR;
		err = wait_ready(ep, deadline_ns);
		if (err)
			return err == -ETIME ? 0 : -EINTR;
	}
}

static long do_wait(int epfd, struct user_epoll_event to, int max, u64 deadline_ns)
{
	long ret = -EINVAL;
	struct fd f;

	if (max <= 0 || max > MAX_EVENTS)
		return -EINVAL;
	if (!user_range_ok(user_address(to), (u64)max * sizeof(struct epoll_event)))
		return -EFAULT;
	f = fd_get(epfd);
	if (!f.file)
		return -EBADF;
	if (epoll_of(f.file))
		ret = wait_events(epoll_of(f.file), to, max, deadline_ns);
	fd_put(f);
	return ret;
}

long sys_epoll_wait(int epfd, struct user_epoll_event events, int max, int timeout_ms)
{
	return do_wait(epfd, events, max, deadline_after_ms(timeout_ms));
}

static long wait_masked(int epfd, struct user_epoll_event events, int max, u64 deadline_ns,
			struct user_sigset mask, u64 sigsetsize)
{
	long ret = signal_set_temporary_mask(mask, sigsetsize);

	if (ret)
		return ret;
	ret = do_wait(epfd, events, max, deadline_ns);
	signal_restore_mask(ret == -EINTR);
	return ret;
}

long sys_epoll_pwait(int epfd, struct user_epoll_event events, int max, int timeout_ms,
		     struct user_sigset mask, u64 sigsetsize)
{
	return wait_masked(epfd, events, max, deadline_after_ms(timeout_ms), mask, sigsetsize);
}

long sys_epoll_pwait2(int epfd, struct user_epoll_event events, int max,
		      struct user_timespec timeout, struct user_sigset mask, u64 sigsetsize)
{
	u64 deadline_ns;
	int err = deadline_from_user(&deadline_ns, timeout);

	return err ? err : wait_masked(epfd, events, max, deadline_ns, mask, sigsetsize);
}
