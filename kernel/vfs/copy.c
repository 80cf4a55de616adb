/*
 * sendfile and copy_file_range: one file's data into another through a kernel buffer. Only regular
 * files can be the source, so a write that comes up short loses nothing: the source's position moves
 * by what was written.
 */
#include <lib/errno.h>
#include <mm/slab.h>
#include <syscall/table.h>

#include "internal_io.h"

#define COPY_CHUNK (64 * 1024)

/* Bytes copied, or -errno when there are none. Both positions move by that much. */
static ssize_t copy_data(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, u64 len)
{
	size_t chunk = MIN(len, COPY_CHUNK);
	ssize_t total = 0, n = 0, want;
	struct io_iter it __uninit;
	void *buf = kvmalloc(chunk, GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	while ((u64)total < len) {
		loff_t pos = *in_pos;

		io_iter_kernel(&it, buf, MIN(chunk, len - (u64)total));
		n = want = file_read_iter(in, &it, &pos);
		if (n <= 0)
			break;
		io_iter_kernel(&it, buf, (size_t)n);
		n = file_write_iter(out, &it, out_pos);
		if (n <= 0)
			break;
		*in_pos += n;
		total += n;
		if (n < want)
			break;
		if (signal_pending(current)) {
			n = -EINTR;
			break;
		}
	}
	kvfree(buf);
	return total ? total : n;
}

static int check_range(loff_t pos, u64 len)
{
	return pos < 0 || (loff_t)((u64)pos + len) < 0 ? -EINVAL : 0;
}

static ssize_t do_sendfile(struct file *out, struct file *in, loff_t *pos, u64 count)
{
	if (check_range(*pos, count) ||
	    (!inode_is_fifo(out->inode) && check_range(out->pos, count)))
		return -EINVAL;
	if (!inode_is_reg(in->inode) && !inode_is_blk(in->inode))
		return -EINVAL;
	if (out->flags & O_APPEND && !inode_is_fifo(out->inode))
		return -EINVAL;
	if (!count)
		return 0;
	return copy_data(in, pos, out, &out->pos, MIN(count, IO_MAX_BYTES));
}

static ssize_t sendfile_files(struct file *in, int out_fd, loff_t *user_pos, u64 count)
{
	struct fd out;
	ssize_t n = -EBADF;

	if (!(in->mode & FMODE_READ))
		return -EBADF;
	if (user_pos && !(in->mode & FMODE_PREAD))
		return -ESPIPE;
	out = fd_get(out_fd);
	if (!out.file)
		return -EBADF;
	if (out.file->mode & FMODE_WRITE)
		n = do_sendfile(out.file, in, user_pos ? user_pos : &in->pos, count);
	fd_put(out);
	return n;
}

long sys_sendfile(int out_fd, int in_fd, struct user_loff offset, u64 count)
{
	bool given = !user_is_null(offset);
	struct fd in;
	loff_t pos;
	ssize_t n;

	if (given && user_read(&pos, offset))
		return -EFAULT;
	in = fd_get(in_fd);
	n = in.file ? sendfile_files(in.file, out_fd, given ? &pos : NULL, count) : -EBADF;
	if (in.file)
		fd_put(in);
	if (given && user_write(offset, &pos))
		return -EFAULT;
	return n;
}

static int check_copy(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos, u64 *len)
{
	u64 size;

	if (inode_is_dir(in->inode) || inode_is_dir(out->inode))
		return -EISDIR;
	if (!inode_is_reg(in->inode) || !inode_is_reg(out->inode))
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || out->flags & O_APPEND)
		return -EBADF;
	if (in->inode->sb != out->inode->sb)
		return -EXDEV;
	if (out->inode->flags & INODE_IMMUTABLE)
		return -EPERM;
	if ((u64)in_pos + *len < (u64)in_pos || (u64)out_pos + *len < (u64)out_pos)
		return -EOVERFLOW;
	size = READ_ONCE(in->inode->size);
	*len = (u64)in_pos >= size ? 0 : MIN(*len, size - (u64)in_pos);
	if (in->inode == out->inode && (u64)out_pos + *len > (u64)in_pos &&
	    (u64)out_pos < (u64)in_pos + *len)
		return -EINVAL;
	if (check_range(in_pos, *len) || check_range(out_pos, *len))
		return -EINVAL;
	return 0;
}

static ssize_t copy_range(struct file *in, struct user_loff in_off, struct file *out,
			  struct user_loff out_off, u64 len)
{
	loff_t in_pos = in->pos, out_pos = out->pos;
	ssize_t n;

	if ((!user_is_null(in_off) && user_read(&in_pos, in_off)) ||
	    (!user_is_null(out_off) && user_read(&out_pos, out_off)))
		return -EFAULT;
	n = check_copy(in, in_pos, out, out_pos, &len);
	if (n || !len)
		return n;
	n = copy_data(in, &in_pos, out, &out_pos, MIN(len, IO_MAX_BYTES));
	if (n <= 0)
		return n;
	if (user_is_null(in_off))
		in->pos = in_pos;
	else if (user_write(in_off, &in_pos))
		n = -EFAULT;
	if (user_is_null(out_off))
		out->pos = out_pos;
	else if (user_write(out_off, &out_pos))
		n = -EFAULT;
	return n;
}

long sys_copy_file_range(int in_fd, struct user_loff in_off, int out_fd, struct user_loff out_off,
			 u64 len, u32 flags)
{
	struct fd in = fd_get(in_fd), out;
	long ret = -EBADF;

	if (!in.file)
		return -EBADF;
	out = fd_get(out_fd);
	if (out.file) {
		ret = flags ? -EINVAL : copy_range(in.file, in_off, out.file, out_off, len);
		fd_put(out);
	}
	fd_put(in);
	return ret;
}
