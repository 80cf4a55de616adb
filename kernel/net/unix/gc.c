/*
 * The collector of sockets that only queues still hold.
 *
 * Sockets may be sent through sockets, so they can hold each other, or themselves, with no
 * descriptor left anywhere. The naive remedy, to look at everything under way whenever a socket is
 * closed, makes n closes cost n². Instead, a look begins where a reference was dropped:
 *
 *   1. A socket is lost when every reference to its file lies in queues (its count equals
 *      nr_inflight) and every holder of those is lost too. A connection that waits to be accepted has
 *      no file: it is as lost as its listener.
 *   2. It can only become lost when one of its other references goes. A file that has ever been under
 *      way tells of each (FMODE_TELL_PUT, unix_put_told): the socket is noted, without a lock, and
 *      suspected by the collector, unless one look at a holder shows that one alive; most often
 *      that ends it.
 *   3. The collector's thread takes all suspects at once. It walks from them to their holders and so
 *      on, not beyond those that are alive by themselves; then from these back along what they
 *      hold. What was seen and not reached is lost: all its holders were seen, none is alive. Each
 *      reference is looked at twice at most.
 *   4. All this happens under the in-flight mutex, under which nothing gets into or out of a queue.
 *      So nobody can take a file from a lost socket's queue meanwhile: that takes a reference to
 *      the socket. A sender holds references of its own until its message is queued.
 *   5. The descriptors of lost sockets are taken off their messages, and dropped without the mutex.
 *      That closes the sockets, and with them the rest.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <task/task.h>

#include "unix.h"

enum { SEEN = 1, ALIVE = 2, VERDICT = 3 };

DEFINE_MUTEX(unix_inflight_mutex, LOCK_RANK_INFLIGHT);

static struct unix_sock *noted; /* chained by gc_noted_next, each with a reference; atomic */

/* All under the mutex. */
static struct list_head suspects = LIST_INIT(suspects); /* gc_node */
static struct list_head dead = LIST_INIT(dead);         /* struct scm_fds to free */
static u32 run_nr;
static DEFINE_WAIT_QUEUE(work_wait);

static bool there_is_work(void)
{
	return READ_ONCE(noted) || !list_empty(&dead);
}

void gc_defer_free(struct scm_fds *fds)
{
	mutex_lock(&unix_inflight_mutex);
	list_add_tail(&fds->node, &dead);
	mutex_unlock(&unix_inflight_mutex);
	wake_up(&work_wait);
}

/* ---- Suspects ---- */

/* One holder that has a descriptor somewhere, or is just being accepted or closed. */
static bool first_holder_alive(const struct unix_sock *u)
{
	const struct scm_entry *e = list_first(&u->inflight, struct scm_entry, node);
	const struct unix_sock *holder = e->fds->holder;

	return !holder->nr_inflight && !READ_ONCE(holder->listener);
}

static void suspect_locked(struct unix_sock *u)
{
	if (u->nr_inflight && list_empty(&u->gc_node) && !first_holder_alive(u))
		list_add_tail(&u->gc_node, &suspects);
}

/*
 * In any context, under RCU. The count went down before, with full ordering: whoever marked the file
 * only after our caller looked for the mark makes a look of his own later, which sees the lower count.
 */
