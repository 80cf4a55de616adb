/*
 * tmpfs directories. Their contents are dentries that are kept in the path cache by a reference;
 * a look-up that misses the cache has found that the name does not exist.
 *
 * For reading, a directory keeps its dentries in a tree ordered by the time they were entered. The
 * position of an entry is fixed by its order number for as long as it stays, so that seeking and
 * removing while reading are exact, and costs O(log n). Newer entries come first, as on Linux.
 *
 * All functions here run under the directory's inode lock (both directories' for rename).
 */
#include <lib/errno.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <vfs/file.h>

#include "internal.h"

#define ORDER_MAX (1ULL << 62)

static struct tmpfs_node *dir_node(const struct inode *dir)
{
	return dir->private;
}

static struct dentry *order_entry(struct rb_node *n)
{
	return rb_entry(n, struct dentry, order_node);
}

static void dir_insert(struct inode *dir, struct dentry *d)
{
	struct tmpfs_node *n = dir_node(dir);
	struct rb_node *last = rb_last(&n->order);

	d->order = n->next_order++;
	rb_insert(&n->order, &d->order_node, last, last ? &last->right : &n->order.node, NULL);
	n->nr_entries++;
	WRITE_ONCE(dir->size, dir->size + DIRENT_SIZE);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

static void dir_remove(struct inode *dir, struct dentry *d)
{
	struct tmpfs_node *n = dir_node(dir);

	rb_erase(&n->order, &d->order_node, NULL);
	n->nr_entries--;
	WRITE_ONCE(dir->size, dir->size - DIRENT_SIZE);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

static int lookup(struct inode *dir, struct dentry *d)
{
	dentry_add(d, NULL);
	return 0;
}

/* d names i (reference consumed) from now on. */
static void enter(struct inode *dir, struct dentry *d, struct inode *i)
{
	dir_insert(dir, d);
	dentry_get(d); /* for being there; dropped when the name goes */
	dentry_instantiate(d, i);
}

static int make(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, const char *link)
{
	struct inode *i;
	int err = tmpfs_inode_new(dir->sb, dir, mode, rdev, link, &i);

	if (err)
		return err;
	enter(dir, d, i);
	return 0;
}

static int create(struct inode *dir, struct dentry *d, u32 mode)
{
	return make(dir, d, mode, 0, NULL);
}

static int mknod(struct inode *dir, struct dentry *d, u32 mode, u64 rdev)
{
	return make(dir, d, mode, rdev, NULL);
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
	return make(dir, d, S_IFLNK | 0777, 0, target);
}

static int mkdir(struct inode *dir, struct dentry *d, u32 mode)
{
	int err = make(dir, d, mode, 0, NULL);

	if (!err)
		inode_add_link(dir);
	return err;
}

static int tmpfile(struct inode *dir, struct dentry *d, u32 mode)
{
	struct inode *i;
	int err = tmpfs_inode_new(dir->sb, dir, mode, 0, NULL, &i);

	if (err)
		return err;
	i->nlink = 0;
	dentry_instantiate(d, i);
	return 0;
}

static int link(struct dentry *old, struct inode *dir, struct dentry *d)
{
	struct inode *i = old->inode;
	int err = 0;

	/* Each further name costs as much as an inode: dentries are memory, too. */
	if (i->nlink)
		err = tmpfs_charge_ispace(dir->sb, INODE_COST);
	if (err)
		return err;
	inode_get(i);
	inode_add_link(i);
	enter(dir, d, i);
	return 0;
}

/* The name d goes; its inode may live on. */
static void leave(struct inode *dir, struct dentry *d)
{
	dir_remove(dir, d);
	dentry_put(d); /* never the last reference: the caller has one */
}

static int unlink(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;

	if (i->nlink > 1)
		tmpfs_uncharge_ispace(dir->sb, INODE_COST);
	inode_drop_link(i);
	leave(dir, d);
	return 0;
}

static int rmdir(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;

	if (dir_node(i)->nr_entries)
		return -ENOTEMPTY;
	inode_drop_link(dir);
	inode_drop_link(i);
	inode_drop_link(i);
	leave(dir, d);
	return 0;
}

/* One of the two changed places is a directory: the parents' link counts follow. */
static void exchange_links(struct inode *a_dir, const struct inode *a, struct inode *b_dir,
			   const struct inode *b)
{
	if (a_dir == b_dir || S_ISDIR(a->mode) == inode_is_dir(b))
		return;
	if (S_ISDIR(a->mode)) {
		inode_drop_link(a_dir);
		inode_add_link(b_dir);
	} else {
		inode_drop_link(b_dir);
		inode_add_link(a_dir);
	}
}

static void exchange(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		     struct dentry *new)
{
	exchange_links(old_dir, old->inode, new_dir, new->inode);
	dir_remove(old_dir, old);
	dir_remove(new_dir, new);
	dir_insert(old_dir, new);
	dir_insert(new_dir, old);
	inode_touch(old->inode, ATTR_CTIME);
	inode_touch(new->inode, ATTR_CTIME);
}

/* What is left at the old name: the device 0:0. *out is not in the directory yet. */
static int whiteout_make(struct inode *dir, const struct dentry *old, struct dentry **out, struct inode **i)
{
	struct dentry *d = dentry_alloc(old->parent, &old->name);
	int err = d ? tmpfs_inode_new(dir->sb, dir, S_IFCHR, 0, NULL, i) : -ENOMEM;

	if (err)
		dentry_put(d);
	else
		*out = d;
	return err;
}

/*
 * It is hashed while the old name is still there: whoever looks the name up meanwhile finds one of the
 * two. The directory has the reference from making it.
 */
static void whiteout_enter(struct inode *dir, struct dentry *d, struct inode *i)
{
	dir_insert(dir, d);
	dentry_add(d, i);
}

static int rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		  struct dentry *new, u32 flags)
{
	bool is_dir = inode_is_dir(old->inode);
	struct dentry *whiteout = NULL;
	struct inode *white = NULL; /* in no name yet */
	int err = 0;

	if (flags & RENAME_EXCHANGE) {
		exchange(old_dir, old, new_dir, new);
		return 0;
	}
	if (flags & RENAME_WHITEOUT)
		err = whiteout_make(old_dir, old, &whiteout, &white);
	if (!err && new->inode)
		err = is_dir ? rmdir(new_dir, new) : unlink(new_dir, new);
	if (err) {
		dentry_put(whiteout);
		if (white)
			inode_put(white);
		return err;
	}
	dir_remove(old_dir, old);
	if (whiteout)
		whiteout_enter(old_dir, whiteout, white);
	dir_insert(new_dir, old);
	if (is_dir && old_dir != new_dir) {
		inode_drop_link(old_dir);
		inode_add_link(new_dir);
	}
	inode_touch(old->inode, ATTR_CTIME);
	return 0;
}

/* The newest entry whose order is at most max, or NULL. */
static struct rb_node *order_find(const struct tmpfs_node *n, u64 max)
{
	struct rb_node *p = n->order.node, *best = NULL;

	while (p) {
		if (order_entry(p)->order <= max) {
			best = p;
			p = p->right;
		} else {
			p = p->left;
		}
	}
	return best;
}

static int readdir(struct file *f, struct dir_context *ctx)
{
	struct tmpfs_node *n = dir_node(f->inode);
	struct rb_node *p;

	if (!dir_emit_dots(f, ctx))
		return 0;
	if ((u64)ctx->pos > ORDER_MAX)
		return 0;
	for (p = order_find(n, ORDER_MAX - (u64)ctx->pos); p; p = rb_prev(p)) {
		struct dentry *d = order_entry(p);

		ctx->pos = (loff_t)(ORDER_MAX - d->order);
		/* Names of this directory change only under its lock, which we hold. */
		if (!dir_emit(ctx, d->name.name, d->name.len, d->inode->ino,
			      (d->inode->mode & S_IFMT) >> 12))
			return 0;
		ctx->pos++;
	}
	return 0;
}

static int dir_fsync(struct file *f, bool data_only)
{
	return 0; /* memory is as stable as it gets here; Linux agrees */
}

static loff_t dir_llseek(struct file *f, loff_t off, int whence)
{
	if (whence > SEEK_CUR)
		return -EINVAL;
	return file_llseek_size(f, off, whence, S64_MAX, 0);
}

static int dir_getattr(const struct path *p, struct kstat *st)
{
	stat_fill(p, st);
	st->blocks = 0;
	tmpfs_stat_extra(p->dentry->sb, st);
	return 0;
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = lookup,
	.create = create,
	.link = link,
	.unlink = unlink,
	.symlink = symlink,
	.mkdir = mkdir,
	.rmdir = rmdir,
	.mknod = mknod,
	.tmpfile = tmpfile,
	.rename = rename,
	.getattr = dir_getattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
};

const struct file_ops tmpfs_dir_fops = {
	.name = "tmpfs-dir",
	.readdir = readdir,
	.llseek = dir_llseek,
	.fsync = dir_fsync,
};
