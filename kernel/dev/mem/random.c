/*
 * /dev/random and /dev/urandom: the same generator, which is seeded before the first program runs.
 * What is written is mixed in; it never counts as entropy.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <linux/random.h>
#include <task/random.h>
#include <task/task.h>
#include "mem.h"

#define CHUNK        256
#define ENTROPY_BITS 256

static ssize_t random_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	char chunk[CHUNK];
	ssize_t done = 0;

	(void)f;
	(void)pos;
	while (io_count(to)) {
		size_t n = MIN(io_count(to), (u64)sizeof(chunk)), copied;

		random_bytes(chunk, n);
		copied = io_copy_to(to, chunk, n);
		done += (ssize_t)copied;
		if (copied < n)
			return done ? done : -EFAULT;
		if (signal_pending(current) && io_count(to))
			break;
	}
	return done;
}

static ssize_t random_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	char chunk[CHUNK];
	ssize_t done = 0;

	(void)f;
	(void)pos;
	while (io_count(from)) {
		size_t n = MIN(io_count(from), (u64)sizeof(chunk));
		size_t copied = io_copy_from(from, chunk, n);

		random_add(chunk, copied);
		done += (ssize_t)copied;
		if (copied < n)
			return done ? done : -EFAULT;
	}
	return done;
}

static long random_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	int bits = ENTROPY_BITS;

	(void)f;
	if (cmd == RNDGETENTCNT)
		return user_write(((struct user_int){.uaddr = arg}), &bits);
	return -EINVAL;
}

static const struct file_ops random_fops = {
	.name = "random",
	.read = random_read,
	.write = random_write,
	.ioctl = random_ioctl,
	.llseek = mem_llseek_stay,
};

static int random_devices_init(void)
{
	int err = mem_device_add(8, "random", 0666, &random_fops);

	return err ? err : mem_device_add(9, "urandom", 0666, &random_fops);
}
INIT_CALL(INIT_DEVICE, random_devices_init);
