/*
 * Which epoll watches which. One mutex guards all links. They are checked when one is made, so
 * that the graph has no cycle (a wake-up or a poll would run in circles), no chain is longer than
 * what recursion on a kernel stack can bear, and the number of ways a wake-up can take upwards
 * stays small. Only epolls that watch epolls pay for this.
 */
#include <lib/errno.h>
#include <mm/slab.h>
#include "epoll.h"

/* Epolls above each other, beside the first. */
#define MAX_NESTING 4

struct epoll_link {
	struct epoll *upper, *lower;
	struct list_head in_up;   /* lower->up */
	struct list_head in_down; /* upper->down */
};

static DEFINE_MUTEX(graph_lock, LOCK_RANK_EPOLL_GRAPH);
static u32 walk_nr; /* graph_lock */

void epoll_graph_lock(void) NO_THREAD_SAFETY
{
	mutex_lock(&graph_lock);
}

void epoll_graph_unlock(void) NO_THREAD_SAFETY
{
	mutex_unlock(&graph_lock);
}

/* Ways upwards of a given length that a wake-up may take; as many as Linux bears. */
static const u32 max_paths[MAX_NESTING + 1] = {U32_MAX, 500, 100, 50, 10};

/* Counts the ways from ep up to epolls that nobody watches. False: too many or too long. */
static bool count_paths(const struct epoll *ep, u32 depth, u32 *paths)
{
	struct epoll_link *l;

	if (depth > MAX_NESTING)
		return false;
	if (list_empty(&ep->up))
		return ++paths[depth] <= max_paths[depth];
	list_for_each(l, &ep->up, in_up)
		if (!count_paths(l->upper, depth + 1, paths))
			return false;
	return true;
}

/*
 * Looks at everything below ep, each epoll once: 0, -ELOOP when `forbidden` is among it or a chain
 * is too long, -EINVAL. A node is entered at the depth of its first visit only; chains that come
 * later are caught by count_paths, which follows every way up from it.
 */
static int check_below(struct epoll *ep, const struct epoll *forbidden, u32 depth)
{
	u32 paths[MAX_NESTING + 1] = {0};
	struct epoll_link *l;

	if (ep == forbidden || depth > MAX_NESTING)
		return -ELOOP;
	if (ep->visited == walk_nr)
		return 0;
	ep->visited = walk_nr;
	list_for_each(l, &ep->down, in_down) {
		int err = check_below(l->lower, forbidden, depth + 1);

		if (err)
			return err;
	}
	/* No cycle below: the ways up end. The caller's new link is among them. */
	if (count_paths(ep, 0, paths))
		return 0;
	for (u32 i = 0; i <= MAX_NESTING; i++)
		if (paths[i] > max_paths[i])
			return -EINVAL;
	return -ELOOP;
}

int epoll_graph_add(struct epoll *upper, struct epoll *lower, struct epoll_link **out)
{
	struct epoll_link *l = kmalloc(sizeof(*l), GFP_KERNEL);
	int err;

	if (!l)
		return -ENOMEM;
	l->upper = upper;
	l->lower = lower;
	list_add(&l->in_up, &lower->up);
	list_add(&l->in_down, &upper->down);
	walk_nr++;
	err = check_below(lower, upper, 0);
	if (err)
		epoll_graph_remove(l);
	else
		*out = l;
	return err;
}

void epoll_graph_remove(struct epoll_link *l)
{
	list_del(&l->in_up);
	list_del(&l->in_down);
	kfree(l);
}
