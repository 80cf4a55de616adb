/*
 * Inodes: allocation, life, times, link counts, the balance between writers and execution.
 *
 * An inode is freed a grace period after its last reference, because path walks look at mode,
 * owner and operations under RCU. inode->spin guards the times against torn reads; mode, uid, gid
 * and size change under inode->lock and are read without it.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/task.h>
#include <vfs/acl.h>
#include <vfs/blkdev.h>
#include <vfs/chrdev.h>
#include <vfs/file.h>
#include <vfs/file_caps.h>
#include <vfs/locks.h>
#include <vfs/pipe.h>

#include "internal.h"

static struct kmem_cache *inode_cache __ro_after_init;

struct inode *inode_alloc(struct super_block *sb, u32 mode)
{
	struct inode *i = kmem_cache_alloc(inode_cache, GFP_KERNEL | GFP_ZERO);

	if (!i)
		return NULL;
	ref_init(&i->ref);
	i->mode = mode;
	i->uid = current->cred->fsuid;
	i->gid = current->cred->fsgid;
	i->nlink = 1;
	i->sb = sb;
	i->ino = (u64)atomic64_add_return(&sb->next_ino, 1);
	i->atime = i->mtime = i->ctime = i->btime = clock_inode_time();
	rwsem_init(&i->lock, S_ISDIR(mode) ? LOCK_RANK_INODE_DIR : LOCK_RANK_INODE);
	spin_init(&i->spin, LOCK_RANK_INODE_SPIN);
	hlist_node_init(&i->ino_node);
	mapping_init(&i->mapping, i, NULL);
	return i;
}

void inode_get(struct inode *i)
{
	ref_get(&i->ref);
}

static void inode_free_rcu(struct rcu_head *head)
{
	struct inode *i = container_of(head, struct inode, rcu);

	inode_acl_free(i); /* path walks may have been looking at them */
	kmem_cache_free(inode_cache, i);
}

void inode_put(struct inode *i)
{
	if (!ref_put(&i->ref))
		return;
	might_sleep();
	mapping_fini(&i->mapping);
	if (i->sb->ops && i->sb->ops->evict)
		i->sb->ops->evict(i);
	locks_free(i->locks);
	rcu_call(&i->rcu, inode_free_rcu);
}

void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode)
{
	i->uid = current->cred->fsuid;
	i->gid = current->cred->fsgid;
	if (READ_ONCE(dir->mode) & S_ISGID) {
		i->gid = READ_ONCE(dir->gid);
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	i->mode = mode;
}

static int open_no_device(struct inode *inode, struct file *f)
{
	return -ENXIO;
}

static const struct file_ops no_device_fops = {.name = "none", .open = open_no_device};

void inode_init_special(struct inode *i, u32 mode, u64 rdev)
{
	i->mode = mode;
	if (S_ISCHR(mode) || S_ISBLK(mode))
		i->rdev = rdev;
	if (S_ISCHR(mode))
		i->fops = &chrdev_fops;
	else if (S_ISBLK(mode))
		i->fops = &blkdev_fops;
	else if (S_ISFIFO(mode))
		i->fops = &fifo_fops;
	else
		i->fops = &no_device_fops; /* sockets */
}

void inode_add_link(struct inode *i)
{
	WRITE_ONCE(i->nlink, i->nlink + 1);
	inode_touch(i, ATTR_CTIME);
}

void inode_drop_link(struct inode *i)
{
	ASSERT(i->nlink);
	WRITE_ONCE(i->nlink, i->nlink - 1);
	inode_touch(i, ATTR_CTIME);
}

/* write_count moves up from 0 for writers and down from 0 for executions. */
int inode_get_write(struct inode *i)
{
	return atomic_move_from_zero(&i->write_count, 1) ? 0 : -ETXTBSY;
}

void inode_put_write(struct inode *i)
{
	atomic_dec(&i->write_count);
}

int inode_deny_write(struct inode *i)
{
	return atomic_move_from_zero(&i->write_count, -1) ? 0 : -ETXTBSY;
}

void inode_allow_write(struct inode *i)
{
	atomic_inc(&i->write_count);
}

void inode_touch(struct inode *i, u32 attr_times)
{
	struct timespec64 now = clock_inode_time();

	spin_lock(&i->spin);
	if (attr_times & ATTR_ATIME)
		i->atime = now;
	if (attr_times & ATTR_MTIME)
		i->mtime = now;
	if (attr_times & ATTR_CTIME)
		i->ctime = now;
	spin_unlock(&i->spin);
}

static bool time_after_or_equal(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);
}

/*
 * A stamp without inode->spin, perhaps with the seconds of one moment and the nanoseconds of the
 * next: for the access time only, whose update then falls to the reader that comes next.
 */
static struct timespec64 time_glance(const struct timespec64 *t)
{
	return (struct timespec64){READ_ONCE(t->tv_sec), READ_ONCE(t->tv_nsec)};
}

/* The relatime rule: the stamp is not newer than the last change, or older than a day. */
static bool atime_stale(const struct inode *i, const struct timespec64 *now)
{
	struct timespec64 atime = time_glance(&i->atime);
	struct timespec64 mtime = time_glance(&i->mtime), ctime = time_glance(&i->ctime);

	return time_after_or_equal(&mtime, &atime) || time_after_or_equal(&ctime, &atime) ||
	       now->tv_sec - atime.tv_sec >= 24 * 60 * 60;
}

void inode_accessed(const struct mount *m, struct inode *i)
{
	u32 mnt = READ_ONCE(m->flags), sbf = READ_ONCE(i->sb->flags);
	struct timespec64 now, atime;

	if ((mnt & (MNT_NOATIME | MNT_RDONLY)) || (sbf & (MS_RDONLY | MS_NOATIME)) ||
	    (READ_ONCE(i->flags) & INODE_NOATIME))
		return;
	if (inode_is_dir(READ_ONCE(i)) && ((mnt & MNT_NODIRATIME) || (sbf & MS_NODIRATIME)))
		return;
	now = clock_inode_time();
	if ((mnt & MNT_RELATIME) && !atime_stale(i, &now))
		return;
	atime = time_glance(&i->atime);
	if (!time_after_or_equal(&atime, &now)) {
		spin_lock(&i->spin);
		i->atime = now;
		spin_unlock(&i->spin);
	}
}

void path_accessed(const struct path *p)
{
	inode_accessed(p->mnt, p->dentry->inode);
}

u32 mode_without_setid(const struct inode *i)
{
	u32 mode = i->mode & ~(u32)S_ISUID;

	/* Set-group-id without group execution is no privilege; who is not of the group loses it. */
	if ((mode & S_IXGRP) ||
	    (!cred_in_group(current->cred, i->gid) && !capable(CAP_FSETID)))
		mode &= ~(u32)S_ISGID;
	return mode;
}

int inode_strip_privileges(struct dentry *d)
{
	struct inode *i = d->inode;

	if (likely(!inode_has_privileges(i)))
		return 0;
	if (inode_is_reg(i) && !capable(CAP_FSETID))
		WRITE_ONCE(i->mode, mode_without_setid(i));
	return inode_kill_caps(d);
}

void inode_init(void)
{
	inode_cache = kmem_cache_create("inode", sizeof(struct inode), 8);
	kmem_cache_set_reclaimable(inode_cache);
}
