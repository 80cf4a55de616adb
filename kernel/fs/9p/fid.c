/*
 * Which fid stands for which inode.
 *
 * An inode has up to two: a walk fid for operations on its place in the tree, and an open fid for its
 * data, which all open files of the inode share, because data goes through the page cache. Both are
 * made when they are needed. Servers search all fids at each unlink and rename, so the walk fids are
 * bounded: the oldest are dropped and made again from the nearest ancestor that has one. Open fids of
 * closed files are kept for a while as well: opening such a file again costs nothing.
 *
 * p9_inode.lock guards the two pointers and is held while they are made, so that it happens once. The
 * super block's lock guards the two lists and comes inside; what is taken off a list is dropped after
 * it is released. The root's fid is never dropped.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include "internal.h"

#define MAX_WALK 1024u
#define MAX_OPEN 1024u

static struct p9_fid *fid_get(struct p9_fid *f)
{
	if (f)
		p9_fid_get(f);
	return f;
}

/* ---- Walk fids ---- */

/* The oldest inode on a list that is too long, off it and with a reference; NULL: none. */
static struct inode *list_shorten(struct p9_super *s, struct list_head *list, u32 *nr, u32 max,
				  size_t node_offset)
{
	struct inode *i = NULL;

	spin_lock(&s->lock);
	while (!i && *nr > max) {
		struct list_head *node = list->next;
		struct p9_inode *pi = (void *)((char *)node - node_offset);

		list_del(node);
		list_init(node);
		--*nr;
		if (ref_get_unless_zero(&pi->inode->ref))
			i = pi->inode;
	}
	spin_unlock(&s->lock);
	return i;
}

static void list_leave(struct list_head *node, u32 *nr)
{
	if (list_empty(node))
		return;
	list_del(node);
	list_init(node);
	--*nr;
}

static void walk_fids_bound(struct p9_super *s)
{
	struct inode *i;

	while ((i = list_shorten(s, &s->idle_walk, &s->nr_walk, MAX_WALK,
				 offsetof(struct p9_inode, walk_node)))) {
		struct p9_inode *pi = p9_i(i);
		struct p9_fid *f;

		mutex_lock(&pi->lock);
		f = pi->walk;
		pi->walk = NULL;
		mutex_unlock(&pi->lock);
		p9_fid_put(f);
		inode_put(i);
	}
}

static void walk_list_enter(struct p9_super *s, struct p9_inode *pi)
{
	spin_lock(&s->lock);
	if (list_empty(&pi->walk_node)) {
		list_add_tail(&pi->walk_node, &s->idle_walk);
		s->nr_walk++;
	}
	spin_unlock(&s->lock);
}

void p9_fid_remember(struct inode *i, struct p9_fid *walk)
{
	struct p9_inode *pi = p9_i(i);

	if (!walk)
		return;
	mutex_lock(&pi->lock);
	if (!pi->walk) {
		pi->walk = walk;
		walk = NULL;
	}
	mutex_unlock(&pi->lock);
	p9_fid_put(walk);
	walk_list_enter(p9_sb(i->sb), pi);
	walk_fids_bound(p9_sb(i->sb));
}

static struct p9_fid *walk_fid(struct dentry *d)
{
	struct p9_inode *pi = p9_i(d->inode);
	struct p9_fid *f;

	if (dentry_is_root(d))
		return fid_get(p9_sb(d->sb)->root);
	mutex_lock(&pi->lock);
	f = fid_get(pi->walk);
	mutex_unlock(&pi->lock);
	return f;
}

struct p9_name p9_name_copy(struct dentry *d, char text[P9_NAME_MAX])
{
	struct p9_name name = {.s = text};

	spin_lock(&d->lock);
	name.len = MIN(d->name.len, P9_NAME_MAX);
	memcpy(text, d->name.name, name.len);
	spin_unlock(&d->lock);
	return name;
}

/* The walk fid of d from its parent's; the object must still be the one that d stands for. */
static int walk_step(struct dentry *d, struct p9_fid *parent, struct p9_fid **out)
{
	char text[P9_NAME_MAX];
	struct p9_name name = p9_name_copy(d, text);
	struct p9_qid qid;
	int err = p9_walk(parent, &name, 1, &qid, out);

	if (err)
		return err;
	if (qid.path != d->inode->ino) {
		p9_fid_put(*out);
		dentry_drop(d);
		return -ESTALE;
	}
	p9_fid_get(*out);
	p9_fid_remember(d->inode, *out);
	return 0;
}

/* The highest of d and its ancestors that has no fid while its parent has; a reference each. */
static struct dentry *first_without(struct dentry *d, struct p9_fid **parent_fid)
{
	dentry_get(d);
	for (;;) {
		struct dentry *parent = dentry_parent_get(d);

		*parent_fid = walk_fid(parent);
		if (*parent_fid) {
			dentry_put(parent);
			return d;
		}
		dentry_put(d);
		d = parent;
	}
}

int p9_fid_of(struct dentry *d, struct p9_fid **out)
{
	while (!(*out = walk_fid(d))) {
		struct p9_fid *parent_fid, *f;
		struct dentry *step = first_without(d, &parent_fid);
		int err = walk_step(step, parent_fid, &f);

		p9_fid_put(parent_fid);
		if (!err && step == d)
			*out = f;
		else if (!err)
			p9_fid_put(f);
		dentry_put(step);
		if (err || *out)
			return err;
	}
	return 0;
}

void p9_fid_lost_name(struct inode *i)
{
	struct p9_inode *pi = p9_i(i);
	struct p9_fid *f;

	mutex_lock(&pi->lock);
	f = pi->walk;
	pi->walk = NULL;
	pi->open_named = false;
	mutex_unlock(&pi->lock);
	p9_fid_put(f);
}

