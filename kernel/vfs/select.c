/*
 * select(2) and pselect6(2). The six bitmaps (asked and found, times read, write, exception) lie in
 * one block, on the stack when there are few descriptors.
 */
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>

#include "poll_wait.h"

#define IN_BITS  (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define OUT_BITS (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define EX_BITS  EPOLLPRI

#define SETS         3
#define INLINE_WORDS 4

struct fd_sets {
	u32 nr, words;
	u64 *asked[SETS], *found[SETS];
};

/* What one word of each set asks for, or has found. */
struct words {
	u64 in, out, ex;
};

/* One descriptor, whose bit is set in some word of `asked`: 0, or -EBADF. Adds to `found`. */
static __always_inline int look_at(const struct fd_slots *open, const struct words *asked,
				   struct words *found, u32 fd, u64 bit, struct poll_wait *w)
{
	u32 events = (asked->in & bit ? IN_BITS : 0) | (asked->out & bit ? OUT_BITS : 0) |
		     (asked->ex & bit ? EX_BITS : 0);

	if (!poll_fd(open, (int)fd, w, &events))
		return -EBADF;
	if (likely(!events))
		return 0;
	if (events & IN_BITS)
		found->in |= asked->in & bit;
	if (events & OUT_BITS)
		found->out |= asked->out & bit;
	if (events & EX_BITS)
		found->ex |= asked->ex & bit;
	if ((found->in | found->out | found->ex) & bit)
		poll_wait_stop(w);
	return 0;
}

/* Number of bits found in the three sets, or -EBADF. */
static long look_at_all(struct fd_sets *s, struct poll_wait *w)
{
	const struct fd_slots *open = poll_fds();
	long ready = 0;

	for (u32 i = 0; i < s->words; i++) {
		struct words asked = {s->asked[0][i], s->asked[1][i], s->asked[2][i]}, found = {0};

		for (u64 bits = asked.in | asked.out | asked.ex; bits; bits &= bits - 1) {
			int err = look_at(open, &asked, &found, i * 64 + bit_lowest(bits),
					  bits & -bits, w);

			if (err)
				return err;
		}
		s->found[0][i] = found.in;
		s->found[1][i] = found.out;
		s->found[2][i] = found.ex;
		if (found.in | found.out | found.ex)
			ready += bit_count(found.in) + bit_count(found.out) + bit_count(found.ex);
	}
	return ready;
}

static long select_until(struct fd_sets *s, u64 deadline_ns)
{
	struct poll_wait w __uninit;
	long ret;

	poll_wait_init(&w, deadline_ns != 0);
	do {
		ret = look_at_all(s, &w);
	} while (poll_wait_again(&w, deadline_ns, &ret));
	poll_wait_fini(&w);
	return ret == -EINTR ? -ERESTARTNOHAND : ret;
}

static int fetch_sets(struct fd_sets *s, const struct user_fd_set *user)
{
	for (int i = 0; i < SETS; i++) {
		u64 *to = s->asked[i];

		if (!user_is_null(user[i])) {
			if (user_read_bytes(to, user_cast(bytes, user[i]), s->words * sizeof(u64)))
				return -EFAULT;
		} else {
			for (u32 k = 0; k < s->words; k++)
				to[k] = 0;
		}
		if (s->nr % 64) /* bits beyond nr do not count */
			to[s->words - 1] &= BIT(s->nr % 64) - 1;
	}
	return 0;
}

static int store_sets(const struct fd_sets *s, const struct user_fd_set *user)
{
	for (int i = 0; i < SETS; i++)
		if (!user_is_null(user[i]) &&
		    user_write_bytes(user_cast(bytes, user[i]), s->found[i], s->words * sizeof(u64)))
			return -EFAULT;
	return 0;
}

static u32 table_capacity(void)
{
	u32 capacity;

	rcu_read_lock();
	capacity = rcu_dereference(current->files->slots)->capacity;
	rcu_read_unlock();
	return capacity;
}

static long do_select(int nr, const struct user_fd_set *user, u64 deadline_ns)
{
	u64 inline_words[2 * SETS * INLINE_WORDS] __uninit;
	u64 *block = inline_words;
	struct fd_sets s;
	long ret;

	if (nr < 0)
		return -EINVAL;
	s.nr = MIN((u32)nr, table_capacity());
	s.words = BITS_TO_WORDS(s.nr);
	if (s.words > INLINE_WORDS) {
		block = kvmalloc(2 * SETS * s.words * sizeof(u64), GFP_KERNEL);
		if (!block)
			return -ENOMEM;
	}
	for (u32 i = 0; i < SETS; i++) {
		s.asked[i] = block + i * s.words;
		s.found[i] = block + (SETS + i) * s.words;
	}
	ret = fetch_sets(&s, user);
	if (!ret)
		ret = select_until(&s, deadline_ns);
	if (ret >= 0 && store_sets(&s, user))
		ret = -EFAULT;
	if (block != inline_words)
		kvfree(block);
	return ret;
}

long sys_select(int n, struct user_fd_set in, struct user_fd_set out, struct user_fd_set ex,
		struct user_timeval timeout)
{
	const struct user_fd_set user[SETS] = {in, out, ex};
	struct poll_timeout t;
	long ret = poll_timeout_get(&t, timeout.uaddr, true);

	return ret ? ret : poll_finish(&t, do_select(n, user, t.deadline_ns));
}

long sys_pselect6(int n, struct user_fd_set in, struct user_fd_set out, struct user_fd_set ex,
		  struct user_timespec timeout, struct user_sigset_argpack sig)
{
	const struct user_fd_set user[SETS] = {in, out, ex};
	struct sigset_argpack pack = {.size = sizeof(struct sigset)};
	struct poll_timeout t;
	long ret;

	if (!user_is_null(sig) && user_read(&pack, sig))
		return -EFAULT;
	ret = poll_timeout_get(&t, timeout.uaddr, false);
	if (ret)
		return ret;
	ret = signal_set_temporary_mask(pack.mask, pack.size);
	if (ret)
		return ret;
	return poll_finish(&t, do_select(n, user, t.deadline_ns));
}
