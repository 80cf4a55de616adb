/*
 * Pipes: a ring of pages under one mutex.
 *
 * Writes fill whole pages or append to the newest one, so up to PIPE_BUF (one page) lands in one
 * slot and is atomic. A reader empties the oldest slots. Pages that become free are kept as spares
 * (two), so steady traffic allocates nothing.
 *
 * Wake-ups happen only when they can matter: a writer wakes readers when the ring was empty, a reader
 * wakes writers when it was full. Waiters are exclusive; whoever was woken and leaves something
 * behind wakes the next of his kind. An edge-triggered poller wants to hear of every write, so once
 * somebody polls, every write wakes.
 *
 * The user's buffer is copied with the mutex held; a fault takes locks of higher rank only.
 */
#include <lib/errno.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>
#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <vfs/file_alloc.h>
#include <vfs/poll.h>

#include "anon.h"
#include "fd_table.h"
#include "internal_io.h"
#include "pipe_internal.h"

static_assert(PAGE_SIZE >= PIPE_BUF, "one slot holds an atomic write");

u32 pipe_max_size = 1 << 20;

static u32 default_slots(void)
{
	u32 most = READ_ONCE(pipe_max_size) / PAGE_SIZE;

	return most >= PIPE_DEFAULT_SLOTS || capable(CAP_SYS_RESOURCE) ? PIPE_DEFAULT_SLOTS : most;
}

struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	p->nr_slots = default_slots();
	p->bufs = kmalloc_array(p->nr_slots, sizeof(*p->bufs), GFP_KERNEL);
	if (!p->bufs) {
		kfree(p);
		return NULL;
	}
	mutex_init(&p->lock, LOCK_RANK_PIPE);
	wait_queue_init(&p->read_wait);
	wait_queue_init(&p->write_wait);
	return p;
}

void pipe_free(struct pipe *p)
{
	while (!pipe_empty(p))
		pipe_drop_oldest(p);
	while (p->nr_spare)
		page_put(p->spare[--p->nr_spare]);
	kfree(p->bufs);
	kfree(p);
}

void pipe_put(struct inode *inode, struct pipe *p)
{
	bool last;

	spin_lock(&inode->spin);
	last = --p->files == 0;
	if (last)
		inode->pipe = NULL;
	spin_unlock(&inode->spin);
	if (last)
		pipe_free(p);
}

struct page *pipe_take_page(struct pipe *p)
{
	if (likely(p->nr_spare))
		return p->spare[--p->nr_spare];
	return page_alloc(0, GFP_USER);
}

void pipe_keep_page(struct pipe *p, struct page *page)
{
	if (p->nr_spare < PIPE_SPARES && ref_read(&page->ref) == 1)
		p->spare[p->nr_spare++] = page;
	else
		page_put(page);
}

void pipe_drop_oldest(struct pipe *p)
{
	pipe_keep_page(p, pipe_slot(p, p->tail)->page);
	WRITE_ONCE(p->tail, p->tail + 1);
}

int pipe_broken(void)
{
	siginfo_t info;

	siginfo_user(&info, SIGPIPE);
	signal_send_task(current, SIGPIPE, &info);
	return -EPIPE;
}

/* Moves what is there. Bytes, or -EFAULT when nothing could be copied. Lock held. */
static ssize_t drain(struct pipe *p, struct io_iter *to)
{
	ssize_t total = 0;

	while (!pipe_empty(p) && io_count(to)) {
		struct pipe_buf *b = pipe_slot(p, p->tail);
		size_t n = MIN(b->len, io_count(to));
		bool packet = b->flags & BUF_PACKET;
		size_t done = io_copy_page_to(to, b->page, b->offset, n);

		if (unlikely(done < n)) {
			io_revert(to, done); /* what did not get through whole stays in the pipe */
			return total ? total : -EFAULT;
		}
		total += n;
		b->offset += n;
		b->len -= n;
		if (!b->len || packet)
			pipe_drop_oldest(p);
		if (packet)
			break;
	}
	return total;
}