int p9_fid_any(struct dentry *d, struct p9_fid **out)
{
	struct p9_inode *pi = p9_i(d->inode);

	mutex_lock(&pi->lock);
	*out = fid_get(pi->walk ? pi->walk : pi->open_named ? pi->open : NULL);
	mutex_unlock(&pi->lock);
	return *out ? 0 : p9_fid_of(d, out);
}

/* ---- Open fids ---- */

static void open_fids_bound(struct p9_super *s)
{
	struct inode *i;

	while ((i = list_shorten(s, &s->idle_open, &s->nr_open, MAX_OPEN,
				 offsetof(struct p9_inode, open_node)))) {
		struct p9_inode *pi = p9_i(i);
		struct p9_fid *f = NULL;

		if (mapping_unclean(&i->mapping)) /* the next fsync tells of errors */
			(void)!mapping_write(&i->mapping, 0, U64_MAX);
		mutex_lock(&pi->lock);
		if (!pi->users && !i->mapping.nr_dirty) {
			f = pi->open;
			pi->open = NULL;
		}
		mutex_unlock(&pi->lock);
		p9_fid_put(f);
		inode_put(i);
	}
}

void p9_fid_opened(struct inode *i, struct p9_fid *open)
{
	struct p9_inode *pi = p9_i(i);

	mutex_lock(&pi->lock);
	if (!pi->open) {
		pi->open = open;
		pi->open_named = true;
		open = NULL;
	}
	mutex_unlock(&pi->lock);
	p9_fid_put(open);
}

/*
 * A fid of d's own to open: the walk fid, if nobody uses it now (another is made when one is needed,
 * which is rare for an open file), or a copy.
 */
static int fid_to_open(struct dentry *d, struct p9_fid **out)
{
	struct p9_inode *pi = p9_i(d->inode);
	struct p9_fid *walk;
	int err;

	mutex_lock(&pi->lock);
	*out = pi->walk && ref_read(&pi->walk->ref) == 1 ? pi->walk : NULL;
	if (*out)
		pi->walk = NULL;
	mutex_unlock(&pi->lock);
	if (*out)
		return 0;
	err = p9_fid_of(d, &walk);
	if (err)
		return err;
	err = p9_walk(walk, NULL, 0, NULL, out);
	p9_fid_put(walk);
	return err;
}

/*
 * A file that is written is opened for reading as well, because parts of pages are completed from
 * the host's data.
 */
static int data_open(struct dentry *d, u32 access, struct p9_fid **out)
{
	u32 flags = access & MAY_WRITE ? O_RDWR : O_RDONLY;
	struct p9_qid qid;
	struct p9_fid *f;
	int err = fid_to_open(d, &f);

	if (err)
		return err;
	err = p9_open(f, flags | O_LARGEFILE | O_NOFOLLOW,
		      access & MAY_WRITE ? MAY_READ | MAY_WRITE : MAY_READ, &qid);
	if (!err && qid.path != d->inode->ino)
		err = -ESTALE;
	if (err)
		p9_fid_put(f);
	else
		*out = f;
	return err;
}

int p9_data_get(struct dentry *d, u32 access)
{
	struct p9_inode *pi = p9_i(d->inode);
	struct p9_super *s = p9_sb(d->sb);
	struct p9_fid *f = NULL, *old = NULL;
	int err = 0;

	/* Not under the lock: making the walk fid takes it. The loser's fid is dropped. */
	mutex_lock(&pi->lock);
	if (!pi->open || (access & ~pi->open->access)) {
		mutex_unlock(&pi->lock);
		err = data_open(d, access, &f);
		mutex_lock(&pi->lock);
	}
	if (!err) {
		pi->users++;
		if (f && (!pi->open || (access & ~pi->open->access))) {
			old = pi->open;
			pi->open = f;
			pi->open_named = true;
		} else {
			old = f;
		}
	}
	mutex_unlock(&pi->lock);
	p9_fid_put(old);
	if (err)
		return err;
	spin_lock(&s->lock);
	list_leave(&pi->open_node, &s->nr_open);
	spin_unlock(&s->lock);
	return 0;
}

void p9_data_put(struct inode *i)
{
	struct p9_inode *pi = p9_i(i);
	struct p9_super *s = p9_sb(i->sb);
	struct p9_fid *f = NULL;
	bool idle;

	mutex_lock(&pi->lock);
	idle = !--pi->users && pi->open;
	if (idle && !i->nlink) {
		f = pi->open; /* the host may free it now */
		pi->open = NULL;
		idle = false;
	}
	mutex_unlock(&pi->lock);
	p9_fid_put(f);
	if (!idle)
		return;
	spin_lock(&s->lock);
	if (list_empty(&pi->open_node)) {
		list_add_tail(&pi->open_node, &s->idle_open);
		s->nr_open++;
	}
	spin_unlock(&s->lock);
	open_fids_bound(s);
}

struct p9_fid *p9_data_fid(struct inode *i)
{
	struct p9_inode *pi = p9_i(i);
	struct p9_fid *f;

	mutex_lock(&pi->lock);
	f = fid_get(pi->open);
	mutex_unlock(&pi->lock);
	return f;
}

void p9_fids_drop(struct inode *i)
{
	struct p9_super *s = p9_sb(i->sb);
	struct p9_inode *pi = p9_i(i);

	spin_lock(&s->lock);
	list_leave(&pi->walk_node, &s->nr_walk);
	list_leave(&pi->open_node, &s->nr_open);
	spin_unlock(&s->lock);
	p9_fid_put(pi->walk);
	p9_fid_put(pi->open);
}
