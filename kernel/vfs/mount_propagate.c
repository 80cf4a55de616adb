/*
 * Propagation of mounts: peer groups, slaves, and what a mount or umount does to them.
 *
 * Mounts of one peer group (a ring) get everything that is mounted on any of them; slaves get what
 * is mounted on their master's group, and give nothing back. All members of a group have the same
 * master pointer, and only shared mounts have slaves. Only mounts of the tree, and copies on their
 * way into it, are related to others: what leaves the tree leaves its groups.
 *
 * A change is prepared first (targets collected, copies made, counted), which may fail and is then
 * undone unseen; the commit, inside one change of the tree, cannot fail. All under the namespace's lock.
 */
#include <lib/errno.h>
#include <mm/slab.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"

static u32 last_group; /* namespace lock */

static u32 new_group(void)
{
	last_group = last_group == INT_MAX ? 1 : last_group + 1;
	return last_group;
}

/* ---- Relations ---- */

void mount_kin_join(struct mount *m, struct mount *original, enum mount_kin kin)
{
	if (kin == KIN_TWIN) {
		m->group = original->group;
		m->shared = original->group;
		if (m->shared)
			list_add(&m->peers, &original->peers);
		m->master = original->master;
		if (m->master)
			list_add(&m->slave_node, &original->slave_node);
		return;
	}
	m->master = original;
	list_add_tail(&m->slave_node, &original->slaves);
	if (kin == KIN_SLAVE_SHARED) {
		m->group = new_group();
		m->shared = true;
	}
}

/* The peer that inherits m's slaves: one that shows the same directory, or any. */
static struct mount *heir_of(struct mount *m)
{
	struct mount *p;

	list_for_each(p, &m->peers, peers)
		if (p->root == m->root)
			return p;
	return list_empty(&m->peers) ? NULL : list_next(m, peers);
}

/* m becomes a slave of its group, or if it was the last of it, of its master. */
static void become_slave(struct mount *m)
{
	struct mount *heir = heir_of(m), *master = heir ? heir : m->master;

	list_del(&m->peers);
	m->group = 0;
	m->shared = false;
	while (!list_empty(&m->slaves)) {
		struct mount *s = list_first(&m->slaves, struct mount, slave_node);

		list_del(&s->slave_node);
		s->master = master;
		if (master)
			list_add_tail(&s->slave_node, &master->slaves);
	}
	if (!heir)
		return;
	m->master = heir;
	list_move_tail(&m->slave_node, &heir->slaves);
}

void mount_kin_leave(struct mount *m)
{
	become_slave(m);
	list_del(&m->slave_node);
	m->master = NULL;
}

static void become_shared(struct mount *m)
{
	if (!m->group)
		m->group = new_group();
	m->shared = true;
	m->unbindable = false;
}

void mount_set_propagation(struct mount *m, u32 type)
{
	if (type == MS_SHARED) {
		become_shared(m);
	} else if (type == MS_SLAVE) {
		become_slave(m);
	} else {
		mount_kin_leave(m);
		m->unbindable = type == MS_UNBINDABLE;
	}
}

u32 mount_dominating_group(const struct mount *m, const struct path *root)
{
	for (m = m->master; m; m = m->master) {
		struct path p = {.mnt = (struct mount *)m, .dentry = m->root};
		const struct mount *peer;

		if (path_is_under(&p, root))
			return m->group;
		list_for_each(peer, &m->peers, peers) {
			p = (struct path){.mnt = (struct mount *)peer, .dentry = peer->root};
			if (path_is_under(&p, root))
				return m->group;
		}
	}
	return 0;
}

/* ---- Targets ---- */

static void add_target(struct mount *m, struct list_head *list)
{
	if (m->ns) /* not the copies that are being prepared */
		list_add_tail(&m->target_node, list);
}

static void add_slaves(struct mount *m, struct list_head *list)
{
	struct mount *s;

	list_for_each(s, &m->slaves, slave_node)
		add_target(s, list);
}

/* All that get what is mounted on m, but not m: a group always before its slaves. */
static void targets_of(struct mount *m, struct list_head *list)
{
	struct mount *t;

	list_init(list);
	if (!m->shared)
		return;
	list_for_each(t, &m->peers, peers)
		add_target(t, list);
	add_slaves(m, list);
	list_for_each(t, list, target_node) /* grows meanwhile; peers have been asked for theirs */
		add_slaves(t, list);
}

/* The mount on (m, d), without a reference. */
static struct mount *child_at(const struct mount *m, const struct dentry *d)
{
	struct mount *c;