static ssize_t pipe_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct pipe *p = f->inode->pipe;
	bool was_full, waited = false;
	ssize_t n;
	int err;

	if (unlikely(!io_count(to)))
		return 0;
	mutex_lock(&p->lock);
	for (;;) {
		was_full = pipe_full(p);
		n = drain(p, to);
		if (n || !p->writers)
			break;
		if (to->nowait || READ_ONCE(f->flags) & O_NONBLOCK) {
			n = -EAGAIN;
			break;
		}
		mutex_unlock(&p->lock);
		err = wait_event_exclusive(&p->read_wait, pipe_can_read(p));
		if (err)
			return err;
		waited = true;
		mutex_lock(&p->lock);
	}
	waited &= !pipe_empty(p);
	mutex_unlock(&p->lock);
	if (was_full && n > 0)
		wake_up_poll(&p->write_wait, PIPE_WRITABLE);
	if (waited)
		wake_up_poll(&p->read_wait, PIPE_READABLE);
	async_notify(&p->write_async, POLL_OUT);
	if (n > 0)
		path_accessed(&f->path);
	return n;
}

/*
 * Appends the odd bytes of a write (beyond whole pages) to the newest page if they fit, so that
 * many small writes share pages and large ones stay page by page. Bytes, or -EFAULT. Lock held.
 */
static ssize_t append(struct pipe *p, struct io_iter *from)
{
	size_t odd = io_count(from) % PAGE_SIZE, done;
	struct pipe_buf *b = pipe_slot(p, p->head - 1);

	if (!odd || pipe_empty(p) || !(b->flags & BUF_MERGE) || b->offset + b->len + odd > PAGE_SIZE)
		return 0;
	done = io_copy_page_from(from, b->page, b->offset + b->len, odd);
	if (unlikely(done < odd)) {
		io_revert(from, done);
		return -EFAULT;
	}
	b->len += odd;
	return (ssize_t)odd;
}

/* Fills free slots. Bytes, or -ENOMEM, -EFAULT when there are none. Lock held. */
static ssize_t fill(struct pipe *p, struct io_iter *from, u32 flags)
{
	ssize_t total = 0;

	while (io_count(from) && !pipe_full(p)) {
		struct page *page = pipe_take_page(p);
		size_t n = MIN(io_count(from), PAGE_SIZE), done;

		if (unlikely(!page))
			return total ? total : -ENOMEM;
		done = io_copy_page_from(from, page, 0, n);
		if (unlikely(!done)) {
			pipe_keep_page(p, page);
			return total ? total : -EFAULT;
		}
		*pipe_slot(p, p->head) = (struct pipe_buf){.page = page, .len = (u32)done, .flags = flags};
		WRITE_ONCE(p->head, p->head + 1);
		total += done;
		if (unlikely(done < n))
			break;
	}
	return total;
}

/* Writes until all is there, the ring is full, or an error: *n counts, the result says why. */
static int write_some(struct file *f, struct pipe *p, struct io_iter *from, ssize_t *n)
{
	u32 flags = READ_ONCE(f->flags) & O_DIRECT ? BUF_PACKET : BUF_MERGE;
	ssize_t done = 0;

	if (unlikely(!p->readers))
		return pipe_broken();
	if (!*n && !pipe_empty(p))
		done = append(p, from);
	if (done > 0)
		*n += done;
	if (done >= 0 && io_count(from))
		done = fill(p, from, flags);
	else if (done > 0)
		done = 0;
	if (done < 0)
		return (int)done;
	*n += done;
	if (io_count(from) && !pipe_full(p))
		return -EFAULT;
	return 0;
}

