/* access, faccessat, faccessat2: what the real user (or, with AT_EACCESS, the effective one) may do. */
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <linux/securebits.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>

#include "internal.h"

#ifndef SECURE_NO_SETUID_FIXUP
#define SECURE_NO_SETUID_FIXUP 2
#endif

/* Credentials whose file-system ids are the real ones, or NULL. */
static struct cred *access_cred(void)
{
	struct cred *c = cred_prepare();

	if (!c)
		return NULL;
	c->fsuid = c->uid;
	c->fsgid = c->gid;
	if (!(c->securebits & BIT(SECURE_NO_SETUID_FIXUP)))
		c->cap_effective = c->uid == 0 ? c->cap_permitted : 0;
	return c;
}

/* True when the real ids decide nothing else than the current credentials. */
static bool ids_agree(const struct cred *c)
{
	return c->fsuid == c->uid && c->fsgid == c->gid &&
	       c->cap_effective == (c->uid == 0 ? c->cap_permitted : 0);
}

static int access_check(int dirfd, struct user_str path, u32 mode, u32 lookup)
{
	struct inode *i;
	struct path p;
	int err = user_path(dirfd, path, lookup, &p);

	if (err)
		return err;
	i = p.dentry->inode;
	if ((mode & MAY_EXEC) && inode_is_reg(i) && (READ_ONCE(p.mnt->flags) & MNT_NOEXEC))
		err = -EACCES;
	if (!err)
		err = inode_permission(i, mode | MAY_ACCESS);
	if (!err && (mode & MAY_WRITE) && (inode_is_reg(i) || inode_is_dir(i) || inode_is_lnk(i)))
		err = mount_want_write(p.mnt);
	path_put(&p);
	return err;
}

/* The whole look-up runs with the other credentials, so they replace the task's for its duration. */
static int access_as_real(int dirfd, struct user_str path, u32 mode, u32 lookup)
{
	const struct cred *saved = current->cred;
	struct cred *c = access_cred();
	int err;

	if (!c)
		return -ENOMEM;
	rcu_assign(current->cred, c);
	err = access_check(dirfd, path, mode, lookup);
	rcu_assign(current->cred, saved);
	cred_abort(c);
	return err;
}

long sys_faccessat2(int dirfd, struct user_str path, u32 mode, u32 flags)
{
	u32 lookup;

	if (mode & ~7U)
		return -EINVAL;
	if (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
		 (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	if ((flags & AT_EACCESS) || ids_agree(current->cred))
		return access_check(dirfd, path, mode, lookup);
	return access_as_real(dirfd, path, mode, lookup);
}

long sys_faccessat(int dirfd, struct user_str path, u32 mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}

long sys_access(struct user_str path, u32 mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}