	rcu_read_lock();
	c = mount_find_rcu(m, d);
	rcu_read_unlock();
	return c;
}

/* ---- Mounting ---- */

static struct mount *copy_in_group(struct mount *m)
{
	struct mount *p;

	if (m->copy)
		return m->copy;
	list_for_each(p, &m->peers, peers)
		if (p->copy)
			return p->copy;
	return NULL;
}

/*
 * What the target t gets a copy of: its group's, else that of the nearest group above that has one.
 * The last one that got a copy is mostly of the same group: a large group is not searched then.
 */
static struct mount *source_for(struct mount *t, const struct mount *last, enum mount_kin *kin)
{
	struct mount *source;

	*kin = KIN_TWIN;
	source = t->shared && t->group == last->group ? last->copy : copy_in_group(t);
	if (source)
		return source;
	*kin = t->shared ? KIN_SLAVE_SHARED : KIN_SLAVE;
	for (t = t->master; !source; t = t->master)
		source = copy_in_group(t);
	return source;
}

static u32 tree_size(struct mount *top)
{
	struct mount *m;
	u32 n = 0;

	for (m = top; m; m = mount_tree_next(m, top))
		n++;
	return n;
}

/* nr mounts are new already. */
static int copies_make(struct list_head *targets, const struct path *where, u32 nr)
{
	const struct mount *last = where->mnt;
	enum mount_kin kin;
	struct mount *t;
	int err = mount_count_check(&init_mount_ns, nr);

	list_for_each(t, targets, target_node) {
		struct mount *source;

		if (err)
			return err;
		if (!dentry_is_below(where->dentry, t->root))
			continue;
		source = source_for(t, last, &kin);
		t->copy = mount_tree_copy(source, source->root, true, kin);
		if (!t->copy)
			return -ENOMEM;
		last = t;
		nr += tree_size(t->copy);
		err = mount_count_check(&init_mount_ns, nr);
	}
	return err;
}

static void copies_drop(struct list_head *targets)
{
	struct mount *t;

	list_for_each(t, targets, target_node) {
		if (t->copy)
			mount_tree_release(t->copy);
		t->copy = NULL;
	}
}

/* Moves m, which stays attached, to another place. */
static void relink(struct mount *m, const struct path *where)
{
	struct dentry *covered = mount_unlink_locked(m);

	mount_link_locked(m, where);
	dentry_put(covered); /* never the last: it is a mount's root, or a mount stays there */
}

/* Puts t's copy on its place, below what is mounted there already. */
static void copy_attach(struct mount *t, struct dentry *place)
{
	struct path where = {.mnt = t, .dentry = place};
	struct mount *over = child_at(t, place), *top = t->copy, *next;

	t->copy = NULL;
	mount_attach_locked(top, &where, &init_mount_ns);
	if (!over)
		return;
	while ((next = child_at(top, top->root)))
		top = next;
	where = (struct path){.mnt = top, .dentry = top->root};
	relink(over, &where);
}

static void graft_commit(struct mount *m, const struct path *where, struct list_head *targets,
			 struct dentry **covered)
{
	struct mount *t;

	mount_change_begin();
	if (m->ns)
		*covered = mount_detach_locked(m);
	mount_attach_locked(m, where, &init_mount_ns);
	if (where->mnt->shared)
		for (t = m; t; t = mount_tree_next(t, m))
			become_shared(t);
	list_for_each(t, targets, target_node)
		if (t->copy)
			copy_attach(t, where->dentry);
	mount_change_end(&init_mount_ns);
}

int mount_graft(struct mount *m, const struct path *where, struct dentry **covered)
{
	struct list_head targets;
	struct mount *t;
	int err;

	targets_of(where->mnt, &targets);
	/* On a shared mount all becomes shared; the copies need to know the groups now. */
	if (where->mnt->shared)
		for (t = m; t; t = mount_tree_next(t, m))
			if (!t->group)
				t->group = new_group();
	where->mnt->copy = m;
	err = copies_make(&targets, where, m->ns ? 0 : tree_size(m));
	where->mnt->copy = NULL;
	if (!err) {
		graft_commit(m, where, &targets, covered);
		return 0;
	}
	copies_drop(&targets);
	for (t = m; t; t = mount_tree_next(t, m))
		if (!t->shared)
			t->group = 0;
	return err;
}

/* ---- Unmounting ---- */

enum doom {
	SAFE,
	CHOSEN,  /* in the tree that is unmounted */
	ASKED,   /* the same, and all that it was propagated to is known */
	FOLLOWS, /* it was propagated to here */
};