static ssize_t pipe_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct pipe *p = f->inode->pipe;
	bool was_empty, waited = false;
	ssize_t n = 0;
	int err;

	if (unlikely(!io_count(from)))
		return 0;
	mutex_lock(&p->lock);
	was_empty = pipe_empty(p);
	for (;;) {
		err = write_some(f, p, from, &n);
		if (err || !io_count(from))
			break;
		err = -EAGAIN;
		if (from->nowait || READ_ONCE(f->flags) & O_NONBLOCK)
			break;
		mutex_unlock(&p->lock);
		if (was_empty || p->polled)
			wake_up_poll(&p->read_wait, PIPE_READABLE);
		async_notify(&p->read_async, POLL_IN);
		err = wait_event_exclusive(&p->write_wait, pipe_can_write(p));
		mutex_lock(&p->lock);
		was_empty = pipe_empty(p);
		waited = true;
		if (err)
			break;
	}
	waited &= !pipe_full(p);
	mutex_unlock(&p->lock);
	if (was_empty || p->polled)
		wake_up_poll(&p->read_wait, PIPE_READABLE);
	if (waited)
		wake_up_poll(&p->write_wait, PIPE_WRITABLE);
	async_notify(&p->read_async, POLL_IN);
	if (n > 0)
		inode_touch(f->inode, ATTR_MTIME | ATTR_CTIME);
	return n ? n : err;
}

static __always_inline u32 pipe_events(const struct file *f, const struct pipe *p)
{
	u32 events = 0;

	if (f->mode & FMODE_READ) {
		if (!pipe_empty(p))
			events |= PIPE_READABLE;
		/* A FIFO opened without a writer does not hang up before there has been one. */
		if (!READ_ONCE(p->writers) && (uptr)f->private != READ_ONCE(p->nr_opened_write))
			events |= EPOLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (!pipe_full(p))
			events |= PIPE_WRITABLE;
		if (!READ_ONCE(p->readers))
			events |= EPOLLERR;
	}
	return events;
}

static __noinline u32 pipe_poll_register(struct file *f, struct pipe *p, struct poll_table *pt)
{
	/* From now on writers wake for each write: an edge may be what is waited for. */
	WRITE_ONCE(p->polled, true);
	if (f->mode & FMODE_READ)
		poll_wait(f, &p->read_wait, pt);
	if (f->mode & FMODE_WRITE)
		poll_wait(f, &p->write_wait, pt);
	return pipe_events(f, p);
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->inode->pipe;

	if (pt && pt->register_queue)
		return pipe_poll_register(f, p, pt);
	return pipe_events(f, p);
}

static long pipe_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct pipe *p = f->inode->pipe;
	u64 bytes = 0;
	int value;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		bytes += pipe_slot(p, i)->len;
	mutex_unlock(&p->lock);
	value = (int)bytes;
	return user_write((struct user_int){.uaddr = arg}, &value);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->inode->pipe;
	bool one_sided;

	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	one_sided = !p->readers != !p->writers;
	mutex_unlock(&p->lock);
	if (one_sided) {
		async_notify(&p->read_async, POLL_IN);
		async_notify(&p->write_async, POLL_OUT);
	}
	if (wait_queue_active(&p->read_wait))
		wake_up_events(&p->read_wait, ~0U, PIPE_READABLE | EPOLLHUP | EPOLLERR);
	if (wait_queue_active(&p->write_wait))
		wake_up_events(&p->write_wait, ~0U, PIPE_WRITABLE | EPOLLHUP | EPOLLERR);
	pipe_put(f->inode, p);
}

static int pipe_async(struct file *f, int fd, bool on)
{
	struct pipe *p = f->inode->pipe;
	int err = 0;

	if (f->mode & FMODE_READ)
		err = async_list_set(&p->read_async, f, fd, on);
	if (err || !(f->mode & FMODE_WRITE))
		return err;
	err = async_list_set(&p->write_async, f, fd, on);
	if (err && (f->mode & FMODE_READ))
		(void)!async_list_set(&p->read_async, f, fd, false);
	return err;
}

