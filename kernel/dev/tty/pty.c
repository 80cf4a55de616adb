/*
 * Pseudo-terminals: /dev/ptmx opens a master and makes the slave pts/N in devpts. The slave is an
 * ordinary struct tty; the master is a file of its own kind whose writes are the slave's input and
 * whose reads take the slave's output from a ring.
 *
 * pair->lock (spinlock, LOCK_RANK_TTY_SPIN) guards the ring and the flags; it is a leaf.
 */
#include <arch/speculation.h>
#include <asm/siginfo.h>
#include <boot/init.h>
#include <dev/tty.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/task.h>
#include <vfs/chrdev.h>
#include <vfs/poll.h>
#include "devpts.h"
#include "internal.h"

#define PTS_MAJOR   136
#define PTMX_MINOR  2
#define TTYAUX      5
#define PTY_MAX     4096
#define RING_SIZE   8192

struct pty_pair {
	struct ref ref;            /* master file, slave tty */
	u32 index;
	struct tty *slave;         /* const; the pair owns one reference */
	struct spinlock lock;
	bool locked;               /* TIOCSPTLCK: the slave cannot be opened yet */
	bool master_open, slave_opened_once;
	char *ring;                /* slave's output; lock */
	u64 head, tail;
	struct wait_queue master_wait;
	struct async_list master_async; /* told of output of the slave */
};

static DEFINE_MUTEX(index_lock, LOCK_RANK_SLEEP_INNER);
static u64 used[BITS_TO_WORDS(PTY_MAX)]; /* index_lock */
static struct pty_pair *pairs[PTY_MAX];  /* index_lock */

static struct pty_pair *pair_of(struct tty *t)
{
	return t->private;
}

static void pair_put(struct pty_pair *p)
{
	if (!ref_put(&p->ref))
		return;
	mutex_lock(&index_lock);
	pairs[p->index] = NULL;
	bitmap_clear_plain(used, p->index);
	mutex_unlock(&index_lock);
	pages_free_virt(p->ring, 1);
	kfree(p);
}

/* ---- the slave's line ---- */

static size_t ring_put(struct pty_pair *p, const char *data, size_t len)
{
	u64 flags = spin_lock_irqsave(&p->lock);
	size_t n = 0;

	while (n < len && p->head - p->tail < RING_SIZE)
		p->ring[p->head++ % RING_SIZE] = data[n++];
	spin_unlock_irqrestore(&p->lock, flags);
	if (n) {
		wake_up_poll(&p->master_wait, EPOLLIN | EPOLLRDNORM);
		async_notify(&p->master_async, POLL_IN);
	}
	return n;
}

static bool slave_can_write(struct pty_pair *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) < RING_SIZE || !READ_ONCE(p->master_open);
}

static ssize_t slave_write(struct tty *t, const char *data, size_t len, bool nonblock)
{
	struct pty_pair *p = pair_of(t);

	for (;;) {
		size_t n;
		int err;

		if (!READ_ONCE(p->master_open))
			return -EIO;
		n = ring_put(p, data, len);
		if (n || !len)
			return (ssize_t)n;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&t->write_wait, slave_can_write(p));
		if (err)
			return err;
	}
}

static size_t slave_room(struct tty *t)
{
	struct pty_pair *p = pair_of(t);

	return RING_SIZE - (READ_ONCE(p->head) - READ_ONCE(p->tail));
}

