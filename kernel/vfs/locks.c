/*
 * Record locks (fcntl, of a process or of an open file) and their waiters; flock is in flock.c.
 *
 * struct file_locks hangs off the inode from the first lock on and dies with it; l->lock
 * (LOCK_RANK_FLOCK) guards all of it. Record locks of all owners lie in one tree ordered by start and
 * augmented with the largest end below, so that the first overlap is found in O(log n). The locks
 * of one owner never overlap, and neighbours of the same type are merged.
 *
 * Changing an owner's range may need two new locks (the range itself and the right part of a lock
 * that is cut in the middle); they are allocated before anything changes, so a change cannot fail
 * half-way.
 *
 * A waiter sleeps on the inode's queue and looks again whenever a lock of the inode goes. Waits
 * between processes are recorded in a graph (graph_lock): who waits for whom. Before sleeping, the
 * waiter follows it from the owner that is in its way; arriving at itself is a deadlock.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <task/task.h>

#include "locks_internal.h"

struct file_locks *locks_of(struct inode *inode)
{
	struct file_locks *l = smp_load_acquire(&inode->locks), *new;

	if (l)
		return l;
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return NULL;
	spin_init(&new->lock, LOCK_RANK_FLOCK);
	list_init(&new->flocks);
	list_init(&new->leases);
	wait_queue_init(&new->wait);
	spin_lock(&inode->spin);
	l = inode->locks;
	if (!l) {
		new->inode = inode;
		locks_list_add(new);
		smp_store_release(&inode->locks, new);
		l = new;
		new = NULL;
	}
	spin_unlock(&inode->spin);
	kfree(new);
	return l;
}

void locks_free(struct file_locks *l)
{
	ASSERT(!l || (!l->records.node && list_empty(&l->flocks) && list_empty(&l->leases)));
	if (l)
		locks_list_remove(l);
	kfree(l);
}

static struct record_lock *record_of(struct rb_node *n)
{
	return rb_entry_or_null(n, struct record_lock, node);
}

static bool update_max_end(struct rb_node *n)
{
	struct record_lock *r = record_of(n), *child;
	u64 max = r->end, before = r->max_end;

	if ((child = record_of(n->left)))
		max = MAX(max, child->max_end);
	if ((child = record_of(n->right)))
		max = MAX(max, child->max_end);
	r->max_end = max;
	return max != before;
}

static void tree_insert(struct file_locks *l, struct record_lock *r)
{
	struct rb_node **link = &l->records.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->start < record_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert(&l->records, &r->node, parent, link, update_max_end);
}

static void tree_erase(struct file_locks *l, struct record_lock *r)
{
	rb_erase(&l->records, &r->node, update_max_end);
}

/* The lock with the lowest start that overlaps [start, end], or NULL. */
static struct record_lock *first_overlap(struct file_locks *l, u64 start, u64 end)
{
	struct record_lock *r = record_of(l->records.node), *left;

	while (r) {
		left = record_of(r->node.left);
		if (left && left->max_end >= start) {
			r = left; /* if nothing there begins early enough, nothing further right does */
			continue;
		}
		if (r->start > end)
			return NULL;
		if (r->end >= start)
			return r;
		r = record_of(r->node.right);
		if (r && r->max_end < start)
			return NULL;
	}
	return NULL;
}

static struct record_lock *next_overlap(struct record_lock *r, u64 start, u64 end)
{
	for (r = record_of(rb_next(&r->node)); r && r->start <= end; r = record_of(rb_next(&r->node)))
		if (r->end >= start)
			return r;
	return NULL;
}

/* The first lock of somebody else that forbids `want`. */
static struct record_lock *find_conflict(struct file_locks *l, const struct record_lock *want)
{
	struct record_lock *r = first_overlap(l, want->start, want->end);

	for (; r; r = next_overlap(r, want->start, want->end))
		if (r->owner != want->owner && (r->type == F_WRLCK || want->type == F_WRLCK))
			return r;
	return NULL;
}

/*
 * Gives want->owner the range [start, end] with want->type (F_UNLCK: takes it away). `right` serves
 * when a lock is cut in the middle. What is not needed any more goes to the free list. True when
 * somebody may have become able to pass.
 */
static bool apply(struct file_locks *l, struct record_lock *want, struct record_lock **right,
		  struct record_lock **unused)
{
	u64 start = want->start, end = want->end;
	u64 near_start = start ? start - 1 : 0, near_end = end == OFFSET_MAX ? end : end + 1;
	struct record_lock *r = first_overlap(l, near_start, near_end), *next;
	bool released = want->type == F_UNLCK;

	for (; r; r = next) {
		next = next_overlap(r, near_start, near_end);
		if (r->owner != want->owner)
			continue;
		if (r->type == want->type) {
			want->start = MIN(want->start, r->start);
			want->end = MAX(want->end, r->end);
			tree_erase(l, r);
			r->next_free = *unused;
			*unused = r;
			continue;
		}
		if (r->end < start || r->start > end)
			continue; /* adjacent only */
		released = true;
		tree_erase(l, r);
		if (r->end > end) {
			struct record_lock *part = r->start < start ? *right : r;
			u64 part_end = r->end;

			if (part != r) {
				*part = *r;
				*right = NULL;
			}
			part->start = end + 1;
			part->end = part_end;
			tree_insert(l, part);
			if (part == r)
				continue;
		}
		if (r->start < start) {
			r->end = start - 1;
			tree_insert(l, r);
			continue;
		}
		r->next_free = *unused;
		*unused = r;
	}
	if (want->type != F_UNLCK)
		tree_insert(l, want);
	return released;
}

