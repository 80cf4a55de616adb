/*
 * FIFOs: opening a pipe by name. The pipe hangs off the inode (inode->pipe, inode->spin) while it
 * is open anywhere. An open for reading waits for a writer and the other way round; it is enough
 * that the partner has been there, hence the counters of opens. After the open a FIFO is a pipe.
 */
#include <lib/errno.h>
#include <linux/eventpoll.h>

#include "anon.h"
#include "pipe_internal.h"

/* The inode's pipe, made if it has none, with one more in files. NULL: no memory. */
static struct pipe *fifo_get(struct inode *inode)
{
	struct pipe *new = NULL, *p;

	if (!READ_ONCE(inode->pipe)) {
		new = pipe_alloc();
		if (!new)
			return NULL;
	}
	spin_lock(&inode->spin);
	p = inode->pipe;
	if (!p) {
		p = inode->pipe = new;
		new = NULL;
	}
	if (p)
		p->files++;
	spin_unlock(&inode->spin);
	if (new)
		pipe_free(new);
	return p ? p : fifo_get(inode); /* it went away between the looks: once more */
}

/* Sleeps until somebody opens the other end. Lock held on entry and return. */
static int wait_for_partner(struct pipe *p, const u32 *counter) REQUIRES(p->lock)
{
	u32 before = *counter;
	int err;

	mutex_unlock(&p->lock);
	err = wait_event_interruptible(&p->read_wait, READ_ONCE(*counter) != before);
	mutex_lock(&p->lock);
	return *counter != before ? 0 : err;
}

static int open_read(struct file *f, struct pipe *p) REQUIRES(p->lock)
{
	int err = 0;

	p->nr_opened_read++;
	if (p->readers++ == 0)
		wake_up_all(&p->read_wait);
	if (p->writers || anon_is_pipe(f->inode))
		return 0;
	if (f->flags & O_NONBLOCK)
		f->private = (void *)(uptr)p->nr_opened_write; /* see pipe_poll */
	else
		err = wait_for_partner(p, &p->nr_opened_write);
	if (err && --p->readers == 0)
		wake_up_all(&p->write_wait);
	return err;
}

static int open_write(struct file *f, struct pipe *p) REQUIRES(p->lock)
{
	int err;

	if (f->flags & O_NONBLOCK && !p->readers && !anon_is_pipe(f->inode))
		return -ENXIO;
	p->nr_opened_write++;
	if (p->writers++ == 0)
		wake_up_all(&p->read_wait);
	if (p->readers || anon_is_pipe(f->inode))
		return 0;
	err = wait_for_partner(p, &p->nr_opened_read);
	if (err && --p->writers == 0)
		wake_up_all(&p->read_wait);
	return err;
}

static int open_both(struct pipe *p) REQUIRES(p->lock)
{
	p->nr_opened_read++;
	p->nr_opened_write++;
	p->readers++;
	p->writers++;
	if (p->readers == 1 || p->writers == 1)
		wake_up_all(&p->read_wait);
	return 0;
}

static int open_locked(struct file *f, struct pipe *p) REQUIRES(p->lock)
{
	switch (f->mode & (FMODE_READ | FMODE_WRITE)) {
	case FMODE_READ:
		return open_read(f, p);
	case FMODE_WRITE:
		return open_write(f, p);
	case FMODE_READ | FMODE_WRITE:
		return open_both(p);
	default:
		return -EINVAL;
	}
}

static int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p = fifo_get(inode);
	int err;

	if (!p)
		return -ENOMEM;
	mutex_lock(&p->lock);
	err = open_locked(f, p);
	mutex_unlock(&p->lock);
	if (err) {
		pipe_put(inode, p);
		return err;
	}
	f->ops = &pipe_fops;
	return file_open_nonseekable(inode, f);
}

const struct file_ops fifo_fops = {.name = "fifo", .open = fifo_open};
