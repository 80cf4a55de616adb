/*
 * fcntl(2). Record locks are in locks.c, leases in lease.c, owners in file_owner.c; what is here
 * translates the ABI's structures.
 */
#include <lib/errno.h>
#include <linux/fs.h>
#include <syscall/table.h>
#include <tmpfs/tmpfs.h>
#include <vfs/async.h>

#include "dnotify.h"
#include "fd_table.h"
#include "internal_io.h"
#include "locks_internal.h"

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

DEFINE_USER_PTR(flock, struct flock);
DEFINE_USER_PTR(owner_ex, struct f_owner_ex);

static long dup_fd(struct file *f, u64 first, bool cloexec)
{
	int fd, err;

	if (first >= rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	err = fd_reserve((u32)first, cloexec, &fd);
	if (err)
		return err;
	file_get(f);
	fd_install(fd, f);
	return fd;
}

static long set_flags(struct file *f, int fd, u32 arg)
{
	struct inode *inode = f->inode;
	u32 mask = SETFL_MASK;
	int err = 0;

	if (!(arg & O_APPEND) && f->flags & O_APPEND && inode->flags & INODE_APPEND)
		return -EPERM;
	if (arg & O_NOATIME && !(f->flags & O_NOATIME) && !inode_owner_or_capable(inode))
		return -EPERM;
	/* On a pipe O_DIRECT means packets. */
	if (arg & O_DIRECT && !inode_is_fifo(inode) && !(f->mode & FMODE_CAN_DIRECT))
		return -EINVAL;
	if (f->ops->async) {
		if ((arg ^ f->flags) & FASYNC)
			err = f->ops->async(f, fd, arg & FASYNC);
		mask |= FASYNC;
	}
	if (err)
		return err;
	spin_lock(&f->spin);
	WRITE_ONCE(f->flags, (arg & mask) | (f->flags & ~mask));
	spin_unlock(&f->spin);
	return 0;
}

/* The inclusive byte range of an ABI lock. 0, -EINVAL, -EOVERFLOW. */
static int lock_range(struct file *f, const struct flock *fl, struct record_lock *r)
{
	s64 base, start, len = fl->l_len;

	switch (fl->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = (s64)READ_ONCE(f->inode->size);
		break;
	default:
		return -EINVAL;
	}
	if (fl->l_start > S64_MAX - base)
		return -EOVERFLOW;
	start = base + fl->l_start;
	if (start < 0)
		return -EINVAL;
	r->end = OFFSET_MAX;
	if (len > 0) {
		if (len - 1 > S64_MAX - start)
			return -EOVERFLOW;
		r->end = (u64)(start + len - 1);
	} else if (len < 0) {
		if (start + len < 0)
			return -EINVAL;
		r->end = (u64)(start - 1);
		start += len;
	}
	r->start = (u64)start;
	return 0;
}

static int lock_request(struct file *f, const struct flock *fl, bool ofd, struct record_lock *r)
{
	int err = lock_range(f, fl, r);

	if (err)
		return err;
	if (fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && fl->l_type != F_UNLCK)
		return -EINVAL;
	if (ofd && fl->l_pid)
		return -EINVAL;
	r->type = fl->l_type;
	r->ofd = ofd;
	r->owner = ofd ? (const void *)f : current->files;
	r->pid = ofd ? -1 : current->process->pid;
	return 0;
}

static long get_lock(struct file *f, struct user_flock arg, bool ofd)
{
	struct record_lock request = {0}, found;
	struct flock fl;
	int err;

	if (user_read(&fl, arg))
		return -EFAULT;
	if (!ofd && fl.l_type != F_RDLCK && fl.l_type != F_WRLCK)
		return -EINVAL;
	err = lock_request(f, &fl, ofd, &request);
	if (err)
		return err;
	if (record_lock_test(f->inode, &request, &found)) {
		fl.l_type = found.type;
		fl.l_whence = SEEK_SET;
		fl.l_start = (s64)found.start;
		fl.l_len = found.end == OFFSET_MAX ? 0 : (s64)(found.end - found.start + 1);
		fl.l_pid = found.pid;
	} else {
		fl.l_type = F_UNLCK;
	}
	return user_write(arg, &fl);
}

/*
 * Another thread may have closed the descriptor while the lock was being set, after close had
 * looked for locks: then nobody would ever release it.
 */
static int undo_if_closed(struct file *f, int fd, struct record_lock *r)
{
	struct file *now = fd_table_file_get(current->files, (u32)fd);

	if (now)
		file_put(now);
	if (likely(now == f))
		return 0;
	r->type = F_UNLCK;
	return record_lock_set(f->inode, r, false) ? -ENOLCK : -EBADF;
}

static long set_lock(struct file *f, int fd, struct user_flock arg, bool ofd, bool wait)
{
	struct record_lock request = {0};
	struct flock fl;
	int err;

	if (user_read(&fl, arg))
		return -EFAULT;
	err = lock_request(f, &fl, ofd, &request);
	if (err)
		return err;
	if ((request.type == F_RDLCK && !(f->mode & FMODE_READ)) ||
	    (request.type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	err = record_lock_set(f->inode, &request, wait);
	if (!err && request.type != F_UNLCK && !ofd)
		err = undo_if_closed(f, fd, &request);
	return err;
}

/* The old form: a negative number is a process group. */
long file_set_owner_number(struct file *f, s32 who)
{
	if (who == INT_MIN)
		return -EINVAL;
	if (who < 0)
		return file_set_owner(f, -who, F_OWNER_PGRP);
	return file_set_owner(f, who, F_OWNER_PID);
}

static long set_owner_ex(struct file *f, struct user_owner_ex arg)
{
	struct f_owner_ex owner;

	if (user_read(&owner, arg))
		return -EFAULT;
	if (owner.type != F_OWNER_TID && owner.type != F_OWNER_PID && owner.type != F_OWNER_PGRP)
		return -EINVAL;
	return file_set_owner(f, owner.pid, (u32)owner.type);
}

s32 file_get_owner_number(struct file *f)
{
	struct f_owner_ex owner;

	file_get_owner(f, &owner);
	return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

static long get_owner_ex(struct file *f, struct user_owner_ex arg)
{
	struct f_owner_ex owner;

	file_get_owner(f, &owner);
	return user_write(arg, &owner);
}

static long get_write_hint(struct file *f, struct user_u64 arg)
{
	u64 hint = READ_ONCE(f->inode->write_hint);

	return user_write(arg, &hint);
}

static long set_write_hint(struct file *f, struct user_u64 arg)
{
	u64 hint;

	if (user_read(&hint, arg))
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	WRITE_ONCE(f->inode->write_hint, (u8)hint);
	return 0;
}

static long file_fcntl(struct file *f, int fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_SETFL:
		return set_flags(f, fd, (u32)arg);
	case F_GETLK:
	case F_OFD_GETLK:
		return get_lock(f, (struct user_flock){.uaddr = arg}, cmd == F_OFD_GETLK);
	case F_SETLK:
	case F_SETLKW:
		return set_lock(f, fd, (struct user_flock){.uaddr = arg}, false, cmd == F_SETLKW);
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return set_lock(f, fd, (struct user_flock){.uaddr = arg}, true, cmd == F_OFD_SETLKW);
	case F_GETOWN:
		return file_get_owner_number(f);
	case F_SETOWN:
		return file_set_owner_number(f, (s32)arg);
	case F_GETOWN_EX:
		return get_owner_ex(f, (struct user_owner_ex){.uaddr = arg});
	case F_SETOWN_EX:
		return set_owner_ex(f, (struct user_owner_ex){.uaddr = arg});
	case F_GETSIG:
		return file_get_signal(f);
	case F_SETSIG:
		return file_set_signal(f, arg);
	case F_GETLEASE:
		return lease_get(f);
	case F_SETLEASE:
		return lease_set(f, fd, arg);
	case F_NOTIFY:
		return dnotify_set(f, fd, arg);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, (u32)arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_GET_RW_HINT:
		return get_write_hint(f, (struct user_u64){.uaddr = arg});
	case F_SET_RW_HINT:
		return set_write_hint(f, (struct user_u64){.uaddr = arg});
	case F_ADD_SEALS:
		return tmpfs_seals_add(f, arg);
	case F_GET_SEALS:
		return tmpfs_seals_get(f);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(int fd, u32 cmd, u64 arg)
{
	struct fd f = fd_get_raw(fd);
	long ret;

	if (!f.file)
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		ret = dup_fd(f.file, arg, cmd == F_DUPFD_CLOEXEC);
		break;
	case F_GETFD:
		ret = fd_get_cloexec((u32)fd) ? FD_CLOEXEC : 0;
		break;
	case F_SETFD:
		fd_set_cloexec((u32)fd, arg & FD_CLOEXEC);
		ret = 0;
		break;
	case F_GETFL:
		ret = READ_ONCE(f.file->flags);
		break;
	default:
		ret = f.file->mode & FMODE_PATH ? -EBADF : file_fcntl(f.file, fd, cmd, arg);
		break;
	}
	fd_put(f);
	return ret;
}
