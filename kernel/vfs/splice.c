/*
 * splice, tee, vmsplice: moving data through pipes.
 *
 * A pipe's mutex ranks behind inode locks, so it is never held while the other side is read or
 * written. Instead a splice reserves a slot: towards a pipe, before it reads what will fill it; from
 * a pipe, when it takes a buffer out, so that what could not be written can be put back in front.
 * Reserved slots count as full. Pages pass from pipe to pipe without being copied; to and from
 * anything else they are copied once, by that file's own read or write operation.
 */
#include <lib/errno.h>
#include <linux/fs.h>
#include <linux/eventpoll.h>
#include <syscall/table.h>

#include "internal_io.h"
#include "pipe_internal.h"

#define SPLICE_F_MOVE     1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE     4
#define SPLICE_F_GIFT     8
#define SPLICE_F_ALL      15

/* Waits for room in the pipe and reserves a slot. 0, -EAGAIN, -EPIPE (with SIGPIPE), -ERESTARTSYS. */
static int reserve_slot(struct pipe *p, bool may_wait)
{
	int err = 0;

	mutex_lock(&p->lock);
	for (;;) {
		if (!p->readers)
			err = pipe_broken();
		else if (!pipe_full(p))
			break;
		else if (!may_wait)
			err = -EAGAIN;
		if (err)
			goto out;
		mutex_unlock(&p->lock);
		err = wait_event_exclusive(&p->write_wait, pipe_can_write(p));
		if (err)
			return err;
		mutex_lock(&p->lock);
	}
	p->reserved++;
out:
	mutex_unlock(&p->lock);
	return err;
}

