/*
 * The mqueue file system: one flat directory of queues, mq_open and mq_unlink on its names, and
 * what a queue is as a file: its status as text, readiness, its end.
 *
 * Names live in the path cache, each held by a reference; the directory keeps its queues in a list
 * in the order of their making, under the directory's inode lock.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <syscall/table.h>
#include <vfs/file_alloc.h>
#include <vfs/poll.h>
#include "mqueue.h"

#define MQUEUE_MAGIC 0x19800202
#define DIRENT_SIZE  20
#define STATUS_SIZE  80

static struct mount *mqueue_mnt __ro_after_init;
static struct list_head queues = LIST_INIT(queues); /* directory's inode lock */
static u64 next_order;                              /* same */
static struct atomic nr_queues;

struct mqueue *mqueue_of(const struct file *f)
{
	return f->ops == &mqueue_fops ? f->inode->private : NULL;
}

/* ---- queues as files ---- */

static ssize_t status_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct mqueue *q = f->inode->private;
	char text[STATUS_SIZE + 1];
	s32 owner = 0, how = 0, sig = 0;
	u64 bytes;
	size_t len, n;

	spin_lock(&q->lock);
	bytes = q->bytes;
	if (q->notify_owner) {
		owner = q->notify_owner->pid;
		how = q->notify_how;
		sig = how == SIGEV_SIGNAL ? q->notify_signal : 0;
	}
	spin_unlock(&q->lock);
	format(text, sizeof(text), "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", bytes,
	       how, sig, owner);
	len = strlen(text);
	if (*pos < 0 || (u64)*pos >= len)
		return 0;
	n = MIN((u64)len - (u64)*pos, io_count(to));
	if (io_copy_to(to, text + *pos, n) != n)
		return -EFAULT;
	*pos += (loff_t)n;
	inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	return (ssize_t)n;
}

static u32 queue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->inode->private;
	u32 events = 0;

	poll_wait(f, &q->poll, pt);
	spin_lock(&q->lock);
	if (q->count)
		events = EPOLLIN | EPOLLRDNORM;
	if (q->count < q->max_messages)
		events |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock(&q->lock);
	return events;
}

static int queue_flush(struct file *f)
{
	mqueue_forget_notify(f->inode->private);
	return 0;
}

const struct file_ops mqueue_fops = {
	.name = "mqueue",
	.read = status_read,
	.poll = queue_poll,
	.flush = queue_flush,
	.llseek = file_llseek_generic,
};

/* ---- the directory ---- */

static int lookup(struct inode *dir, struct dentry *d)
{
	dentry_add(d, NULL);
	return 0;
}

