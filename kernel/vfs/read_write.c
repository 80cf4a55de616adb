/*
 * read, write and their positional and vectored forms, lseek. Each call makes one io_iter and
 * passes it to the file's operation. The order of checks is Linux's: descriptor, mode, operation,
 * address range, position.
 *
 * fd_get_pos makes threads that share an open file take turns at its position; the operation gets a
 * copy of the position, which is stored back only on success.
 */
#include <lib/errno.h>
#include <linux/fs.h>
#include <syscall/table.h>
#include <vfs/notify.h>

#include "internal_io.h"

enum rw { READ, WRITE };

static __always_inline ssize_t check_access(const struct file *f, enum rw rw)
{
	u32 wanted = rw == READ ? FMODE_READ : FMODE_WRITE;

	if (unlikely(!(f->mode & wanted)))
		return -EBADF;
	if (unlikely(!(rw == READ ? f->ops->read : f->ops->write)))
		return inode_is_dir(f->inode) && rw == READ ? -EISDIR : -EINVAL;
	return 0;
}

static __always_inline ssize_t run_op(struct file *f, struct io_iter *it, loff_t *ppos, enum rw rw)
{
	loff_t pos = *ppos;
	ssize_t n;

	if (unlikely((pos | (loff_t)((u64)pos + it->count)) < 0))
		return -EINVAL;
	n = rw == READ ? f->ops->read(f, it, &pos) : f->ops->write(f, it, &pos);
	if (likely(n >= 0))
		*ppos = pos;
	if (likely(n > 0))
		notify_file(f, rw == READ ? IN_ACCESS : IN_MODIFY);
	return n;
}

ssize_t file_read_iter(struct file *f, struct io_iter *it, loff_t *pos)
{
	ssize_t err = check_access(f, READ);

	return err ? err : run_op(f, it, pos, READ);
}

ssize_t file_write_iter(struct file *f, struct io_iter *it, loff_t *pos)
{
	ssize_t err = check_access(f, WRITE);

	return err ? err : run_op(f, it, pos, WRITE);
}

/* One user buffer. A directory's EISDIR comes after the look at the address. */
static __always_inline ssize_t rw_buffer(struct file *f, struct user_bytes buf, u64 count,
					 loff_t *pos, enum rw rw)
{
	struct io_iter it __uninit;
	ssize_t n = check_access(f, rw);

	if (unlikely(n && n != -EISDIR))
		return n;
	if (unlikely(io_iter_user(&it, buf, count)))
		return -EFAULT;
	if (unlikely(n))
		return n;
	n = run_op(f, &it, pos, rw);
	if (rw == READ)
		account_read(n);
	else
		account_write(n);
	return n;
}

/* Any descriptor, any state. */
static __noinline long rw_here(int fd, struct user_bytes buf, u64 count, enum rw rw)
{
	struct fd f = fd_get_pos(fd);
	ssize_t n;

	if (unlikely(!f.file))
		return -EBADF;
	n = rw_buffer(f.file, buf, count, &f.file->pos, rw);
	fd_put(f);
	return n;
}

/*
 * The shortest way for what is nearly always the case: a descriptor that nobody else can close, a
 * position that nobody else uses, an operation, a range in user space. Everything else, errors
 * included, is left to rw_here.
 */
static __always_inline long rw_fast(int fd, struct user_bytes buf, u64 count, enum rw rw)
{
	ssize_t (*op)(struct file *, struct io_iter *, loff_t *);
	struct file *f = fd_peek(fd);
	struct io_iter it __uninit;
	struct task *t;
	loff_t pos;
	ssize_t n;
	u32 mode;

	if (unlikely(!f || !io_iter_user_plain(&it, buf, count)))
		return rw_here(fd, buf, count, rw);
	mode = f->mode;
	if (unlikely(!(mode & (rw == READ ? FMODE_READ : FMODE_WRITE)) ||
		     (mode & FMODE_ATOMIC_POS && ref_read(&f->ref) > 1)))
		return rw_here(fd, buf, count, rw);
	op = rw == READ ? f->ops->read : f->ops->write;
	pos = f->pos;
	if (unlikely(!op || (pos | (loff_t)((u64)pos + count)) < 0))
		return rw_here(fd, buf, count, rw);
	n = op(f, &it, &pos);
	t = current;
	*(rw == READ ? &t->io_read_calls : &t->io_write_calls) += 1;
	if (likely(n >= 0)) {
		f->pos = pos;
		*(rw == READ ? &t->io_read_bytes : &t->io_write_bytes) += (u64)n;
		if (notify_anybody() && n)
			notify_entry_slow(f->path.dentry, f->inode, rw == READ ? IN_ACCESS : IN_MODIFY);
	}
	return n;
}

long sys_read(int fd, struct user_bytes buf, u64 count)
{
	return rw_fast(fd, buf, count, READ);
}

long sys_write(int fd, struct user_bytes buf, u64 count)
{
	return rw_fast(fd, buf, count, WRITE);
}