const struct file_ops pipe_fops = {
	.name = "pipe",
	.async = pipe_async,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

struct pipe *pipe_of(const struct file *f)
{
	return f->ops == &pipe_fops ? f->inode->pipe : NULL;
}

/* Rings are powers of two of pages. 0: out of range. */
static u32 slots_for(u64 size)
{
	if (size > 1ULL << 31)
		return 0;
	return 1u << log2_ceil(DIV_ROUND_UP(MAX(size, PAGE_SIZE), PAGE_SIZE));
}

u32 pipe_round_size(u64 size)
{
	return slots_for(size) * PAGE_SIZE;
}

static long resize_locked(struct pipe *p, u32 slots)
{
	u32 used = p->head - p->tail;
	struct pipe_buf *bufs;

	if (slots < used + p->reserved)
		return -EBUSY;
	bufs = kvmalloc(slots * sizeof(*bufs), GFP_KERNEL);
	if (!bufs)
		return -ENOMEM;
	for (u32 i = 0; i < used; i++)
		bufs[i] = *pipe_slot(p, p->tail + i);
	kvfree(p->bufs);
	p->bufs = bufs;
	p->nr_slots = slots;
	p->tail = 0;
	p->head = used;
	return slots * (long)PAGE_SIZE;
}

long pipe_set_size(struct file *f, u64 size)
{
	struct pipe *p = pipe_of(f);
	u32 slots = slots_for(size);
	long ret;

	if (!p)
		return -EBADF;
	if (!slots)
		return -EINVAL;
	mutex_lock(&p->lock);
	if (slots > p->nr_slots && (u64)slots * PAGE_SIZE > READ_ONCE(pipe_max_size) &&
	    !capable(CAP_SYS_RESOURCE))
		ret = -EPERM;
	else
		ret = resize_locked(p, slots);
	mutex_unlock(&p->lock);
	if (ret > 0)
		wake_up_poll(&p->write_wait, PIPE_WRITABLE);
	return ret;
}

long pipe_get_size(struct file *f)
{
	struct pipe *p = pipe_of(f);

	return p ? (long)READ_ONCE(p->nr_slots) * (long)PAGE_SIZE : -EBADF;
}

static int open_end(const struct path *path, u32 flags, struct file **out)
{
	struct file *f;
	int err = file_alloc(path, flags, &f);

	if (err)
		return err;
	f->ops = &pipe_fops;
	file_open_nonseekable(f->inode, f);
	*out = f;
	return 0;
}

int pipe_create(u32 flags, struct file **reader, struct file **writer)
{
	struct pipe *p = pipe_alloc();
	struct path path;
	int err;

	if (!p)
		return -ENOMEM;
	err = anon_pipe_path(&path);
	if (err) {
		pipe_free(p);
		return err;
	}
	p->readers = p->writers = p->nr_opened_read = p->nr_opened_write = 1;
	p->files = 2;
	path.dentry->inode->pipe = p;
	err = open_end(&path, O_RDONLY | (flags & O_NONBLOCK), reader);
	if (!err) {
		err = open_end(&path, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), writer);
		if (err)
			file_free(*reader);
	}
	if (err) {
		path.dentry->inode->pipe = NULL;
		pipe_free(p);
	}
	path_put(&path);
	return err;
}

static int install_pair(struct user_int fds, u32 flags, struct file *reader, struct file *writer)
{
	bool cloexec = flags & O_CLOEXEC;
	int fd[2], err;

	err = fd_reserve(0, cloexec, &fd[0]);
	if (err)
		return err;
	err = fd_reserve(0, cloexec, &fd[1]);
	if (err)
		goto release_first;
	if (user_write_array(fds, &fd[0], 2)) {
		err = -EFAULT;
		goto release_both;
	}
	fd_install(fd[0], reader);
	fd_install(fd[1], writer);
	return 0;
release_both:
	fd_release(fd[1]);
release_first:
	fd_release(fd[0]);
	return err;
}

long sys_pipe2(struct user_int fds, u32 flags)
{
	struct file *reader, *writer;
	int err;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(flags, &reader, &writer);
	if (err)
		return err;
	err = install_pair(fds, flags, reader, writer);
	if (err) {
		file_put(reader);
		file_put(writer);
	}
	return err;
}

long sys_pipe(struct user_int fds)
{
	return sys_pipe2(fds, 0);
}
