/* The calls that change attributes: chmod, chown, utimes, truncate and their relatives. */
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <syscall/table.h>
#include <vfs/locks.h>

#include "internal.h"

#define UTIME_NOW  ((1L << 30) - 1)
#define UTIME_OMIT ((1L << 30) - 2)

/* path_setattr on a descriptor. */
static int fd_setattr(int fd, bool raw, struct iattr *attr)
{
	struct fd f = raw ? fd_get_raw(fd) : fd_get(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = path_setattr(&f.file->path, attr);
	fd_put(f);
	return err;
}

static int at_setattr(int dirfd, struct user_str path, u32 lookup, struct iattr *attr)
{
	struct path p;
	int err = user_path(dirfd, path, lookup, &p);

	if (err)
		return err;
	err = path_setattr(&p, attr);
	path_put(&p);
	return err;
}

/* ---- Mode ---- */

static struct iattr mode_attr(u32 mode)
{
	return (struct iattr){.valid = ATTR_MODE | ATTR_CTIME, .mode = mode & S_IALLUGO};
}

long sys_fchmodat(int dirfd, struct user_str path, u32 mode)
{
	struct iattr a = mode_attr(mode);

	return at_setattr(dirfd, path, LOOKUP_FOLLOW, &a);
}

long sys_chmod(struct user_str path, u32 mode)
{
	return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_fchmod(int fd, u32 mode)
{
	struct iattr a = mode_attr(mode);

	return fd_setattr(fd, false, &a);
}

/* ---- Owner ---- */

static struct iattr owner_attr(u32 uid, u32 gid)
{
	struct iattr a = {.valid = ATTR_CTIME | ATTR_KILL_PRIV, .uid = uid, .gid = gid};

	if (uid != U32_MAX)
		a.valid |= ATTR_UID;
	if (gid != U32_MAX)
		a.valid |= ATTR_GID;
	return a;
}

long sys_fchownat(int dirfd, struct user_str path, u32 uid, u32 gid, u32 flags)
{
	struct iattr a = owner_attr(uid, gid);
	u32 lookup;
	int err = at_lookup_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &lookup);

	return err ? err : at_setattr(dirfd, path, lookup, &a);
}

long sys_chown(struct user_str path, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(struct user_str path, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, u32 uid, u32 gid)
{
	struct iattr a = owner_attr(uid, gid);

	return fd_setattr(fd, false, &a);
}

/* ---- Times ---- */

static bool nsec_valid(s64 nsec)
{
	return nsec == UTIME_NOW || nsec == UTIME_OMIT || (u64)nsec < NSEC_PER_SEC;
}

static void one_time(struct iattr *a, const struct timespec64 *t, u32 bit, u32 set_bit,
		     struct timespec64 *to)
{
	if (t->tv_nsec == UTIME_OMIT) {
		a->valid &= ~bit;
	} else if (t->tv_nsec != UTIME_NOW) {
		a->valid |= set_bit;
		*to = *t;
	}
}

/* times: two, or NULL for "now". */
static struct iattr times_attr(const struct timespec64 *times)
{
	struct iattr a = {.valid = ATTR_ATIME | ATTR_MTIME | ATTR_CTIME};

	if (!times || (times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW)) {
		a.valid |= ATTR_TOUCH;
		return a;
	}
	a.valid |= ATTR_TIMES_SET;
	one_time(&a, &times[0], ATTR_ATIME, ATTR_ATIME_SET, &a.atime);
	one_time(&a, &times[1], ATTR_MTIME, ATTR_MTIME_SET, &a.mtime);
	return a;
}

static long utimes_at(int dirfd, struct user_str path, const struct timespec64 *times, u32 flags)
{
	struct iattr a;
	u32 lookup;
	int err;

	if (times && (!nsec_valid(times[0].tv_nsec) || !nsec_valid(times[1].tv_nsec)))
		return -EINVAL;
	a = times_attr(times);
	if (user_is_null(path) && dirfd != AT_FDCWD)
		return flags ? -EINVAL : fd_setattr(dirfd, false, &a);
	err = at_lookup_flags(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &lookup);
	return err ? err : at_setattr(dirfd, path, lookup, &a);
}

long sys_utimensat(int dirfd, struct user_str path, struct user_timespec times, u32 flags)
{
	struct timespec64 t[2];

	if (user_is_null(times))
		return utimes_at(dirfd, path, NULL, flags);
	if (user_read_array(&t[0], times, 2))
		return -EFAULT;
	if (t[0].tv_nsec == UTIME_OMIT && t[1].tv_nsec == UTIME_OMIT)
		return 0; /* not even the path is looked at */
	return utimes_at(dirfd, path, t, flags);
}

long sys_futimesat(int dirfd, struct user_str path, struct user_timeval times)
{
	struct __kernel_old_timeval tv[2];
	struct timespec64 t[2];

	if (user_is_null(times))
		return utimes_at(dirfd, path, NULL, 0);
	if (user_read_array(&tv[0], times, 2))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		t[i].tv_sec = tv[i].tv_sec;
		t[i].tv_nsec = tv[i].tv_usec * 1000;
	}
	return utimes_at(dirfd, path, t, 0);
}

long sys_utimes(struct user_str path, struct user_timeval times)
{
	return sys_futimesat(AT_FDCWD, path, times);
}

long sys_utime(struct user_str path, struct user_utimbuf times)
{
	struct timespec64 t[2] = {{0}};
	struct utimbuf u;

	if (user_is_null(times))
		return utimes_at(AT_FDCWD, path, NULL, 0);
	if (user_read(&u, times))
		return -EFAULT;
	t[0].tv_sec = u.actime;
	t[1].tv_sec = u.modtime;
	return utimes_at(AT_FDCWD, path, t, 0);
}

/* ---- Size ---- */

static int truncate_path(const struct path *p, u64 length)
{
	struct iattr a = {.valid = ATTR_SIZE | ATTR_KILL_PRIV, .size = length};
	struct inode *i = p->dentry->inode;
	int err;

	if (inode_is_dir(i))
		return -EISDIR;
	if (!inode_is_reg(i))
		return -EINVAL;
	err = mount_want_write(p->mnt);
	if (!err)
		err = inode_permission(i, MAY_WRITE);
	if (!err && (READ_ONCE(i->flags) & INODE_APPEND))
		err = -EPERM;
	if (!err)
		err = inode_get_write(i);
	if (err)
		return err;
	err = lease_break(i, O_WRONLY);
	if (!err)
		err = path_setattr(p, &a);
	inode_put_write(i);
	return err;
}

long sys_truncate(struct user_str path, loff_t length)
{
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	err = user_path(AT_FDCWD, path, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	err = truncate_path(&p, (u64)length);
	path_put(&p);
	return err;
}

long sys_ftruncate(int fd, loff_t length)
{
	struct iattr a = {.valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_KILL_PRIV | ATTR_FILE,
			  .size = (u64)length};
	struct fd f;
	int err;

	if (length < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	if (!inode_is_reg(f.file->inode) || !(f.file->mode & FMODE_WRITE))
		err = -EINVAL;
	else if (READ_ONCE(f.file->inode->flags) & INODE_APPEND)
		err = -EPERM;
	else
		err = path_setattr(&f.file->path, &a);
	fd_put(f);
	return err;
}