static long rw_at(int fd, struct user_bytes buf, u64 count, loff_t pos, enum rw rw)
{
	struct fd f;
	ssize_t n = -ESPIPE;

	if (pos < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	if (f.file->mode & FMODE_PREAD)
		n = rw_buffer(f.file, buf, count, &pos, rw);
	fd_put(f);
	return n;
}

long sys_pread64(int fd, struct user_bytes buf, u64 count, loff_t pos)
{
	return rw_at(fd, buf, count, pos, READ);
}

long sys_pwrite64(int fd, struct user_bytes buf, u64 count, loff_t pos)
{
	return rw_at(fd, buf, count, pos, WRITE);
}

/* Flags of preadv2 and pwritev2 that this kernel honours; RWF_HIPRI changes nothing without polling
 * devices, and RWF_NOWAIT needs files that can promise it. */
static int check_rwf(const struct file *f, u32 flags, enum rw rw)
{
	if (flags & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	return flags & RWF_NOWAIT ? -EOPNOTSUPP : 0;
}

static ssize_t sync_after(struct file *f, ssize_t n, u32 flags)
{
	int err;

	if (n <= 0 || !(flags & (RWF_DSYNC | RWF_SYNC)) || !f->ops->fsync)
		return n;
	err = file_sync(f, !(flags & RWF_SYNC));
	return err ? err : n;
}

/* The vector is fetched before the file's mode is looked at, as Linux does. */
static ssize_t rw_vector(struct file *f, struct user_iovec vec, u64 nr, loff_t *pos, u32 flags,
			 enum rw rw)
{
	struct io_iter it __uninit;
	ssize_t n = io_iter_user_vec(&it, vec, nr);

	if (n)
		return n;
	it.append = flags & RWF_APPEND;
	n = check_access(f, rw);
	if (n || !io_count(&it))
		goto out;
	n = check_rwf(f, flags, rw);
	if (n)
		goto out;
	n = run_op(f, &it, pos, rw);
	if (rw == WRITE)
		n = sync_after(f, n, flags);
out:
	io_iter_fini(&it);
	if (rw == READ)
		account_read(n);
	else
		account_write(n);
	return n;
}

static long rw_vector_here(int fd, struct user_iovec vec, u64 nr, u32 flags, enum rw rw)
{
	struct fd f = fd_get_pos(fd);
	ssize_t n;

	if (!f.file)
		return -EBADF;
	n = rw_vector(f.file, vec, nr, &f.file->pos, flags, rw);
	fd_put(f);
	return n;
}

static long rw_vector_at(int fd, struct user_iovec vec, u64 nr, loff_t pos, u32 flags, enum rw rw)
{
	struct fd f;
	ssize_t n = -ESPIPE;

	if (pos < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	if (f.file->mode & FMODE_PREAD)
		n = rw_vector(f.file, vec, nr, &pos, flags, rw);
	fd_put(f);
	return n;
}

long sys_readv(int fd, struct user_iovec vec, u64 nr)
{
	return rw_vector_here(fd, vec, nr, 0, READ);
}

long sys_writev(int fd, struct user_iovec vec, u64 nr)
{
	return rw_vector_here(fd, vec, nr, 0, WRITE);
}

/* With 64-bit registers the low word of the position carries all of it. */
long sys_preadv(int fd, struct user_iovec vec, u64 nr, u64 pos_low, u64 pos_high)
{
	return rw_vector_at(fd, vec, nr, (loff_t)pos_low, 0, READ);
}

long sys_pwritev(int fd, struct user_iovec vec, u64 nr, u64 pos_low, u64 pos_high)
{
	return rw_vector_at(fd, vec, nr, (loff_t)pos_low, 0, WRITE);
}

long sys_preadv2(int fd, struct user_iovec vec, u64 nr, u64 pos_low, u64 pos_high, u32 flags)
{
	if ((s64)pos_low == -1)
		return rw_vector_here(fd, vec, nr, flags, READ);
	return rw_vector_at(fd, vec, nr, (loff_t)pos_low, flags, READ);
}

long sys_pwritev2(int fd, struct user_iovec vec, u64 nr, u64 pos_low, u64 pos_high, u32 flags)
{
	if ((s64)pos_low == -1)
		return rw_vector_here(fd, vec, nr, flags, WRITE);
	return rw_vector_at(fd, vec, nr, (loff_t)pos_low, flags, WRITE);
}

long sys_lseek(int fd, loff_t offset, u32 whence)
{
	struct fd f = fd_get_pos(fd);
	loff_t pos = -EINVAL;

	if (!f.file)
		return -EBADF;
	if (whence <= SEEK_HOLE)
		pos = f.file->mode & FMODE_SEEK && f.file->ops->llseek ?
			f.file->ops->llseek(f.file, offset, (int)whence) : -ESPIPE;
	fd_put(f);
	return pos;
}