static int make_queue(struct inode *dir, struct dentry *d, u32 mode, const struct mq_attr *attr)
{
	const struct ipc_limits *l = ipc_ns_current()->limits;
	struct mqueue *q;
	struct inode *i;
	int err;

	if ((u32)atomic_read(&nr_queues) >= READ_ONCE(l->mq_queues_max) &&
	    !capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	err = mqueue_create(attr, &q);
	if (err)
		return err;
	i = inode_alloc(dir->sb, S_IFREG | (mode & 07777));
	if (!i) {
		mqueue_destroy(q);
		return -ENOMEM;
	}
	i->fops = &mqueue_fops;
	i->size = STATUS_SIZE;
	i->private = q;
	atomic_inc(&nr_queues);
	q->order = ++next_order;
	q->dentry = d;
	list_add_tail(&q->node, &queues);
	dentry_get(d); /* for being there */
	dentry_instantiate(d, i);
	WRITE_ONCE(dir->size, dir->size + DIRENT_SIZE);
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	return 0;
}

static int create(struct inode *dir, struct dentry *d, u32 mode)
{
	return make_queue(dir, d, mode, NULL);
}

static int unlink(struct inode *dir, struct dentry *d)
{
	struct mqueue *q = d->inode->private;

	list_del(&q->node);
	q->dentry = NULL;
	inode_drop_link(d->inode);
	WRITE_ONCE(dir->size, dir->size - DIRENT_SIZE);
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	dentry_put(d); /* never the last one: the caller has one */
	return 0;
}

static int readdir(struct file *f, struct dir_context *ctx)
{
	struct mqueue *q;

	if (!dir_emit_dots(f, ctx))
		return 0;
	list_for_each(q, &queues, node) {
		const struct dentry *d = q->dentry;

		if (q->order + 2 <= (u64)ctx->pos)
			continue;
		ctx->pos = (loff_t)q->order + 1;
		if (!dir_emit(ctx, d->name.name, d->name.len, d->inode->ino, DT_REG))
			return 0;
		ctx->pos++;
	}
	return 0;
}

static const struct inode_ops dir_iops = {.lookup = lookup, .create = create, .unlink = unlink};
static const struct file_ops dir_fops = {
	.name = "mqueue-dir",
	.readdir = readdir,
	.llseek = file_llseek_generic,
};

/* ---- the file system ---- */

static void evict(struct inode *i)
{
	if (!i->private)
		return;
	mqueue_destroy(i->private);
	atomic_dec(&nr_queues);
}

static int statfs(struct super_block *sb, struct kstatfs *st)
{
	st->type = MQUEUE_MAGIC;
	st->bsize = st->frsize = sb->blocksize;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops super_ops = {.evict = evict, .statfs = statfs};

/* One instance per namespace: made with the first, the kernel's own mount. */
static int mqueue_mount(const struct fs_type *t, const char *source, u32 flags, const char *options,
			struct super_block **out)
{
	struct super_block *sb;
	struct inode *root;

	if (mqueue_mnt) {
		super_get(mqueue_mnt->sb);
		*out = mqueue_mnt->sb;
		return 0;
	}
	sb = super_alloc(t);
	root = sb ? inode_alloc(sb, S_IFDIR | S_ISVTX | 0777) : NULL;
	if (root) {
		root->ops = &dir_iops;
		root->fops = &dir_fops;
		root->nlink = 2;
		root->size = 2 * DIRENT_SIZE;
		sb->ops = &super_ops;
		sb->magic = MQUEUE_MAGIC;
		sb->root = dentry_alloc_root(sb, root);
	}
	if (!sb || !sb->root) {
		if (sb)
			super_put(sb);
		return -ENOMEM;
	}
	*out = sb;
	return 0;
}

static struct fs_type mqueue_type = {
	.name = "mqueue", .no_device = true, .user_mountable = true, .mount = mqueue_mount,
};

static int mqueue_init(void)
{
	mqueue_mnt = mount_internal(&mqueue_type);
	return mqueue_mnt ? fs_register(&mqueue_type) : -ENOMEM;
}
INIT_CALL(INIT_CORE, mqueue_init);

/* ---- mq_open, mq_unlink ---- */

struct open_request {
	u32 flags, mode;
	const struct mq_attr *attr; /* NULL: the defaults */
	struct dentry *found;       /* reference */
};

static int open_existing(struct inode *i, const struct open_request *r)
{
	static const u32 access[] = {
		[O_RDONLY] = MAY_READ, [O_WRONLY] = MAY_WRITE, [O_RDWR] = MAY_READ | MAY_WRITE,
	};

	if ((r->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((r->flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return inode_permission(i, access[r->flags & O_ACCMODE]);
}

static int open_or_make(struct inode *dir, struct dentry *d, void *ctx)
{
	struct open_request *r = ctx;
	int err;

	if (d->inode) {
		err = open_existing(d->inode, r);
	} else if (!(r->flags & O_CREAT)) {
		err = -ENOENT;
	} else {
		err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
		if (!err)
			err = make_queue(dir, d, r->mode & ~READ_ONCE(current->fs->umask), r->attr);
	}
	if (!err) {
		dentry_get(d);
		r->found = d;
	}
	return err;
}

static struct path root_path(void)
{
	return (struct path){mqueue_mnt, mqueue_mnt->sb->root};
}

/* One plain component; what Linux's look-up of a single name refuses. */
static int check_name(const char *name)
{
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EACCES;
	return 0;
}

static int open_named(const char *name, struct open_request *r, struct file **out)
{
	struct path p = root_path();
	int err = check_name(name);

	if (!err)
		err = vfs_with_child(&p, name, open_or_make, r);
	if (err)
		return err;
	p.dentry = r->found;
	err = file_alloc(&p, r->flags & (O_ACCMODE | O_NONBLOCK), out);
	dentry_put(r->found);
	return err;
}

long sys_mq_open(struct user_str name, u32 flags, u32 mode, struct user_bytes attr)
{
	struct open_request r = {.flags = flags, .mode = mode};
	struct filename fn;
	struct mq_attr a;
	struct file *f;
	int fd, err = user_is_null(attr) ? 0 : user_read(&a, user_cast(mq_attr, attr));

	if (err)
		return err;
	if (!user_is_null(attr))
		r.attr = &a;
	err = filename_get(&fn, name, 0);
	if (err)
		return err;
	err = fd_reserve(0, true, &fd);
	if (!err) {
		err = open_named(fn.name, &r, &f);
		if (err)
			fd_release(fd);
		else
			fd_install(fd, f);
	}
	filename_put(&fn);
	return err ? err : fd;
}

long sys_mq_unlink(struct user_str name)
{
	struct path root = root_path();
	struct filename fn;
	int err = filename_get(&fn, name, 0);

	if (err)
		return err;
	err = check_name(fn.name);
	if (!err)
		err = vfs_unlink_in(&root, fn.name);
	filename_put(&fn);
	return err;
}
