/*
 * Watches on inodes, and how events find them. An inode has a list of watches under its spinlock,
 * and notify_mask, the union of what they ask for, which is read without a lock. An event on a
 * file goes to its directory's watches first, with the file's name, then to its own.
 *
 * A watch that ends is taken off its list under the inode's spinlock by exactly one; that one tells
 * its owner outside all locks. The inode stays as long as the watch has a reference: who comes late
 * takes the inode's lock to learn that it is off.
 *
 * A super block that goes ends its watches, and waits for those that others were ending: the inode that
 * such a watch still holds must not be put into a file system that is no more.
 *
 * Locks: dentry lock, inode spin, then the watcher's own. all_lock stands alone.
 */
#include <lib/errno.h>
#include <sync/wait.h>
#include <vfs/notify.h>

u32 notify_nr_watches;

static DEFINE_SPINLOCK(all_lock, LOCK_RANK_NOTIFY);
static struct list_head all_watches = LIST_INIT(all_watches); /* all_lock */
static DEFINE_WAIT_QUEUE(unwatched); /* a super block's nr_watches has become 0 */

void notify_put(struct notify_watch *w)
{
	struct inode *i = w->inode;
	struct super_block *sb = i->sb;

	if (!ref_put(&w->ref))
		return;
	w->ops->free(w);
	inode_put(i);
	if (atomic_dec_and_test(&sb->nr_watches))
		wake_up_all(&unwatched); /* sb may be gone by now */
}

void notify_mask_changed(struct inode *i)
{
	struct notify_watch *w;
	u32 mask = 0;

	hlist_for_each(w, &i->watches, node)
		mask |= w->mask;
	WRITE_ONCE(i->notify_mask, mask & NOTIFY_EVENTS);
}

void notify_attach(struct notify_watch *w, struct inode *i)
{
	inode_get(i);
	atomic_inc(&i->sb->nr_watches);
	w->inode = i;
	spin_lock(&all_lock);
	list_add_tail(&w->all_node, &all_watches);
	WRITE_ONCE(notify_nr_watches, notify_nr_watches + 1);
	spin_unlock(&all_lock);
	spin_lock(&i->spin);
	w->attached = true; /* not sooner: others may know the watch already, and end it */
	hlist_add_head(&w->node, &i->watches);
	notify_mask_changed(i);
	spin_unlock(&i->spin);
}

/* Off the list. False: it was off already. inode spin. */
static bool detach_locked(struct notify_watch *w)
{
	if (!w->attached)
		return false;
	w->attached = false;
	hlist_del(&w->node);
	notify_mask_changed(w->inode);
	return true;
}

/* After detach_locked, without locks: what is left to do. */
static void finish(struct notify_watch *w)
{
	spin_lock(&all_lock);
	list_del(&w->all_node);
	WRITE_ONCE(notify_nr_watches, notify_nr_watches - 1);
	spin_unlock(&all_lock);
	w->ops->gone(w);
	notify_put(w);
}

static void finish_all(struct notify_watch *dead)
{
	while (dead) {
		struct notify_watch *next = dead->next_dead;

		finish(dead);
		dead = next;
	}
}

bool notify_detach(struct notify_watch *w)
{
	bool mine;

	spin_lock(&w->inode->spin);
	mine = detach_locked(w);
	spin_unlock(&w->inode->spin);
	if (mine)
		finish(w);
	return mine;
}

struct event {
	u32 mask, cookie;
	const struct qstr *name;
	bool unlinked;             /* the child has no name any more */
	struct notify_watch *dead; /* one-shot watches that have fired */
	struct notify_watch *told; /* with references: those that want to be called after it */
};

/* The owner learns of it outside the locks, by one deliverer at a time. inode spin. */
static void tell_later(struct event *e, struct notify_watch *w)
{
	if (!w->ops->told || w->telling)
		return;
	w->telling = true;
	ref_get(&w->ref);
	w->next_told = e->told;
	e->told = w;
}

/* After delivery, without locks. */
static void event_finish(struct event *e)
{
	struct notify_watch *w;

	while ((w = e->told)) {
		spin_lock(&w->inode->spin);
		e->told = w->next_told;
		w->telling = false;
		spin_unlock(&w->inode->spin);
		w->ops->told(w);
		notify_put(w);
	}
	finish_all(e->dead);
}

static void deliver(struct inode *i, struct event *e)
{
	struct notify_watch *w, *next;

	spin_lock(&i->spin);
	hlist_for_each_safe(w, next, &i->watches, node) {
		if (!(w->mask & e->mask & NOTIFY_EVENTS) ||
		    (e->unlinked && w->mask & IN_EXCL_UNLINK))
			continue;
		w->ops->event(w, e->mask, e->name, e->cookie);
		tell_later(e, w);
		if (w->mask & IN_ONESHOT && detach_locked(w)) {
			w->next_dead = e->dead;
			e->dead = w;
		}
	}
	spin_unlock(&i->spin);
}

