/*
 * /dev/random and /dev/urandom: both read the kernel's generator (task/random.h), which is ready
 * before the first process runs. What is written is mixed in. Process context; no locks.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/random.h>
#include <mm/mm.h>
#include <task/random.h>
#include <vfs/poll.h>

#include "mem.h"

#define CHUNK         256
#define ENTROPY_BITS  256

static ssize_t random_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	u8 buf[CHUNK];
	size_t done = 0;

	while (io_count(to)) {
		size_t want = MIN(io_count(to), sizeof(buf)), n;

		random_bytes(buf, want);
		n = io_copy_to(to, buf, want);
		done += n;
		if (n < want || (done % PAGE_SIZE == 0 && signal_pending(current)))
			break;
	}
	memset(buf, 0, sizeof(buf));
	barrier(); /* what was handed out must not stay on the stack */
	if (!done && io_count(to))
		return -EFAULT;
	return (ssize_t)done;
}

static ssize_t random_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	size_t done = 0;
	u8 buf[CHUNK];

	while (io_count(from)) {
		size_t want = MIN(io_count(from), sizeof(buf));
		size_t n = io_copy_from(from, buf, want);

		random_add(buf, n);
		done += n;
		if (n < want)
			return done ? (ssize_t)done : -EFAULT;
		if (done % PAGE_SIZE == 0 && signal_pending(current))
			break;
	}
	return (ssize_t)done;
}

static long random_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct user_int p = {.uaddr = arg};
	int bits = ENTROPY_BITS;

	switch (cmd) {
	case RNDGETENTCNT:
		return user_write(p, &bits);
	case RNDADDTOENTCNT:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		if (user_read(&bits, p))
			return -EFAULT;
		return bits < 0 ? -EINVAL : 0;
	case RNDZAPENTCNT:
	case RNDCLEARPOOL:
	case RNDRESEEDCRNG:
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	default:
		return -EINVAL;
	}
}

static u32 random_poll(struct file *f, struct poll_table *pt)
{
	return POLL_DEFAULT;
}

static const struct file_ops random_fops = {
	.name = "random",
	.read = random_read,
	.write = random_write,
	.poll = random_poll,
	.ioctl = random_ioctl,
	.llseek = mem_llseek_stay,
};

static int random_device_init(void)
{
	int err = mem_device_add(8, "random", 0666, &random_fops);

	return err ? err : mem_device_add(9, "urandom", 0666, &random_fops);
}
INIT_CALL(INIT_DEVICE, random_device_init);