void unix_put_told(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *head = __atomic_load_n(&noted, __ATOMIC_RELAXED);

	if (!READ_ONCE(u->nr_inflight) || atomic_xchg(&u->gc_noted, 1))
		return;
	if (!ref_get_unless_zero(&u->ref))
		return; /* it goes anyway */
	do {
		u->gc_noted_next = head;
	} while (!__atomic_compare_exchange_n(&noted, &head, u, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	wake_up(&work_wait);
}

static void take_noted_locked(void)
{
	struct unix_sock *u = __atomic_exchange_n(&noted, NULL, __ATOMIC_ACQUIRE);

	while (u) {
		struct unix_sock *next = u->gc_noted_next;

		atomic_xchg(&u->gc_noted, 0); /* what goes from here on is a new note */
		suspect_locked(u);
		unix_put(u);
		u = next;
	}
}

/* ---- One run: mutex held ---- */

static bool only_inflight(const struct unix_sock *u)
{
	const struct file *f;
	bool only;

	rcu_read_lock();
	f = rcu_dereference(u->s.file);
	only = f && u->nr_inflight && ref_read(&f->ref) == (int)u->nr_inflight;
	rcu_read_unlock();
	return only;
}

static void see(struct unix_sock *u, struct list_head *seen)
{
	u32 mark = run_nr | SEEN;

	if ((u->gc_state & ~VERDICT) == run_nr)
		return;
	u->gc_state = mark;
	list_del(&u->gc_node);
	list_add_tail(&u->gc_node, seen);
}

static void find_alive(struct unix_sock *u, struct list_head *alive)
{
	if (u->gc_state != (run_nr | SEEN))
		return;
	u->gc_state = run_nr | ALIVE;
	list_move_tail(&u->gc_node, alive);
}

/* The listener in whose queue u waits, with a reference; NULL: it is accepted, or going. */
static struct unix_sock *listener_get(struct unix_sock *u)
{
	struct unix_sock *l;

	rcu_read_lock();
	l = rcu_dereference(u->listener);
	if (l && !ref_get_unless_zero(&l->ref))
		l = NULL;
	rcu_read_unlock();
	return l;
}

/*
 * Step 3, first half: from u to its holders. Those that are alive by themselves go to `alive`. Who
 * is seen cannot go away during the run: giving up a descriptor under way takes the mutex. A listener
 * can, once the connection is accepted: so a reference holds it.
 */
static void see_holders(struct unix_sock *u, struct list_head *seen, struct list_head *alive)
{
	struct scm_entry *e;

	u->gc_listener = listener_get(u);
	if (u->gc_listener) {
		see(u->gc_listener, seen);
		list_add_tail(&u->gc_embryo, &u->gc_listener->gc_embryos);
	} else if (!only_inflight(u)) {
		find_alive(u, alive);
	} else {
		list_for_each(e, &u->inflight, node)
			see(e->fds->holder, seen);
	}
}

/* Second half: from u, which is alive, to what it holds. */
static void reach_held(struct unix_sock *u, struct list_head *alive)
{
	struct unix_sock *embryo;
	struct scm_fds *fds;

	list_for_each(embryo, &u->gc_embryos, gc_embryo)
		find_alive(embryo, alive);
	list_for_each(fds, &u->held, node) {
		for (u32 i = 0; i < fds->count; i++) {
			struct socket *s = socket_of(fds->entry[i].file);

			if (s && s->family == AF_UNIX)
				find_alive(unix_of(s), alive);
		}
	}
}

/* Off the lists of the run. A listener leaves after its connections, or they leave it. */
static void forget(struct unix_sock *u)
{
	struct unix_sock *listener = u->gc_listener;

	list_del(&u->gc_node);
	list_del(&u->gc_embryo);
	u->gc_listener = NULL;
	if (listener)
		unix_put(listener);
}

/*
 * Step 5. What loses its last descriptor under way here goes off the list of the lost unvisited: the
 * end of its file empties its queue.
 */
static void take_held(struct unix_sock *u)
{
	while (!list_empty(&u->held)) {
		struct scm_fds *fds = list_first(&u->held, struct scm_fds, node);

		scm_unlink_locked(fds);
		list_add_tail(&fds->node, &dead);
	}
}

static void collect_locked(void)
{
	struct list_head seen = LIST_INIT(seen), alive = LIST_INIT(alive), *at, *next;
	struct unix_sock *u, *tmp;

	run_nr += VERDICT + 1;
	list_for_each_safe(u, tmp, &suspects, gc_node)
		see(u, &seen);
	/* The list grows while it is walked; who is alive leaves it. */
	for (at = seen.next; at != &seen; at = next) {
		u = list_entry(at, struct unix_sock, gc_node);
		/* What see() appends comes behind u; the successor is read afterwards. */
		struct list_head *prev = at->prev;

		see_holders(u, &seen, &alive);
		next = prev->next == at ? at->next : prev->next;
	}
	list_for_each(u, &alive, gc_node)
		reach_held(u, &alive);
	while (!list_empty(&seen)) {
		u = list_first(&seen, struct unix_sock, gc_node);
		take_held(u);
		forget(u);
	}
	while (!list_empty(&alive))
		forget(list_first(&alive, struct unix_sock, gc_node));
}

static struct scm_fds *next_dead(void)
{
	struct scm_fds *fds = NULL;

	mutex_lock(&unix_inflight_mutex);
	if (!list_empty(&dead)) {
		fds = list_first(&dead, struct scm_fds, node);
		list_del(&fds->node);
	}
	mutex_unlock(&unix_inflight_mutex);
	return fds;
}

static __noreturn void collector(void *unused)
{
	struct scm_fds *fds;

	for (;;) {
		wait_event(&work_wait, there_is_work());
		mutex_lock(&unix_inflight_mutex);
		take_noted_locked();
		collect_locked();
		mutex_unlock(&unix_inflight_mutex);
		while ((fds = next_dead()))
			scm_fds_free(fds);
	}
}

static int gc_init(void)
{
	return kthread_create(collector, NULL, "unix_gc") ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, gc_init);