/* To the directory that d is in. Its lock keeps name and parent. */
static void deliver_parent(struct dentry *d, u32 mask)
{
	struct event e = {.mask = mask, .name = &d->name};

	spin_lock(&d->lock);
	if (d->parent != d && d->parent->inode) {
		e.unlinked = !dentry_hashed(d);
		deliver(d->parent->inode, &e);
	}
	spin_unlock(&d->lock);
	event_finish(&e);
}

static u32 parent_mask(const struct dentry *d)
{
	const struct dentry *parent;
	const struct inode *dir;
	u32 mask = 0;

	rcu_read_lock();
	parent = READ_ONCE(d->parent);
	dir = READ_ONCE(parent->inode);
	if (parent != d && dir)
		mask = READ_ONCE(dir->notify_mask);
	rcu_read_unlock();
	return mask;
}

void notify_entry_slow(struct dentry *d, struct inode *i, u32 mask)
{
	if (!i)
		return;
	if (inode_is_dir(i))
		mask |= IN_ISDIR;
	if (parent_mask(d) & mask)
		deliver_parent(d, mask);
	if (READ_ONCE(i->notify_mask) & mask)
		notify_inode_slow(i, mask, NULL, 0);
}

void notify_inode_slow(struct inode *i, u32 mask, const struct qstr *name, u32 cookie)
{
	struct event e = {.mask = mask, .name = name, .cookie = cookie};

	if (!(READ_ONCE(i->notify_mask) & mask))
		return;
	if (!name && inode_is_dir(i) && !(mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
		e.mask |= IN_ISDIR;
	deliver(i, &e);
	event_finish(&e);
}

void notify_move_slow(struct inode *from, const struct qstr *old, struct inode *to,
		      const struct qstr *new, struct inode *moved, struct inode *replaced)
{
	static struct atomic last_cookie;
	u32 cookie = (u32)atomic_add_return(&last_cookie, 1);
	u32 dir = inode_is_dir(moved) ? IN_ISDIR : 0;

	if (from == to)
		notify_inode_slow(from, NOTIFY_RENAME | dir, old, 0);
	notify_inode_slow(from, IN_MOVED_FROM | dir, old, cookie);
	notify_inode_slow(to, IN_MOVED_TO | dir, new, cookie);
	if (replaced)
		notify_inode_slow(replaced, IN_ATTRIB, NULL, 0);
	notify_inode_slow(moved, IN_MOVE_SELF, NULL, 0);
}

void notify_attr_slow(struct dentry *d, u32 valid)
{
	u32 mask = 0;

	if (valid & (ATTR_UID | ATTR_GID | ATTR_MODE))
		mask |= IN_ATTRIB;
	if (valid & ATTR_SIZE)
		mask |= IN_MODIFY;
	switch (valid & (ATTR_ATIME | ATTR_MTIME)) {
	case ATTR_ATIME | ATTR_MTIME:
		mask |= IN_ATTRIB;
		break;
	case ATTR_ATIME:
		mask |= IN_ACCESS;
		break;
	case ATTR_MTIME:
		mask |= IN_MODIFY;
		break;
	}
	if (mask)
		notify_entry_slow(d, d->inode, mask);
}

void notify_gone_slow(struct inode *i)
{
	struct notify_watch *w;

	if (!READ_ONCE(i->watches.first))
		return;
	notify_inode_slow(i, IN_DELETE_SELF, NULL, 0);
	for (;;) {
		spin_lock(&i->spin);
		w = hlist_entry_or_null(i->watches.first, struct notify_watch, node);
		if (w)
			(void)detach_locked(w);
		spin_unlock(&i->spin);
		if (!w)
			return;
		finish(w);
	}
}

/* A watch on sb with a reference, or NULL. */
static struct notify_watch *first_on(const struct super_block *sb)
{
	struct notify_watch *w, *found = NULL;

	spin_lock(&all_lock);
	list_for_each(w, &all_watches, all_node) {
		if (w->inode->sb == sb) {
			found = w;
			ref_get(&w->ref); /* it is on the list: finish() has not dropped its own */
			break;
		}
	}
	spin_unlock(&all_lock);
	return found;
}

void notify_super_slow(struct super_block *sb)
{
	struct notify_watch *w;
	bool mine;

	while ((w = first_on(sb))) {
		spin_lock(&w->inode->spin);
		mine = w->attached;
		if (mine) {
			w->ops->event(w, IN_UNMOUNT, NULL, 0);
			(void)detach_locked(w);
		}
		spin_unlock(&w->inode->spin);
		if (mine)
			finish(w);
		notify_put(w);
	}
	wait_event(&unwatched, !atomic_read(&sb->nr_watches));
}
