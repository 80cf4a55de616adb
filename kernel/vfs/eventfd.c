/* eventfd: a counter that is read and written as a file; e->lock guards it. */
#include <lib/errno.h>
#include <lib/format.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <vfs/file.h>
#include <vfs/poll.h>

#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK
#define EVENTFD_MAX (U64_MAX - 1)

struct eventfd {
	struct spinlock lock;    /* LOCK_RANK_FILE */
	u64 count;               /* lock; torn-free reads */
	bool semaphore;          /* const */
	int id;                  /* const: tells them apart in fdinfo */
	struct wait_queue wait;
};

static struct atomic nr_made;

static bool take(struct eventfd *e, u64 *value)
{
	bool any;

	spin_lock(&e->lock);
	any = e->count != 0;
	*value = e->semaphore && any ? 1 : e->count;
	WRITE_ONCE(e->count, e->count - *value);
	spin_unlock(&e->lock);
	return any;
}

static bool add(struct eventfd *e, u64 value)
{
	bool fits;

	spin_lock(&e->lock);
	fits = value <= EVENTFD_MAX - e->count;
	if (fits)
		WRITE_ONCE(e->count, e->count + value);
	spin_unlock(&e->lock);
	return fits;
}

static ssize_t eventfd_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct eventfd *e = f->private;
	u64 value;
	int err;

	if (io_count(to) < sizeof(value))
		return -EINVAL;
	while (!take(e, &value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, READ_ONCE(e->count));
		if (err)
			return err;
	}
	wake_up_poll(&e->wait, EPOLLOUT);
	return io_copy_to(to, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value) :
								       -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct eventfd *e = f->private;
	u64 value;
	int err;

	if (io_count(from) < sizeof(value))
		return -EINVAL;
	if (io_copy_from(from, &value, sizeof(value)) < sizeof(value))
		return -EFAULT;
	if (value == U64_MAX)
		return -EINVAL;
	while (!add(e, value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, value <= EVENTFD_MAX - READ_ONCE(e->count));
		if (err)
			return err;
	}
	wake_up_poll(&e->wait, EPOLLIN);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	u32 events = 0;
	u64 count;

	poll_wait(f, &e->wait, pt);
	count = READ_ONCE(e->count);
	if (count)
		events |= EPOLLIN;
	if (count == U64_MAX)
		events |= EPOLLERR;
	if (count < EVENTFD_MAX)
		events |= EPOLLOUT;
	return events;
}

static void eventfd_release(struct file *f)
{
	struct eventfd *e = f->private;

	if (wait_queue_active(&e->wait))
		wake_up_events(&e->wait, ~0U, EPOLLHUP);
	kfree(e);
}

static void eventfd_show_fdinfo(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx)
{
	const struct eventfd *e = f->private;
	char line[64];

	format(line, sizeof(line), "eventfd-count: %16llx\neventfd-id: %d\n", READ_ONCE(e->count),
	       e->id);
	emit(ctx, line);
}

static const struct file_ops eventfd_fops = {
	.name = "eventfd",
	.llseek = file_llseek_noop,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_show_fdinfo,
};

static int eventfd_create(u32 count, u32 flags, struct file **out)
{
	struct eventfd *e = kzalloc(sizeof(*e), GFP_KERNEL);
	int err;

	if (!e)
		return -ENOMEM;
	spin_init(&e->lock, LOCK_RANK_FILE);
	wait_queue_init(&e->wait);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	e->id = atomic_add_return(&nr_made, 1) - 1;
	err = file_create_anon("anon_inode:[eventfd]", &eventfd_fops, e,
			       O_RDWR | (flags & O_NONBLOCK), out);
	if (err)
		kfree(e);
	return err;
}

long sys_eventfd2(u32 count, u32 flags)
{
	struct file *f;
	int err;

	if (flags & ~(u32)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	err = eventfd_create(count, flags, &f);
	return err ? err : fd_install_new(f, flags & EFD_CLOEXEC);
}

long sys_eventfd(u32 count)
{
	return sys_eventfd2(count, 0);
}
