/* close, dup, dup2, dup3, close_range. Process context; no locks of its own. */
#include <lib/errno.h>
#include <linux/close_range.h>
#include <syscall/table.h>

#include "fd_table.h"

long sys_close(int fd)
{
	int err = fd_close(fd);

	/* The descriptor is gone whatever flush said: a restart would close another one. */
	if (unlikely(err == -ERESTARTSYS || err == -ERESTARTNOINTR || err == -ERESTARTNOHAND))
		return -EINTR;
	return err;
}

long sys_dup(int old)
{
	struct fd f = fd_get_raw(old);
	int fd, err;

	if (!f.file)
		return -EBADF;
	err = fd_reserve(0, false, &fd);
	if (!err) {
		file_get(f.file);
		fd_install(fd, f.file);
	}
	fd_put(f);
	return err ? err : fd;
}

static long dup_to(int old, int new, bool cloexec)
{
	struct fd f;
	int err;

	if ((u32)new >= rlimit(RLIMIT_NOFILE))
		return -EBADF;
	f = fd_get_raw(old);
	if (!f.file)
		return -EBADF;
	err = fd_replace((u32)new, f.file, cloexec);
	fd_put(f);
	if (err == -EMFILE)
		return -EBADF;
	return err ? err : new;
}

long sys_dup3(int old, int new, u32 flags)
{
	if (flags & ~O_CLOEXEC || old == new)
		return -EINVAL;
	return dup_to(old, new, flags & O_CLOEXEC);
}

long sys_dup2(int old, int new)
{
	struct fd f;

	if (old != new)
		return dup_to(old, new, false);
	f = fd_get_raw(old);
	if (!f.file)
		return -EBADF;
	fd_put(f);
	return new;
}

long sys_close_range(u32 first, u32 last, u32 flags)
{
	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		int err = fd_table_unshare();

		if (err)
			return err;
	}
	if (flags & CLOSE_RANGE_CLOEXEC)
		fd_cloexec_range(first, last);
	else
		fd_close_range(first, last);
	return 0;
}