static void cancel_slot(struct pipe *p)
{
	mutex_lock(&p->lock);
	p->reserved--;
	mutex_unlock(&p->lock);
	wake_up_poll(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
	async_notify(&p->write_async, POLL_OUT);
}

/* Puts a buffer into the reserved slot. */
static void push_buf(struct pipe *p, const struct pipe_buf *b)
{
	mutex_lock(&p->lock);
	p->reserved--;
	*pipe_slot(p, p->head) = *b;
	WRITE_ONCE(p->head, p->head + 1);
	mutex_unlock(&p->lock);
	wake_up_poll(&p->read_wait, EPOLLIN | EPOLLRDNORM);
	async_notify(&p->read_async, POLL_IN);
}

/*
 * Waits for data and takes up to max bytes of the oldest buffer out, leaving its slot reserved. The
 * rest of a buffer that is cut stays; then both share the page. 1, 0 at the end of the pipe (or with
 * nothing there when may_wait is false and no writer is left), or -errno.
 */
static int take_buf(struct pipe *p, size_t max, bool may_wait, struct pipe_buf *out)
{
	struct pipe_buf *b;
	int err;

	mutex_lock(&p->lock);
	while (pipe_empty(p)) {
		bool end = !p->writers;

		mutex_unlock(&p->lock);
		if (end)
			return 0;
		if (!may_wait)
			return -EAGAIN;
		err = wait_event_exclusive(&p->read_wait, pipe_can_read(p));
		if (err)
			return err;
		mutex_lock(&p->lock);
	}
	b = pipe_slot(p, p->tail);
	*out = *b;
	out->len = (u32)MIN((size_t)b->len, max);
	if (out->len < b->len) {
		page_get(b->page);
		b->offset += out->len;
		b->len -= out->len;
		b->flags &= ~BUF_MERGE;
	} else {
		WRITE_ONCE(p->tail, p->tail + 1);
	}
	p->reserved++;
	out->flags &= ~BUF_MERGE;
	mutex_unlock(&p->lock);
	return 1;
}

/* Ends take_buf: what is left of the buffer goes back in front, or its page away. */
static void untake_buf(struct pipe *p, struct pipe_buf *b)
{
	mutex_lock(&p->lock);
	p->reserved--;
	if (b->len) {
		WRITE_ONCE(p->tail, p->tail - 1);
		*pipe_slot(p, p->tail) = *b;
	} else {
		pipe_keep_page(p, b->page);
	}
	mutex_unlock(&p->lock);
	wake_up_poll(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
	async_notify(&p->write_async, POLL_OUT);
}

static ssize_t buf_write(struct file *out, struct pipe_buf *b, loff_t *pos)
{
	struct io_seg seg = {.page = b->page, .len = b->len, .offset = b->offset};
	struct io_iter it __uninit;
	ssize_t n;

	io_iter_pages(&it, &seg, 1, b->len);
	n = file_write_iter(out, &it, pos);
	if (n > 0) {
		b->offset += (u32)n;
		b->len -= (u32)n;
	}
	return n;
}

static ssize_t pipe_to_file(struct pipe *p, struct file *out, loff_t *pos, u64 len, bool may_wait)
{
	ssize_t total = 0, n = 0;
	struct pipe_buf b;

	while ((u64)total < len) {
		n = take_buf(p, len - (u64)total, may_wait && !total, &b);
		if (n <= 0)
			break;
		n = buf_write(out, &b, pos);
		untake_buf(p, &b);
		if (n <= 0)
			break;
		total += n;
		if (b.len)
			break;
	}
	return total ? total : n;
}

/* Reads the next page of the file into a fresh buffer. Bytes, 0 at the end, or -errno. */
static ssize_t buf_read(struct file *in, struct pipe_buf *b, loff_t *pos, size_t len, bool nowait)
{
	struct io_iter it __uninit;
	struct io_seg seg;
	ssize_t n;

	*b = (struct pipe_buf){.page = page_alloc(0, GFP_USER)};
	if (!b->page)
		return -ENOMEM;
	seg = (struct io_seg){.page = b->page, .len = MIN(len, PAGE_SIZE)};
	io_iter_pages(&it, &seg, 1, seg.len);
	it.nowait = nowait;
	n = file_read_iter(in, &it, pos);
	if (n <= 0)
		page_put(b->page);
	else
		b->len = (u32)n;
	return n;
}

static ssize_t file_to_pipe(struct file *in, loff_t *pos, struct pipe *p, u64 len, bool may_wait,
			    bool nowait)
{
	ssize_t total = 0, n = 0;
	struct pipe_buf b;

	while ((u64)total < len) {
		n = reserve_slot(p, may_wait && !total);
		if (n)
			break;
		n = buf_read(in, &b, pos, len - (u64)total, nowait);
		if (n <= 0) {
			cancel_slot(p);
			break;
		}
		push_buf(p, &b);
		total += n;
		if (!inode_is_reg(in->inode)) /* another read might sleep */
			break;
	}
	return total ? total : n;
}

static ssize_t pipe_to_pipe(struct pipe *in, struct pipe *out, u64 len, bool may_wait)
{
	ssize_t total = 0, n = 0;
	struct pipe_buf b;

	while ((u64)total < len) {
		n = reserve_slot(out, may_wait && !total);
		if (n)
			break;
		n = take_buf(in, len - (u64)total, may_wait && !total, &b);
		if (n <= 0) {
			cancel_slot(out);
			break;
		}
		total += b.len;
		push_buf(out, &b);
		mutex_lock(&in->lock);
		in->reserved--;
		mutex_unlock(&in->lock);
		wake_up_poll(&in->write_wait, EPOLLOUT | EPOLLWRNORM);
	}
	return total ? total : n;
}

/* An offset is the user's when given, else the file's own. */
struct splice_pos {
	struct user_loff user;
	loff_t here;
	loff_t *pos;
};

static int pos_get(struct splice_pos *sp, struct file *f, struct user_loff user)
{
	sp->user = user;
	sp->pos = &f->pos;
	if (user_is_null(user))
		return 0;
	if (!(f->mode & FMODE_PREAD))
		return -EINVAL;
	sp->pos = &sp->here;
	return user_read(&sp->here, user);
}

static ssize_t pos_put(struct splice_pos *sp, ssize_t n)
{
	if (!user_is_null(sp->user) && n > 0 && user_write(sp->user, &sp->here))
		return -EFAULT;
	return n;
}

static ssize_t do_splice(struct file *in, struct user_loff in_off, struct file *out,
			 struct user_loff out_off, u64 len, u32 flags)
{
	struct pipe *in_pipe = pipe_of(in), *out_pipe = pipe_of(out);
	bool wait_in = !(flags & SPLICE_F_NONBLOCK || in->flags & O_NONBLOCK);
	bool wait_out = !(flags & SPLICE_F_NONBLOCK || out->flags & O_NONBLOCK);
	struct splice_pos sp;
	int err;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if ((in_pipe && !user_is_null(in_off)) || (out_pipe && !user_is_null(out_off)))
		return -ESPIPE;
	if (in_pipe && out_pipe)
		return in_pipe == out_pipe ? -EINVAL :
					     pipe_to_pipe(in_pipe, out_pipe, len, wait_in && wait_out);
	if (in_pipe) {
		err = pos_get(&sp, out, out_off);
		if (err || out->flags & O_APPEND)
			return err ? err : -EINVAL;
		return pos_put(&sp, pipe_to_file(in_pipe, out, sp.pos, len,
						 !(flags & SPLICE_F_NONBLOCK)));
	}
	if (!out_pipe)
		return -EINVAL;
	err = pos_get(&sp, in, in_off);
	if (err)
		return err;
	/* Of the files that can be waited for, sockets take the flag for themselves. */
	return pos_put(&sp, file_to_pipe(in, sp.pos, out_pipe, len, wait_out,
					 flags & SPLICE_F_NONBLOCK && inode_is_sock(in->inode)));
}

long sys_splice(int in_fd, struct user_loff in_off, int out_fd, struct user_loff out_off, u64 len,
		u32 flags)
{
	struct fd in, out;
	long ret = -EBADF;

	if (!len)
		return 0;
	if (flags & ~(u32)SPLICE_F_ALL)
		return -EINVAL;
	in = fd_get(in_fd);
	if (!in.file)
		return -EBADF;
	out = fd_get(out_fd);
	if (out.file) {
		ret = do_splice(in.file, in_off, out.file, out_off, MIN(len, IO_MAX_BYTES), flags);
		fd_put(out);
	}
	fd_put(in);
	return ret;
}

/* A second reference to the buffer at position *at or later; false when there is none. */
static bool peek_buf(struct pipe *p, u32 *at, size_t max, struct pipe_buf *out)
{
	struct pipe_buf *b;
	bool found;

	mutex_lock(&p->lock);
	if ((s32)(*at - p->tail) < 0)
		*at = p->tail;
	found = (s32)(p->head - *at) > 0;
	if (found) {
		b = pipe_slot(p, *at);
		b->flags &= ~BUF_MERGE;
		*out = *b;
		out->len = (u32)MIN((size_t)b->len, max);
		page_get(b->page);
		(*at)++;
	}
	mutex_unlock(&p->lock);
	return found;
}

static ssize_t do_tee(struct pipe *in, struct pipe *out, u64 len, bool may_wait)
{
	u32 at = READ_ONCE(in->tail);
	ssize_t total = 0, n = 0;
	struct pipe_buf b;

	if (may_wait) {
		n = wait_event_interruptible(&in->read_wait, pipe_can_read(in));
		if (n)
			return n;
	}
	while ((u64)total < len) {
		n = reserve_slot(out, may_wait && !total);
		if (n)
			break;
		if (!peek_buf(in, &at, len - (u64)total, &b)) {
			cancel_slot(out);
			n = !may_wait && READ_ONCE(in->writers) ? -EAGAIN : 0;
			break;
		}
		total += b.len;
		push_buf(out, &b);
	}
	return total ? total : n;
}

static ssize_t tee_files(struct file *in, struct file *out, u64 len, u32 flags)
{
	struct pipe *in_pipe = pipe_of(in), *out_pipe = pipe_of(out);
	bool may_wait = !(flags & SPLICE_F_NONBLOCK || (in->flags | out->flags) & O_NONBLOCK);

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!in_pipe || !out_pipe || in_pipe == out_pipe)
		return -EINVAL;
	return do_tee(in_pipe, out_pipe, len, may_wait);
}

long sys_tee(int in_fd, int out_fd, u64 len, u32 flags)
{
	struct fd in, out;
	long ret = -EBADF;

	if (flags & ~(u32)SPLICE_F_ALL)
		return -EINVAL;
	if (!len)
		return 0;
	in = fd_get(in_fd);
	if (!in.file)
		return -EBADF;
	out = fd_get(out_fd);
	if (out.file) {
		ret = tee_files(in.file, out.file, MIN(len, IO_MAX_BYTES), flags);
		fd_put(out);
	}
	fd_put(in);
	return ret;
}

/* Into a pipe: waits for room once, then takes what fits. Out of one: an ordinary read. */
static ssize_t do_vmsplice(struct file *f, struct io_iter *it, u32 flags)
{
	struct pipe *p = pipe_of(f);
	loff_t pos = 0;
	int err;

	if (!p)
		return -EBADF;
	if (!io_count(it))
		return 0;
	if (f->mode & FMODE_WRITE) {
		if (!(flags & SPLICE_F_NONBLOCK)) {
			err = wait_event_interruptible(&p->write_wait, pipe_can_write(p));
			if (err)
				return err;
		}
		it->nowait = true;
		return file_write_iter(f, it, &pos);
	}
	it->nowait = flags & SPLICE_F_NONBLOCK;
	return file_read_iter(f, it, &pos);
}

long sys_vmsplice(int fd, struct user_iovec vec, u64 nr, u32 flags)
{
	struct io_iter it __uninit;
	struct fd f;
	long ret;

	if (flags & ~(u32)SPLICE_F_ALL)
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	ret = io_iter_user_vec(&it, vec, nr);
	if (!ret) {
		ret = do_vmsplice(f.file, &it, flags);
		io_iter_fini(&it);
	}
	fd_put(f);
	return ret;
}
