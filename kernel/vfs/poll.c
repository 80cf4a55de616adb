/* poll(2) and ppoll(2). The array is fetched once; only the revents fields are written back. */
#include <lib/errno.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>

#include "poll_wait.h"

#define POLL_INLINE_FDS 32

static __always_inline u32 look_at(const struct fd_slots *open, const struct pollfd *p,
				   struct poll_wait *w)
{
	u32 events = (u16)p->events;

	if (p->fd < 0)
		return 0;
	return poll_fd(open, p->fd, w, &events) ? events : POLLNVAL;
}

/* One look at all: the number that are ready. */
static long look_at_all(struct pollfd *fds, u32 nr, struct poll_wait *w)
{
	const struct fd_slots *open = poll_fds();
	long ready = 0;

	for (u32 i = 0; i < nr; i++) {
		fds[i].revents = (short)look_at(open, &fds[i], w);
		if (fds[i].revents) {
			ready++;
			poll_wait_stop(w);
		}
	}
	return ready;
}

/* Number ready, 0 when the time is over, -EINTR, -ENOMEM. deadline_ns 0: no sleep. */
static long poll_until(struct pollfd *fds, u32 nr, u64 deadline_ns)
{
	struct poll_wait w __uninit;
	long ret;

	poll_wait_init(&w, deadline_ns != 0);
	do {
		ret = look_at_all(fds, nr, &w);
	} while (poll_wait_again(&w, deadline_ns, &ret));
	poll_wait_fini(&w);
	return ret;
}

static int store_revents(struct user_pollfd ufds, const struct pollfd *fds, u32 nr)
{
	return user_write_u16_members(user_address(ufds), fds, offsetof(struct pollfd, revents),
				      sizeof(*fds), nr);
}

static long do_poll(struct user_pollfd ufds, u32 nr, u64 deadline_ns)
{
	struct pollfd inline_fds[POLL_INLINE_FDS] __uninit;
	struct pollfd *fds = inline_fds;
	long ret;

	if (nr > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (nr > POLL_INLINE_FDS) {
		fds = kvmalloc(nr * sizeof(*fds), GFP_KERNEL);
		if (!fds)
			return -ENOMEM;
	}
	ret = user_read_array(fds, ufds, nr) ? -EFAULT : poll_until(fds, nr, deadline_ns);
	if (ret >= 0 && store_revents(ufds, fds, nr))
		ret = -EFAULT;
	if (fds != inline_fds)
		kvfree(fds);
	return ret;
}

static long poll_restart(struct restart_block *r)
{
	long ret = do_poll((struct user_pollfd){.uaddr = r->arg[0]}, r->nr, r->deadline_ns);

	return ret == -EINTR ? -ERESTART_RESTARTBLOCK : ret;
}

long sys_poll(struct user_pollfd fds, u32 nfds, int timeout_ms)
{
	u64 deadline = deadline_after_ms(timeout_ms);
	long ret = do_poll(fds, nfds, deadline);

	if (ret != -EINTR)
		return ret;
	current->restart.fn = poll_restart;
	current->restart.arg[0] = fds.uaddr;
	current->restart.nr = nfds;
	current->restart.deadline_ns = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long sys_ppoll(struct user_pollfd fds, u32 nfds, struct user_timespec timeout,
	       struct user_sigset mask, u64 sigsetsize)
{
	struct poll_timeout t;
	long ret = poll_timeout_get(&t, timeout.uaddr, false);

	if (ret)
		return ret;
	ret = signal_set_temporary_mask(mask, sigsetsize);
	if (ret)
		return ret;
	ret = do_poll(fds, nfds, t.deadline_ns);
	return poll_finish(&t, ret == -EINTR ? -ERESTARTNOHAND : ret);
}
