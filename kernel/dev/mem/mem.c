/*
 * /dev/null, /dev/zero, /dev/full: devices without state. Process context; no locks.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <linux/fs.h>
#include <mm/mm.h>
#include <vfs/chrdev.h>

#include "mem.h"

static ssize_t null_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	u64 n = io_count(from);

	io_advance(from, n);
	return (ssize_t)n;
}

loff_t mem_llseek_stay(struct file *f, loff_t off, int whence)
{
	return f->pos = 0;
}

/* Page by page, so that a signal ends a read of gigabytes. */
static __noinline ssize_t zero_read_long(struct io_iter *to)
{
	size_t done = 0;

	while (io_count(to)) {
		size_t want = MIN(io_count(to), PAGE_SIZE), n = io_zero(to, want);

		done += n;
		if (unlikely(n < want))
			return done ? (ssize_t)done : -EFAULT;
		if (io_count(to) && signal_pending(current))
			break;
	}
	return (ssize_t)done;
}

static ssize_t zero_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	size_t want = io_count(to), n;

	if (unlikely(want > PAGE_SIZE))
		return zero_read_long(to);
	n = io_zero(to, want);
	return likely(n || !want) ? (ssize_t)n : -EFAULT;
}

/* Private mappings are plain anonymous memory; shared ones get an object of their own. */
static int zero_mmap(struct file *f, struct vma *vma)
{
	return vma->flags & VMA_SHARED ? anon_shared_attach(vma) : 0;
}

static ssize_t full_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	return -ENOSPC;
}

static const struct file_ops null_fops = {
	.name = "null",
	.read = null_read,
	.write = null_write,
	.llseek = mem_llseek_stay,
};

static const struct file_ops zero_fops = {
	.name = "zero",
	.read = zero_read,
	.write = null_write,
	.llseek = mem_llseek_stay,
	.mmap = zero_mmap,
};

static const struct file_ops full_fops = {
	.name = "full",
	.read = zero_read,
	.write = full_write,
	.llseek = mem_llseek_stay,
};

int mem_device_add(u32 minor, const char *name, u32 mode, const struct file_ops *ops)
{
	int err = chrdev_register(MEM_MAJOR, minor, 1, "mem", ops);

	return err ? err : devtmpfs_add(name, S_IFCHR | mode, dev_make(MEM_MAJOR, minor));
}

static int mem_init(void)
{
	int err = mem_device_add(3, "null", 0666, &null_fops);

	if (!err)
		err = mem_device_add(5, "zero", 0666, &zero_fops);
	if (!err)
		err = mem_device_add(7, "full", 0666, &full_fops);
	return err;
}
INIT_CALL(INIT_DEVICE, mem_init);
