/*
 * The tree of mounts: which mount covers which place, and the life of struct mount.
 *
 * A namespace's lock serialises changes of its tree. Readers find mounts in a hash table by
 * (parent, mountpoint) under RCU and check mount_seq, which is odd during a change: whoever takes a
 * reference checks it afterwards, and an umount looks at the reference count after it made
 * mount_seq odd. One of the two sees the other (both are full barriers), so a busy mount is not
 * taken away and a mount that goes is not entered.
 *
 * The tree owns one reference on each attached mount. An attached mount's parent is attached as
 * well, so m->parent needs no reference.
 */
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <vfs/poll.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"

#define HASH_BITS  10
#define MOUNTS_MAX 100000 /* per namespace, as Linux's fs.mount-max */

static struct hlist_head mount_hash[1 << HASH_BITS]; /* namespace lock; RCU */
static struct atomic next_id;
u32 mount_seq;

struct mount_ns init_mount_ns = {
	.ref = {1},
	.lock = MUTEX_INIT(init_mount_ns.lock, LOCK_RANK_MOUNT_TREE),
	.mounts = LIST_INIT(init_mount_ns.mounts),
	.changed = WAIT_QUEUE_INIT(init_mount_ns.changed),
};

void mount_ns_get(struct mount_ns *ns)
{
	ref_get(&ns->ref);
}

void mount_ns_put(struct mount_ns *ns)
{
	if (ref_put(&ns->ref))
		panic("the initial mount namespace has lost its last reference");
}

static struct hlist_head *hash_slot(const struct mount *m, const struct dentry *d)
{
	return &mount_hash[hash_u64(((uptr)m >> 4) ^ ((uptr)d << 7), HASH_BITS)];
}

struct mount *mount_find_rcu(const struct mount *m, const struct dentry *d)
{
	struct mount *c;

	hlist_for_each(c, hash_slot(m, d), hash_node)
		if (READ_ONCE(c->parent) == m && READ_ONCE(c->mountpoint) == d)
			return c;
	return NULL;
}

/* Under the namespace lock a find cannot be disturbed, nor disturb. */
struct mount *mount_find(struct mount *m, struct dentry *d)
{
	struct mount *c;
	u32 seq;

	for (;;) {
		seq = seq_begin(&mount_seq);
		rcu_read_lock();
		c = mount_find_rcu(m, d);
		if (c && !ref_get_unless_zero(&c->ref))
			c = NULL;
		rcu_read_unlock();
		if (!seq_changed(&mount_seq, seq))
			return c;
		if (c)
			mount_put(c);
		cpu_relax();
	}
}

bool mount_parent_get(struct mount *m, struct path *up)
{
	bool got;
	u32 seq;

	for (;;) {
		seq = seq_begin(&mount_seq);
		rcu_read_lock();
		up->mnt = READ_ONCE(m->parent);
		up->dentry = READ_ONCE(m->mountpoint);
		got = up->mnt && ref_get_unless_zero(&up->mnt->ref);
		if (got && !dentry_tryget(up->dentry)) {
			rcu_read_unlock();
			mount_put(up->mnt);
			continue;
		}
		rcu_read_unlock();
		if (!seq_changed(&mount_seq, seq))
			return got;
		if (got)
			path_put(up);
		cpu_relax();
	}
}

static bool is_under_once(const struct path *p, const struct path *root)
{
	const struct dentry *d = p->dentry;
	const struct mount *m = p->mnt;

	while (m != root->mnt) {
		d = READ_ONCE(m->mountpoint);
		m = READ_ONCE(m->parent);
		if (!m)
			return false;
	}
	return dentry_is_below(d, root->dentry);
}

bool path_is_under(const struct path *p, const struct path *root)
{
	bool under;
	u32 seq;

	do {
		seq = seq_begin(&mount_seq);
		rcu_read_lock();
		under = is_under_once(p, root);
		rcu_read_unlock();
	} while (seq_changed(&mount_seq, seq));
	return under;
}

void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
	dentry_put(p->dentry);
	mount_put(p->mnt);
}

void mount_get(struct mount *m)
{
	ref_get(&m->ref);
}

static void mount_free_rcu(struct rcu_head *head)
{
	struct mount *m = container_of(head, struct mount, rcu);

	kfree(m->source);
	kfree(m);
}

void mount_put(struct mount *m)
{
	if (likely(!ref_put(&m->ref)))
		return;
	dentry_put(m->root);
	super_put(m->sb);
	rcu_call(&m->rcu, mount_free_rcu);
}