/* A child that covers m's root stays when m goes, and takes its place. */
static bool covers_root(const struct mount *c)
{
	return c->mountpoint == c->parent->root;
}

/*
 * Whoever gets what m's parent gets is asked for its mount on m's place. If that is in the tree as
 * well, its own targets are among these: each place is gone through once.
 */
static void doom_copies(struct mount *m, struct list_head *doomed)
{
	struct list_head targets;
	struct mount *t, *c;

	targets_of(m->parent, &targets);
	list_for_each(t, &targets, target_node) {
		c = child_at(t, m->mountpoint);
		if (!c)
			continue;
		if (c->doom == CHOSEN) {
			c->doom = ASKED;
		} else if (c->doom == SAFE) {
			c->doom = FOLLOWS;
			list_add_tail(&c->doom_node, doomed);
		}
	}
}

static void doom_tree(struct mount *top, struct list_head *doomed)
{
	struct list_head *last;
	struct mount *m;

	for (m = top; m; m = mount_tree_next(m, top)) {
		m->doom = CHOSEN;
		list_add_tail(&m->doom_node, doomed);
	}
	last = doomed->prev;
	for (m = top;; m = list_next(m, doom_node)) {
		if (m->doom == CHOSEN)
			doom_copies(m, doomed);
		if (&m->doom_node == last)
			break;
	}
}

static bool must_stay(const struct mount *m)
{
	const struct mount *c;

	list_for_each(c, &m->children, child_node)
		if (!c->doom && !covers_root(c))
			return true;
	return false;
}

/* What carries a mount that stays, stays as well. */
static void doom_reprieve(struct list_head *doomed)
{
	struct mount *m, *next, *up;

	list_for_each(m, doomed, doom_node)
		for (up = m; up->doom == FOLLOWS && must_stay(up); up = up->parent)
			up->doom = SAFE;
	list_for_each_safe(m, next, doomed, doom_node)
		if (!m->doom)
			list_del(&m->doom_node);
}

static bool doom_busy(const struct mount *top, struct list_head *doomed)
{
	const struct mount *m;

	if (!list_empty(&top->children))
		return true;
	/* Idle: the tree holds a reference, and the caller's path holds one on top. */
	list_for_each(m, doomed, doom_node)
		if (ref_read(&m->ref) > (m == top ? 2u : 1u))
			return true;
	return false;
}

/* Hangs m, which covers the root of a mount that goes, where that one was. */
static void rescue(struct mount *m)
{
	struct path where = {.mnt = m->parent, .dentry = m->mountpoint};
	struct mount *over;

	while (where.mnt->doom) {
		where.dentry = where.mnt->mountpoint;
		where.mnt = where.mnt->parent;
	}
	while ((over = child_at(where.mnt, where.dentry)) && !over->doom)
		where = (struct path){.mnt = over, .dentry = over->root};
	relink(m, &where);
}

static void doom_execute(struct list_head *doomed, struct list_head *gone)
{
	struct mount *m, *c, *next;

	list_for_each(m, doomed, doom_node)
		list_for_each_safe(c, next, &m->children, child_node)
			if (!c->doom)
				rescue(c);
	while (!list_empty(doomed)) {
		struct dentry *covered;

		m = list_first(doomed, struct mount, doom_node);
		list_del(&m->doom_node);
		covered = mount_detach_locked(m);
		WRITE_ONCE(m->mountpoint, covered); /* for places_put; nobody looks: no parent */
		m->doom = SAFE;
		mount_kin_leave(m);
		list_add_tail(&m->ns_node, gone);
	}
}

/*
 * The places that the mounts covered. Now, while each of these lies in a file system that cannot
 * go away: its mount is among those gone, or attached and stays so under the lock.
 */
static void places_put(struct list_head *gone)
{
	struct mount *m;

	list_for_each(m, gone, ns_node) {
		dentry_put(m->mountpoint);
		WRITE_ONCE(m->mountpoint, m->root);
	}
}

int mount_take(struct mount *top, bool lazy, struct list_head *gone)
{
	struct list_head doomed = LIST_INIT(doomed);
	struct mount *m;
	int err = 0;

	doom_tree(top, &doomed);
	doom_reprieve(&doomed);
	mount_change_begin();
	if (!lazy && doom_busy(top, &doomed)) {
		list_for_each(m, &doomed, doom_node)
			m->doom = SAFE;
		err = -EBUSY;
	} else {
		doom_execute(&doomed, gone);
	}
	mount_change_end(&init_mount_ns);
	places_put(gone);
	return err;
}
