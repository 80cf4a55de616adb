/*
 * sysfs as a file system: inodes for the nodes of the tree, made when they are looked up. One
 * instance. An attribute is shown into a page when it is read from its beginning, and again after
 * a rewind, so one read sees one state.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <vfs/file.h>
#include "internal.h"

#define SYSFS_MAGIC_ 0x62656572
#define TEXT_SIZE    4096

/* What an inode has. */
struct sys_inode {
	struct sys_node *node; /* reference */
	char link[];           /* S_IFLNK: its text */
};

static struct super_block *instance;
static const struct inode_ops dir_iops, file_iops, link_iops;
static const struct file_ops dir_fops, attr_fops;

static struct sys_node *node_of(const struct inode *i)
{
	return ((struct sys_inode *)i->private)->node;
}

/* ---- inodes ---- */

static struct sys_inode *private_make(struct sys_node *n)
{
	struct sys_inode *s;
	char *text;
	int len;

	if (!S_ISLNK(n->mode)) {
		s = kzalloc(sizeof(*s), GFP_KERNEL);
	} else {
		text = kmalloc(PATH_MAX, GFP_KERNEL);
		len = text ? sys_link_text(n, text, PATH_MAX) : -ENOMEM;
		s = len < 0 ? NULL : kzalloc(sizeof(*s) + (size_t)len + 1, GFP_KERNEL);
		if (s)
			memcpy(s->link, text, (size_t)len);
		kfree(text);
	}
	if (s) {
		sys_get(n);
		s->node = n;
	}
	return s;
}

static void inode_evict(struct inode *i)
{
	struct sys_inode *s = i->private;

	if (s)
		sys_put(s->node);
	kfree(s);
	i->private = NULL;
}

static u32 count_links(const struct sys_node *n)
{
	const struct sys_node *child;
	u32 links = 2;

	list_for_each(child, &n->children, sibling)
		links += S_ISDIR(child->mode);
	return links;
}

static struct inode *inode_make(struct sys_node *n)
{
	struct inode *i = inode_alloc(instance, n->mode);

	if (!i)
		return NULL;
	i->private = private_make(n);
	if (!i->private) {
		inode_put(i);
		return NULL;
	}
	i->ino = n->ino;
	i->uid = i->gid = 0;
	switch (n->mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &dir_iops;
		i->fops = &dir_fops;
		i->nlink = count_links(n);
		break;
	case S_IFLNK:
		i->ops = &link_iops;
		break;
	default:
		i->ops = &file_iops;
		i->fops = &attr_fops;
		i->size = TEXT_SIZE;
	}
	return i;
}

static bool node_revalidate(struct dentry *d)
{
	/* A name that was not there may be by now. */
	return d->inode && !READ_ONCE(node_of(d->inode)->dead);
}

static const struct dentry_ops sys_dentry_ops = {.revalidate = node_revalidate, .no_cache = true};

static int dir_lookup(struct inode *dir, struct dentry *d)
{
	struct inode *i = NULL;
	struct sys_node *n;

	mutex_lock(&sys_lock);
	n = sys_find(node_of(dir), d->name.name, d->name.len);
	if (n)
		i = inode_make(n);
	mutex_unlock(&sys_lock);
	if (n && !i)
		return -ENOMEM;
	d->ops = &sys_dentry_ops;
	dentry_add(d, i);
	return 0;
}

/* The first child behind position pos, with a reference. */
static struct sys_node *next_child(const struct sys_node *dir, u64 pos)
{
	struct sys_node *n, *found = NULL;

	mutex_lock(&sys_lock);
	list_for_each(n, &dir->children, sibling) {
		if (n->ino >= pos) {
			sys_get(n);
			found = n;
			break;
		}
	}
	mutex_unlock(&sys_lock);
	return found;
}

static int dir_readdir(struct file *f, struct dir_context *ctx)
{
	struct sys_node *n;
	bool room = true;

	if (!dir_emit_dots(f, ctx))
		return 0;
	while (room && (n = next_child(node_of(f->inode), (u64)ctx->pos))) {
		ctx->pos = n->ino;
		room = dir_emit(ctx, n->name, (u32)strlen(n->name), n->ino, n->mode >> 12);
		if (room)
			ctx->pos++;
		sys_put(n);
	}
	return 0;
}

static int link_get(struct inode *i, bool may_sleep, const char **target)
{
	*target = ((struct sys_inode *)i->private)->link;
	return 0;
}

