/*
 * Changing attributes: modes, owners, sizes, times.
 *
 * path_setattr locks the inode, decides with attr_check whether the caller may, and hands the
 * request to the file system. Reads of mode and owner elsewhere take no lock.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <signal/signal.h>
#include <task/task.h>
#include <vfs/acl.h>
#include <vfs/file_caps.h>
#include <vfs/notify.h>

#include "internal.h"

static bool may_chown(const struct inode *i, u32 uid)
{
	return (current->cred->fsuid == i->uid && uid == i->uid) || capable(CAP_CHOWN);
}

static bool may_chgrp(const struct inode *i, u32 gid)
{
	return (current->cred->fsuid == i->uid &&
		(gid == i->gid || cred_in_group(current->cred, gid))) ||
	       capable(CAP_CHOWN);
}

int inode_size_check(const struct inode *i, u64 size)
{
	siginfo_t info;

	if (size <= i->size)
		return 0;
	if (size > rlimit(RLIMIT_FSIZE)) {
		siginfo_kernel(&info, SIGXFSZ);
		signal_send_task(current, SIGXFSZ, &info);
		return -EFBIG;
	}
	return size > i->sb->max_bytes ? -EFBIG : 0;
}

static int times_check(struct inode *i, u32 valid)
{
	if ((valid & (ATTR_TIMES_SET | ATTR_ATIME_SET | ATTR_MTIME_SET)) &&
	    !inode_owner_or_capable(i))
		return -EPERM;
	if ((valid & ATTR_TOUCH) && !inode_owner_or_capable(i))
		return inode_permission(i, MAY_WRITE);
	return 0;
}

/* May the current task make this change? Also drops what it may not set (S_ISGID). */
static int attr_check(struct inode *i, struct iattr *a)
{
	u32 gid = a->valid & ATTR_GID ? a->gid : i->gid;
	u32 guarded = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_TIMES_SET | ATTR_TOUCH;

	if ((i->flags & (INODE_IMMUTABLE | INODE_APPEND)) && (a->valid & guarded))
		return -EPERM;
	if ((a->valid & ATTR_MODE) && inode_is_lnk(i))
		return -EOPNOTSUPP; /* a symlink's mode means nothing */
	if ((a->valid & ATTR_UID) && !may_chown(i, a->uid))
		return -EPERM;
	if ((a->valid & ATTR_GID) && !may_chgrp(i, a->gid))
		return -EPERM;
	if (a->valid & ATTR_MODE) {
		if (!inode_owner_or_capable(i))
			return -EPERM;
		if (!cred_in_group(current->cred, gid) && !capable(CAP_FSETID))
			a->mode &= ~(u32)S_ISGID;
	}
	return times_check(i, a->valid);
}

/* Set-id bits go when the owner changes, and when data change without CAP_FSETID. */
static void kill_setid(const struct inode *i, struct iattr *a)
{
	u32 mode;

	if (inode_is_dir(i) || (a->valid & ATTR_MODE))
		return;
	if ((a->valid & ATTR_SIZE) && capable(CAP_FSETID))
		return;
	mode = mode_without_setid(i);
	if (mode == i->mode)
		return;
	a->valid |= ATTR_MODE;
	a->mode = mode;
}

static int kill_privileges(struct dentry *d, struct iattr *a)
{
	kill_setid(d->inode, a);
	return inode_kill_caps(d);
}

int inode_setattr_locked(struct dentry *d, struct iattr *a)
{
	struct inode *i = d->inode;
	int err = attr_check(i, a);

	if (!err && (a->valid & ATTR_SIZE))
		err = inode_size_check(i, a->size);
	if (err)
		return err;
	if (a->valid & ATTR_KILL_PRIV)
		err = kill_privileges(d, a);
	if (err)
		return err;
	if (i->ops && i->ops->setattr)
		return i->ops->setattr(d, a);
	return inode_setattr_simple(d, a);
}

static void set_times(struct inode *i, const struct iattr *a)
{
	struct timespec64 now = clock_inode_time();

	spin_lock(&i->spin);
	if (a->valid & ATTR_ATIME)
		i->atime = a->valid & ATTR_ATIME_SET ? a->atime : now;
	if (a->valid & ATTR_MTIME)
		i->mtime = a->valid & ATTR_MTIME_SET ? a->mtime : now;
	i->ctime = now;
	spin_unlock(&i->spin);
}

int inode_setattr_simple(struct dentry *d, struct iattr *a)
{
	struct inode *i = d->inode;
	u32 changes_ctime = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME | ATTR_CTIME;
	int err = a->valid & ATTR_MODE ? inode_acl_chmod(i, a->mode) : 0;

	if (err)
		return err;
	if ((a->valid & ATTR_SIZE) && a->size != i->size) {
		inode_truncate(i, a->size);
		a->valid |= ATTR_MTIME | ATTR_CTIME;
	}
	if (a->valid & ATTR_UID)
		WRITE_ONCE(i->uid, a->uid);
	if (a->valid & ATTR_GID)
		WRITE_ONCE(i->gid, a->gid);
	if (a->valid & ATTR_MODE)
		WRITE_ONCE(i->mode, (i->mode & S_IFMT) | (a->mode & S_IALLUGO));
	if (a->valid & changes_ctime)
		set_times(i, a);
	return 0;
}

int path_setattr(const struct path *p, struct iattr *attr)
{
	struct inode *i = p->dentry->inode;
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	err = inode_setattr_locked(p->dentry, attr);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_attr(p->dentry, attr->valid);
	return err;
}

/* Zeroes the cached page that holds `from` from there to its end. */
static void zero_tail(struct mapping *m, u64 from)
{
	size_t offset = from & (PAGE_SIZE - 1);
	struct page *p;

	if (!offset)
		return;
	p = page_cache_find(m, from >> PAGE_SHIFT);
	if (!p)
		return;
	page_lock(p);
	if (p->mapping == m)
		memset((char *)page_address(p) + offset, 0, PAGE_SIZE - offset);
	page_unlock(p);
	page_put(p);
}

void inode_zero_tail(struct inode *i)
{
	zero_tail(&i->mapping, i->size);
}

void inode_truncate(struct inode *i, u64 size)
{
	struct mapping *m = &i->mapping;
	u64 old = i->size, first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;

	if (size > old)
		inode_zero_tail(i);
	WRITE_ONCE(i->size, size);
	if (size >= old)
		return;
	/*
	 * The size is published first, so that faults from now on see it. Unmapping comes again
	 * after the pages are gone, for private copies that a fault made in between.
	 */
	mapping_unmap_range(m, first, U64_MAX, true);
	page_cache_truncate(m, first, U64_MAX);
	mapping_unmap_range(m, first, U64_MAX, true);
	zero_tail(m, size);
}