static void free_list(struct record_lock *r)
{
	while (r) {
		struct record_lock *next = r->next_free;

		kfree(r);
		r = next;
	}
}

/* The graph of waits between processes: one edge per sleeping task. */
struct wait_edge {
	struct list_head node;
	const void *waiter, *blocker;
};
static struct list_head wait_edges = LIST_INIT(wait_edges);
static DEFINE_SPINLOCK(graph_lock, LOCK_RANK_FLOCK_GRAPH);

static const void *blocker_of(const void *owner)
{
	struct wait_edge *e;

	list_for_each(e, &wait_edges, node)
		if (e->waiter == owner)
			return e->blocker;
	return NULL;
}

/* Linux follows ten edges, too: longer circles are taken for accidents. */
#define MAX_EDGES 10

/* Records the wait, unless it would close a circle. */
static int edge_add(struct wait_edge *e)
{
	const void *at = e->blocker;
	int err = 0;

	spin_lock(&graph_lock);
	for (int i = 0; i < MAX_EDGES && at && !err; i++) {
		if (at == e->waiter)
			err = -EDEADLK;
		at = blocker_of(at);
	}
	if (!err)
		list_add(&e->node, &wait_edges);
	spin_unlock(&graph_lock);
	return err;
}

static void edge_remove(struct wait_edge *e)
{
	spin_lock(&graph_lock);
	list_del(&e->node);
	spin_unlock(&graph_lock);
}

/* Sleeps until some lock of the inode was released. l->lock is not held. */
static int wait_for_release(struct file_locks *l, const struct record_lock *want,
			    const void *blocker, bool blocker_is_process, u64 seen)
{
	struct wait_edge edge = {.waiter = want->owner, .blocker = blocker};
	bool in_graph = !want->ofd && blocker_is_process;
	int err;

	if (in_graph) {
		err = edge_add(&edge);
		if (err)
			return err;
	}
	err = wait_event_interruptible(&l->wait, READ_ONCE(l->release_count) != seen);
	if (in_graph)
		edge_remove(&edge);
	return err;
}

/* Everything allocated; takes the locks and consumes want and right as far as used. */
static int set_lock(struct file_locks *l, struct record_lock **want, struct record_lock **right,
		    bool wait)
{
	struct record_lock *conflict, *unused = NULL;
	bool released;
	int err;

	for (;;) {
		spin_lock(&l->lock);
		conflict = (*want)->type == F_UNLCK ? NULL : find_conflict(l, *want);
		if (!conflict)
			break;

		const void *blocker = conflict->owner;
		bool is_process = !conflict->ofd;
		u64 seen = l->release_count;

		spin_unlock(&l->lock);
		if (!wait)
			return -EAGAIN;
		err = wait_for_release(l, *want, blocker, is_process, seen);
		if (err)
			return err;
	}
	released = apply(l, *want, right, &unused);
	if ((*want)->type != F_UNLCK)
		*want = NULL;
	if (released)
		WRITE_ONCE(l->release_count, l->release_count + 1);
	spin_unlock(&l->lock);
	if (released)
		wake_up_all(&l->wait);
	free_list(unused);
	return 0;
}

static struct record_lock *record_create(const struct record_lock *request)
{
	struct record_lock *r = kmalloc(sizeof(*r), GFP_KERNEL);

	if (r)
		*r = *request;
	return r;
}

int record_lock_set(struct inode *inode, const struct record_lock *request, bool wait)
{
	struct file_locks *l;
	struct record_lock *want, *right;
	int err = -ENOLCK;

	if (request->type == F_UNLCK && !smp_load_acquire(&inode->locks))
		return 0;
	l = locks_of(inode);
	want = record_create(request);
	right = record_create(request);
	if (l && want && right)
		err = set_lock(l, &want, &right, wait);
	kfree(want);
	kfree(right);
	return err;
}

bool record_lock_test(struct inode *inode, const struct record_lock *request,
		      struct record_lock *found)
{
	struct file_locks *l = smp_load_acquire(&inode->locks);
	struct record_lock *r;

	if (!l)
		return false;
	spin_lock(&l->lock);
	r = find_conflict(l, request);
	if (r)
		*found = *r;
	spin_unlock(&l->lock);
	return r != NULL;
}

/* Drops all record locks of the owner: needs no memory, as no lock is cut. */
static void drop_owner(struct file_locks *l, const void *owner)
{
	struct record_lock *unused = NULL, *r, *next;

	spin_lock(&l->lock);
	for (r = record_of(rb_first(&l->records)); r; r = next) {
		next = record_of(rb_next(&r->node));
		if (r->owner != owner)
			continue;
		tree_erase(l, r);
		r->next_free = unused;
		unused = r;
	}
	if (unused)
		WRITE_ONCE(l->release_count, l->release_count + 1);
	spin_unlock(&l->lock);
	if (unused)
		wake_up_all(&l->wait);
	free_list(unused);
}

void locks_release_owner(struct file *f, const void *owner)
{
	struct file_locks *l = smp_load_acquire(&f->inode->locks);

	if (unlikely(l))
		drop_owner(l, owner);
}

void locks_release_file(struct file *f)
{
	struct file_locks *l = smp_load_acquire(&f->inode->locks);

	if (likely(!l))
		return;
	drop_owner(l, f);
	flock_release(l, f);
	lease_release(l, f);
}