static int node_setattr(struct dentry *d, struct iattr *attr)
{
	/* The size of an attribute is no real one: O_TRUNC changes nothing. */
	attr->valid &= ~(u32)ATTR_SIZE;
	return inode_setattr_simple(d, attr);
}

/* ---- attributes ---- */

struct open_attr {
	struct mutex lock; /* LOCK_RANK_PROC_TEXT */
	char *text;        /* lock; NULL: not shown yet */
	int len;           /* lock */
};

static int attr_open(struct inode *inode, struct file *f)
{
	const struct sys_attr *a = node_of(inode)->attr;
	struct open_attr *o;

	if ((f->mode & FMODE_WRITE && !a->store) || (f->mode & FMODE_READ && !a->show))
		return -EACCES;
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o)
		return -ENOMEM;
	mutex_init(&o->lock, LOCK_RANK_PROC_TEXT);
	f->private = o;
	return 0;
}

static void attr_release(struct file *f)
{
	struct open_attr *o = f->private;

	kfree(o->text);
	kfree(o);
}

static int attr_show(struct open_attr *o, struct sys_node *n)
{
	if (!o->text)
		o->text = kmalloc(TEXT_SIZE, GFP_KERNEL);
	if (!o->text)
		return -ENOMEM;
	mutex_lock(&sys_lock);
	o->len = n->dead ? -ENODEV : n->attr->show(n->object, o->text, TEXT_SIZE);
	mutex_unlock(&sys_lock);
	o->len = MIN(o->len, TEXT_SIZE - 1);
	return o->len < 0 ? o->len : 0;
}

static ssize_t attr_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct open_attr *o = f->private;
	ssize_t n = 0;
	int err = 0;

	mutex_lock(&o->lock);
	if (*pos == 0 || !o->text)
		err = attr_show(o, node_of(f->inode));
	if (!err && *pos >= 0 && *pos < o->len) {
		size_t want = MIN((u64)(o->len - *pos), io_count(to));

		n = (ssize_t)io_copy_to(to, o->text + *pos, want);
		if (!n && want)
			err = -EFAULT;
		*pos += n;
	}
	mutex_unlock(&o->lock);
	return err ? err : n;
}

static ssize_t attr_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct sys_node *node = node_of(f->inode);
	size_t n = MIN(io_count(from), (u64)TEXT_SIZE - 1);
	char *text = kzalloc(n + 1, GFP_KERNEL);
	int err;

	if (!text)
		return -ENOMEM;
	err = io_copy_from(from, text, n) == n ? 0 : -EFAULT;
	if (!err) {
		if (n && text[n - 1] == '\n')
			text[n - 1] = '\0';
		mutex_lock(&sys_lock);
		err = node->dead ? -ENODEV : node->attr->store(node->object, text);
		mutex_unlock(&sys_lock);
	}
	kfree(text);
	if (err)
		return err;
	*pos += (loff_t)n;
	return (ssize_t)n;
}

static const struct inode_ops dir_iops = {.lookup = dir_lookup, .setattr = node_setattr};
static const struct inode_ops file_iops = {.setattr = node_setattr};
static const struct inode_ops link_iops = {.get_link = link_get};
static const struct file_ops dir_fops = {
	.name = "sysfs",
	.readdir = dir_readdir,
	.llseek = file_llseek_generic,
};
static const struct file_ops attr_fops = {
	.name = "sysfs",
	.open = attr_open,
	.read = attr_read,
	.write = attr_write,
	.llseek = file_llseek_generic,
	.release = attr_release,
};

/* ---- the file system ---- */

static int sys_statfs(struct super_block *sb, struct kstatfs *st)
{
	st->type = SYSFS_MAGIC_;
	st->bsize = st->frsize = sb->blocksize;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops super_ops = {.evict = inode_evict, .statfs = sys_statfs};

static int sys_mount(const struct fs_type *t, const char *source, u32 flags, const char *options,
		     struct super_block **out)
{
	super_get(instance);
	*out = instance;
	return 0;
}

static struct fs_type sys_type = {
	.name = "sysfs", .no_device = true, .user_mountable = true, .mount = sys_mount,
};

static int sys_init(void)
{
	struct inode *root;

	instance = super_alloc(&sys_type);
	if (!instance)
		return -ENOMEM;
	instance->ops = &super_ops;
	instance->magic = SYSFS_MAGIC_;
	root = inode_make(&sys_root);
	if (!root)
		return -ENOMEM;
	instance->root = dentry_alloc_root(instance, root);
	return instance->root ? fs_register(&sys_type) : -ENOMEM;
}
INIT_CALL(INIT_FS, sys_init);