static size_t slave_pending(struct tty *t)
{
	struct pty_pair *p = pair_of(t);

	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

static void slave_unthrottle(struct tty *t)
{
	wake_up_poll(&pair_of(t)->master_wait, EPOLLOUT | EPOLLWRNORM);
}

static void slave_last_close(struct tty *t)
{
	wake_up_all(&pair_of(t)->master_wait);
}

/* The slave outlives the master while somebody has it open. */
static void slave_freed(struct tty *t)
{
	pair_put(pair_of(t));
}

static const struct tty_ops slave_ops = {
	.freed = slave_freed,
	.write = slave_write,
	.write_room = slave_room,
	.pending_output = slave_pending,
	.unthrottle = slave_unthrottle,
	.last_close = slave_last_close,
};

/* ---- the master ---- */

static bool slave_gone(struct pty_pair *p)
{
	return READ_ONCE(p->slave_opened_once) && READ_ONCE(p->slave->opens) == 0;
}

static bool master_readable(struct pty_pair *p)
{
	return READ_ONCE(p->head) != READ_ONCE(p->tail) || READ_ONCE(p->slave->packet_status);
}

static ssize_t master_take(struct pty_pair *p, struct io_iter *to)
{
	char chunk[512];
	ssize_t done = 0;

	while (io_count(to)) {
		u64 flags = spin_lock_irqsave(&p->lock);
		size_t n = 0, want = MIN(io_count(to), (u64)sizeof(chunk)), copied;

		while (n < want && p->tail + n != p->head) {
			chunk[n] = p->ring[(p->tail + n) % RING_SIZE];
			n++;
		}
		p->tail += n;
		spin_unlock_irqrestore(&p->lock, flags);
		if (!n)
			break;
		copied = io_copy_to(to, chunk, n);
		done += (ssize_t)copied;
		if (copied < n)
			return done ? done : -EFAULT;
	}
	if (done)
		wake_up_poll(&p->slave->write_wait, EPOLLOUT | EPOLLWRNORM);
	return done;
}

/* Packet mode (ioctl_tty(2)): a status byte of its own, or a zero byte and data. */
static ssize_t packet_header(struct pty_pair *p, struct io_iter *to)
{
	char status;
	u64 flags = spin_lock_irqsave(&p->lock);

	status = (char)p->slave->packet_status;
	p->slave->packet_status = 0;
	spin_unlock_irqrestore(&p->lock, flags);
	return io_copy_to(to, &status, 1) == 1 ? (status ? 1 : 0) : -EFAULT;
}

static ssize_t master_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct pty_pair *p = f->private;
	ssize_t n = 0;
	int err;

	(void)pos;
	while (!master_readable(p)) {
		if (slave_gone(p))
			return -EIO;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->master_wait, master_readable(p) || slave_gone(p));
		if (err)
			return err;
	}
	if (p->slave->packet) {
		n = packet_header(p, to);
		if (n)
			return n;
	}
	n = master_take(p, to);
	return n < 0 ? n : n + p->slave->packet;
}

static ssize_t master_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct pty_pair *p = f->private;
	char chunk[256];
	ssize_t total = 0;
	int err;

	(void)pos;
	while (io_count(from)) {
		size_t room = tty_receive_room(p->slave), n;

		if (!room) {
			if (f->flags & O_NONBLOCK)
				return total ? total : -EAGAIN;
			err = wait_event_interruptible(&p->master_wait,
						       tty_receive_room(p->slave) || slave_gone(p));
			if (err)
				return total ? total : err;
			if (slave_gone(p))
				return total ? total : -EIO;
			continue;
		}
		n = io_copy_from(from, chunk, MIN(MIN(room, sizeof(chunk)), io_count(from)));
		if (!n)
			return total ? total : -EFAULT;
		tty_receive(p->slave, chunk, n);
		total += (ssize_t)n;
	}
	return total;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct pty_pair *p = f->private;
	u32 events = 0;

	poll_wait(f, &p->master_wait, pt);
	if (master_readable(p))
		events |= EPOLLIN | EPOLLRDNORM | (p->slave->packet_status ? EPOLLPRI : 0);
	if (tty_receive_room(p->slave))
		events |= EPOLLOUT | EPOLLWRNORM;
	if (slave_gone(p))
		events |= EPOLLHUP;
	return events;
}

static long read_int(struct user_int from, int *v)
{
	return user_read(v, from);
}

static long write_int(struct user_int to, int v)
{
	return user_write(to, &v);
}

