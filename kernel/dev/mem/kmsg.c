/*
 * /dev/kmsg: each read gives one record of the kernel log, each write adds one. The reader's place
 * is a record number with a lock of its own. There is no notice of new records, not even to poll: a
 * blocking read looks again from time to time.
 */
#include <boot/init.h>
#include <dev/log.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <vfs/poll.h>

#include "mem.h"

#define LINE_SIZE   1024
#define LOOK_AGAIN_NS (100 * NSEC_PER_MSEC)

struct kmsg_reader {
	struct mutex lock;  /* LOCK_RANK_FILE_POS */
	u64 seq;            /* lock: next record */
};

static int kmsg_open(struct inode *inode, struct file *f)
{
	struct kmsg_reader *r;

	if (!(f->mode & FMODE_READ))
		return 0;
	if (!capable(CAP_SYSLOG))
		return -EPERM;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock, LOCK_RANK_FILE_POS);
	f->private = r;
	return 0;
}

static void kmsg_release(struct file *f)
{
	kfree(f->private);
}

/* "level,sequence,microseconds,-;text\n" */
static ssize_t format_record(const struct log_record *rec, const char *text, char *line)
{
	int n = format(line, LINE_SIZE, "%d,%llu,%llu,-;%s\n", (int)rec->level, rec->seq,
		       rec->time_ns / NSEC_PER_USEC, text);

	return MIN(n, LINE_SIZE - 1);
}

static ssize_t read_record(struct kmsg_reader *r, struct io_iter *to, char *line)
{
	char text[LINE_SIZE - 128] __uninit;
	struct log_record rec;
	u64 seq = r->seq;
	ssize_t n = log_read(&seq, &rec, text, sizeof(text) - 1);

	if (n < 0)
		return -EAGAIN;
	text[MIN((size_t)n, sizeof(text) - 1)] = '\0';
	n = format_record(&rec, text, line);
	if (io_count(to) < (u64)n)
		return -EINVAL;
	if (io_copy_to(to, line, (size_t)n) < (size_t)n)
		return -EFAULT;
	r->seq = seq;
	return n;
}

static ssize_t kmsg_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct kmsg_reader *r = f->private;
	char *line = kmalloc(LINE_SIZE, GFP_KERNEL);
	ssize_t n;

	if (!line)
		return -ENOMEM;
	for (;;) {
		mutex_lock(&r->lock);
		n = read_record(r, to, line);
		mutex_unlock(&r->lock);
		if (n != -EAGAIN || f->flags & O_NONBLOCK)
			break;
		sched_set_state(TASK_INTERRUPTIBLE);
		if (wait_sleep(TASK_INTERRUPTIBLE, clock_monotonic() + LOOK_AGAIN_NS) ==
		    -ERESTARTSYS)
			n = -ERESTARTSYS;
		sched_set_state(TASK_RUNNING);
		if (n == -ERESTARTSYS)
			break;
	}
	kfree(line);
	return n;
}

/* "<N>text": the level is in the low three bits; without it a notice. */
static const char *parse_level(const char *text, enum log_level *level)
{
	const char *end = strchr(text, '>');
	u32 value = 0;

	if (text[0] != '<' || !end || end == text + 1 || end > text + 4)
		return text;
	for (const char *p = text + 1; p < end; p++) {
		if (*p < '0' || *p > '9')
			return text;
		value = value * 10 + (u32)(*p - '0');
	}
	*level = (enum log_level)(value & 7);
	return end + 1;
}

static ssize_t kmsg_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	enum log_level level = LOG_NOTICE;
	size_t n = io_count(from);
	const char *text;
	char *line;

	if (n > LINE_SIZE - 32)
		return -EINVAL;
	line = kmalloc(LINE_SIZE, GFP_KERNEL);
	if (!line)
		return -ENOMEM;
	if (io_copy_from(from, line, n) < n) {
		kfree(line);
		return -EFAULT;
	}
	line[n] = '\0';
	if (n && line[n - 1] == '\n')
		line[n - 1] = '\0';
	text = parse_level(line, &level);
	log_write(level, "%s", text);
	kfree(line);
	return (ssize_t)n;
}

static loff_t kmsg_llseek(struct file *f, loff_t off, int whence)
{
	struct kmsg_reader *r = f->private;
	u64 first, next;

	if (!r)
		return -EBADF;
	if (off)
		return -ESPIPE;
	log_range(&first, &next);
	if (whence != SEEK_SET && whence != SEEK_END && whence != SEEK_DATA)
		return -EINVAL;
	mutex_lock(&r->lock);
	r->seq = whence == SEEK_END ? next : first;
	mutex_unlock(&r->lock);
	return 0;
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	struct kmsg_reader *r = f->private;
	u64 first, next;

	log_range(&first, &next);
	return EPOLLOUT | EPOLLWRNORM | (r && READ_ONCE(r->seq) < next ? EPOLLIN | EPOLLRDNORM : 0);
}

static const struct file_ops kmsg_fops = {
	.name = "kmsg",
	.open = kmsg_open,
	.read = kmsg_read,
	.write = kmsg_write,
	.llseek = kmsg_llseek,
	.poll = kmsg_poll,
	.release = kmsg_release,
};

static int kmsg_init(void)
{
	return mem_device_add(11, "kmsg", 0644, &kmsg_fops);
}
INIT_CALL(INIT_DEVICE, kmsg_init);
