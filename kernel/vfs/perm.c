/*
 * Permission checks by mode bits and capabilities. They run on every step of every path walk,
 * under RCU: nothing here sleeps unless a file system brings its own check.
 */
#include <lib/errno.h>
#include <task/task.h>
#include <trace/trace.h>
#include <vfs/acl.h>

#include "internal.h"

/* The three bits of mode that apply to the current task. */
static u32 mode_bits_for(const struct inode *i, const struct cred *c)
{
	u32 mode = READ_ONCE(i->mode);

	if (READ_ONCE(i->uid) == c->fsuid)
		return mode >> 6;
	/* When group and others agree there is no need to search the group list. */
	if (((mode >> 3) & 7) != (mode & 7) && cred_in_group(c, READ_ONCE(i->gid)))
		return mode >> 3;
	return mode;
}

/* What mode and access list grant, capabilities aside. A list without group bits has no effect. */
static bool granted(struct inode *i, u32 mode, u32 mask)
{
	bool by_list;

	if (unlikely(READ_ONCE(i->acl)) && READ_ONCE(i->uid) != current->cred->fsuid &&
	    (mode & S_IRWXG) && inode_acl_decides(i, mask, &by_list))
		return by_list;
	return !(mask & ~mode_bits_for(i, current->cred));
}

static int permission_by_mode(struct inode *i, u32 mask)
{
	u32 mode = READ_ONCE(i->mode);

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (granted(i, mode, mask))
		return 0;
	if (S_ISDIR(mode)) {
		if (!(mask & MAY_WRITE) && capable(CAP_DAC_READ_SEARCH))
			return 0;
		return capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (mask == MAY_READ && capable(CAP_DAC_READ_SEARCH))
		return 0;
	/* Not even root executes a file without any x bit. */
	if (!(mask & MAY_EXEC) || (mode & 0111))
		return capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	return -EACCES;
}

int inode_permission(struct inode *i, u32 mask)
{
	u32 mode = READ_ONCE(i->mode);

	if (mask & MAY_WRITE) {
		if ((READ_ONCE(i->sb->flags) & MS_RDONLY) &&
		    (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
			return -EROFS;
		if (READ_ONCE(i->flags) & INODE_IMMUTABLE)
			return -EPERM;
	}
	if (i->ops && i->ops->permission)
		return i->ops->permission(i, mask);
	return inode_permission_generic(i, mask);
}

int inode_permission_generic(struct inode *i, u32 mask)
{
	int err = permission_by_mode(i, mask);

	if (unlikely(err))
		trace_note(TRACE_CHECK_FILE);
	return err;
}

bool inode_owner_or_capable(const struct inode *i)
{
	return READ_ONCE(i->uid) == current->cred->fsuid || capable(CAP_FOWNER);
}

/* In a sticky directory only the owner of the entry or of the directory removes or renames. */
static bool sticky_forbids(const struct inode *dir, const struct inode *victim)
{
	u32 fsuid = current->cred->fsuid;

	return (READ_ONCE(dir->mode) & S_ISVTX) && READ_ONCE(victim->uid) != fsuid &&
	       READ_ONCE(dir->uid) != fsuid && !capable(CAP_FOWNER);
}

int may_delete(struct inode *dir, const struct dentry *victim, bool is_dir)
{
	const struct inode *i = victim->inode;
	int err;

	if (!i)
		return -ENOENT;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (READ_ONCE(dir->flags) & INODE_APPEND)
		return -EPERM;
	if (sticky_forbids(dir, i) || (READ_ONCE(i->flags) & (INODE_APPEND | INODE_IMMUTABLE)))
		return -EPERM;
	if (is_dir) {
		if (!inode_is_dir(i))
			return -ENOTDIR;
		if (dentry_is_root(victim))
			return -EBUSY;
	} else if (inode_is_dir(i)) {
		return -EISDIR;
	}
	return READ_ONCE(dir->flags) & INODE_DEAD ? -ENOENT : 0;
}

int may_create(struct inode *dir, const struct dentry *d)
{
	if (d->inode)
		return -EEXIST;
	if (READ_ONCE(dir->flags) & INODE_DEAD)
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}