/* TIOCGPTPEER: the slave, without a name look-up. */
static long open_peer(struct pty_pair *p, u64 flags)
{
	char name[32];
	struct file *file;
	int fd, err;

	if (flags & ~(u64)(O_RDWR | O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	format(name, sizeof(name), "/dev/pts/%u", p->index);
	err = fd_reserve(0, flags & O_CLOEXEC, &fd);
	if (err)
		return err;
	err = file_open_at(AT_FDCWD, name, (u32)flags, 0, LOOKUP_FOLLOW, &file);
	if (err) {
		fd_release(fd);
		return err;
	}
	fd_install(fd, file);
	return fd;
}

static long set_bool(u64 arg, bool *flag)
{
	int v;
	long err = read_int((struct user_int){.uaddr = arg}, &v);

	if (!err)
		WRITE_ONCE(*flag, v != 0);
	return err;
}

/* Sends a signal to the slave's foreground group (TIOCSIG). */
static long signal_slave(struct pty_pair *p, u64 sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	jobctl_signal_foreground(p->slave, (int)sig);
	return 0;
}

static long master_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct pty_pair *p = f->private;
	struct user_int user = {.uaddr = arg};
	long err;

	switch (cmd) {
	case TIOCGPTN:
		return write_int(user, (int)p->index);
	case TIOCSPTLCK:
		return set_bool(arg, &p->locked);
	case TIOCGPTLCK:
		return write_int(user, p->locked);
	case TIOCGPTPEER:
		return open_peer(p, arg);
	case TIOCPKT:
		return set_bool(arg, &p->slave->packet);
	case TIOCGPKT:
		return write_int(user, p->slave->packet);
	case TIOCSIG:
		return signal_slave(p, arg);
	case TIOCINQ:
		return write_int(user, (int)slave_pending(p->slave));
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return tty_window_size(p->slave, cmd, arg);
	case TIOCGPGRP:
	case TIOCGSID:
		return jobctl_peer_number(p->slave, cmd == TIOCGSID, arg);
	default:
		err = termios_ioctl(p->slave, p->slave, cmd, arg);
		return err == -ENOIOCTLCMD ? -ENOTTY : err;
	}
}

static void master_release(struct file *f)
{
	struct pty_pair *p = f->private;

	mutex_lock(&index_lock);
	WRITE_ONCE(p->master_open, false);
	mutex_unlock(&index_lock);
	devpts_remove(p->index);
	tty_hangup(p->slave);
	tty_put(p->slave);
	pair_put(p);
}

static int master_async(struct file *f, int fd, bool on)
{
	struct pty_pair *p = f->private;

	return jobctl_async(p->slave, &p->master_async, f, fd, on);
}

static const struct file_ops master_ops = {
	.name = "ptmx",
	.async = master_async,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.llseek = file_llseek_none,
	.release = master_release,
};

/* ---- opening ---- */

static int index_alloc(struct pty_pair *p)
{
	u64 i;

	mutex_lock(&index_lock);
	i = bitmap_next_clear(used, PTY_MAX, 0);
	if (i < PTY_MAX) {
		bitmap_set_plain(used, i);
		pairs[i] = p;
		p->index = (u32)i;
	}
	mutex_unlock(&index_lock);
	return i < PTY_MAX ? 0 : -ENOSPC;
}

static struct pty_pair *pair_create(void)
{
	struct pty_pair *p = kzalloc(sizeof(*p), GFP_KERNEL);
	char name[16];

	if (!p)
		return NULL;
	p->ring = pages_alloc_virt(1, GFP_KERNEL);
	if (!p->ring || index_alloc(p)) {
		if (p->ring)
			pages_free_virt(p->ring, 1);
		kfree(p);
		return NULL;
	}
	ref_init(&p->ref);
	spin_init(&p->lock, LOCK_RANK_TTY_SPIN);
	wait_queue_init(&p->master_wait);
	p->locked = p->master_open = true;
	format(name, sizeof(name), "pts/%u", p->index);
	p->slave = tty_create(name, dev_make(PTS_MAJOR, p->index), &slave_ops, p);
	if (!p->slave) {
		pair_put(p);
		return NULL;
	}
	ref_get(&p->ref); /* the slave's; see slave_freed */
	return p;
}

static int ptmx_open(struct inode *inode, struct file *f)
{
	struct pty_pair *p = pair_create();
	int err;

	if (!p)
		return -ENOSPC;
	err = devpts_add(p->index, dev_make(PTS_MAJOR, p->index));
	if (err) {
		tty_put(p->slave);
		pair_put(p);
		return err;
	}
	f->private = p;
	f->ops = &master_ops;
	return file_open_nonseekable(inode, f);
}

static int slave_open(struct inode *inode, struct file *f)
{
	u32 index = (u32)(inode->rdev & 0xfffff);
	struct tty *t = NULL;
	bool locked = false;
	int err;

	mutex_lock(&index_lock);
	if (index < PTY_MAX)
		index = (u32)index_clamp(index, PTY_MAX);
	if (index < PTY_MAX && pairs[index] && READ_ONCE(pairs[index]->master_open)) {
		t = pairs[index]->slave;
		locked = pairs[index]->locked;
		if (t)
			tty_get(t);
	}
	mutex_unlock(&index_lock);
	if (!t)
		return -EIO;
	err = locked ? -EIO : tty_file_open(t, f);
	if (!err)
		WRITE_ONCE(pair_of(t)->slave_opened_once, true);
	tty_put(t);
	return err;
}

static const struct file_ops ptmx_ops = {.name = "ptmx", .open = ptmx_open};
static const struct file_ops pts_ops = {.name = "pts", .open = slave_open};

static int pty_init(void)
{
	int err = chrdev_register(TTYAUX, PTMX_MINOR, 1, "/dev/ptmx", &ptmx_ops);

	if (!err)
		err = chrdev_register(PTS_MAJOR, 0, PTY_MAX, "pts", &pts_ops);
	if (!err)
		err = devtmpfs_add("ptmx", 0666, dev_make(TTYAUX, PTMX_MINOR));
	return err ? err : devpts_init();
}
INIT_CALL(INIT_FS, pty_init);