struct mount *mount_create(struct super_block *sb, struct dentry *root, u32 flags,
			   const char *source)
{
	struct mount *m = kzalloc(sizeof(*m), GFP_KERNEL);
	char *name = source ? kstrdup(source, GFP_KERNEL) : NULL;

	if (!m || (source && !name)) {
		kfree(m);
		kfree(name);
		super_put(sb);
		return NULL;
	}
	ref_init(&m->ref);
	dentry_get(root);
	m->root = m->mountpoint = root;
	m->sb = sb;
	m->flags = flags;
	m->source = name;
	m->id = atomic_add_return(&next_id, 1) & INT_MAX;
	list_init(&m->children);
	list_init(&m->child_node);
	list_init(&m->ns_node);
	list_init(&m->peers);
	list_init(&m->slaves);
	list_init(&m->slave_node);
	return m;
}

struct mount *mount_internal(struct fs_type *t)
{
	struct super_block *sb;

	if (t->mount(t, t->name, 0, "", &sb))
		return NULL;
	return mount_create(sb, sb->root, 0, t->name);
}

int mount_want_write(struct mount *m)
{
	if ((READ_ONCE(m->flags) & MNT_RDONLY) || (READ_ONCE(m->sb->flags) & MS_RDONLY))
		return -EROFS;
	return 0;
}

void mount_change_begin(void)
{
	seq_write_begin(&mount_seq);
}

void mount_change_end(struct mount_ns *ns)
{
	seq_write_end(&mount_seq);
	mount_tell_change(ns);
}

void mount_tell_change(struct mount_ns *ns)
{
	ASSERT_HELD(&ns->lock);
	WRITE_ONCE(ns->event, ns->event + 1);
	wake_up_poll(&ns->changed, EPOLLERR | EPOLLPRI);
}

int mount_count_check(const struct mount_ns *ns, u32 more)
{
	return ns->nr_mounts + more > MOUNTS_MAX ? -ENOSPC : 0;
}

void mount_link_locked(struct mount *m, const struct path *where)
{
	dentry_get(where->dentry);
	WRITE_ONCE(where->dentry->mounted, where->dentry->mounted + 1);
	WRITE_ONCE(m->mountpoint, where->dentry);
	WRITE_ONCE(m->parent, where->mnt);
	hlist_add_head(&m->hash_node, hash_slot(where->mnt, where->dentry));
	list_add_tail(&m->child_node, &where->mnt->children);
}

void mount_attach_locked(struct mount *top, const struct path *where, struct mount_ns *ns)
{
	struct mount *m;

	ASSERT(mutex_held(&ns->lock));
	mount_link_locked(top, where);
	for (m = top; m; m = mount_tree_next(m, top)) {
		if (m->ns)
			continue;
		list_add_tail(&m->ns_node, &ns->mounts);
		WRITE_ONCE(m->ns, ns);
		ns->nr_mounts++;
	}
}

struct dentry *mount_detach_locked(struct mount *m)
{
	m->ns->nr_mounts--;
	WRITE_ONCE(m->ns, NULL);
	list_del(&m->ns_node);
	return mount_unlink_locked(m);
}

struct dentry *mount_unlink_locked(struct mount *m)
{
	struct dentry *covered = m->mountpoint;

	hlist_del(&m->hash_node);
	list_del(&m->child_node);
	WRITE_ONCE(m->parent, NULL);
	WRITE_ONCE(m->mountpoint, m->root);
	WRITE_ONCE(covered->mounted, covered->mounted - 1);
	return covered;
}

struct mount *mount_tree_next(struct mount *m, const struct mount *top)
{
	if (!list_empty(&m->children))
		return list_first(&m->children, struct mount, child_node);
	return mount_tree_skip(m, top);
}

struct mount *mount_tree_skip(struct mount *m, const struct mount *top)
{
	while (m != top) {
		struct mount *up = m->parent;

		if (m->child_node.next != &up->children)
			return list_next(m, child_node);
		m = up;
	}
	return NULL;
}

/* The first mount of all becomes the root of the namespace and of the boot context. */
void mount_init(const struct fs_type *t)
{
	struct super_block *sb;
	struct mount *m;

	if (t->mount(t, "rootfs", 0, "", &sb))
		panic("cannot make the root file system");
	m = mount_create(sb, sb->root, 0, "rootfs");
	if (!m)
		panic("no memory for the root mount");
	m->ns = &init_mount_ns;
	list_add_tail(&m->ns_node, &init_mount_ns.mounts);
	init_mount_ns.root = m;
	init_mount_ns.nr_mounts = 1;
	init_fs_context.root = init_fs_context.cwd = (struct path){.mnt = m, .dentry = m->root};
	path_get(&init_fs_context.root);
	path_get(&init_fs_context.cwd);
}
