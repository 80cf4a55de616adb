/*
 * Terminals: life cycle and file operations. One struct tty serves all files that are open on it;
 * the driver owns a reference as long as the line exists.
 */
#include <dev/tty.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/task.h>
#include <time/clock.h>
#include <vfs/poll.h>
#include "internal.h"

struct tty *tty_create(const char *name, u64 rdev, const struct tty_ops *ops, void *private)
{
	struct tty *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->ops = ops;
	t->rdev = rdev;
	t->private = private;
	str_copy(t->name, name, sizeof(t->name));
	mutex_init(&t->lock, LOCK_RANK_TTY);
	mutex_init(&t->out_lock, LOCK_RANK_TTY_BUFFER);
	wait_queue_init(&t->read_wait);
	wait_queue_init(&t->write_wait);
	termios_init(t);
	return t;
}

void tty_get(struct tty *t)
{
	ref_get(&t->ref);
}

void tty_put(struct tty *t)
{
	if (t && ref_put(&t->ref)) {
		if (t->ops->freed)
			t->ops->freed(t);
		kfree(t);
	}
}

void tty_receive(struct tty *t, const char *data, size_t len)
{
	mutex_lock(&t->lock);
	if (!t->hung_up)
		ldisc_receive(t, data, len);
	mutex_unlock(&t->lock);
}

/* Canonical mode without a complete line always takes more: surplus characters ring the bell. */
size_t tty_receive_room(struct tty *t)
{
	u64 used = READ_ONCE(t->head) - READ_ONCE(t->tail);

	if (L(t, ICANON) && READ_ONCE(t->canon_head) == READ_ONCE(t->tail))
		return TTY_BUF_SIZE;
	return used < TTY_BUF_SIZE - 1 ? TTY_BUF_SIZE - 1 - used : 0;
}

void tty_hangup(struct tty *t)
{
	mutex_lock(&t->lock);
	t->hung_up = true;
	ldisc_flush_input(t);
	mutex_unlock(&t->lock);
	jobctl_release_all(t, true);
	wake_up_poll(&t->read_wait, EPOLLHUP | EPOLLIN);
	wake_up_all(&t->read_wait);
	wake_up_all(&t->write_wait);
}

int tty_file_open(struct tty *t, struct file *f)
{
	int err = 0;

	mutex_lock(&t->lock);
	if (t->hung_up)
		err = -EIO;
	else if (t->exclusive && !capable(CAP_SYS_ADMIN))
		err = -EBUSY;
	else
		t->opens++;
	mutex_unlock(&t->lock);
	if (err)
		return err;
	tty_get(t);
	f->private = t;
	f->ops = &tty_fops;
	jobctl_open(t, f);
	return file_open_nonseekable(f->inode, f);
}

static void tty_release(struct file *f)
{
	struct tty *t = f->private;
	bool last;

	mutex_lock(&t->lock);
	last = --t->opens == 0;
	if (last)
		t->exclusive = false;
	mutex_unlock(&t->lock);
	if (last && t->ops->last_close)
		t->ops->last_close(t);
	tty_put(t);
}

static ssize_t tty_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct tty *t = f->private;
	int err;

	(void)pos;
	if (READ_ONCE(t->hung_up))
		return 0;
	err = jobctl_check_read(t);
	return err ? err : ldisc_read(t, f, to);
}

static ssize_t tty_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct tty *t = f->private;
	int err = 0;

	(void)pos;
	if (READ_ONCE(t->hung_up))
		return -EIO;
	if (L(t, TOSTOP))
		err = jobctl_check_change(t);
	return err ? err : ldisc_write(t, f, from);
}

static u32 tty_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = f->private;
	u32 events = 0;

	poll_wait(f, &t->read_wait, pt);
	poll_wait(f, &t->write_wait, pt);
	if (ldisc_readable(t, true))
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(t->hung_up))
		return events | EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLOUT | EPOLLWRNORM;
	if (!t->stopped && t->ops->write_room(t))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

long tty_window_size(struct tty *t, unsigned int cmd, u64 arg)
{
	struct user_winsize user = {.uaddr = arg};
	struct winsize ws;
	bool changed;
	int err;

	if (cmd == TIOCGWINSZ) {
		mutex_lock(&t->lock);
		ws = t->winsize;
		mutex_unlock(&t->lock);
		return user_write(user, &ws);
	}
	err = user_read(&ws, user);
	if (err)
		return err;
	mutex_lock(&t->lock);
	changed = memcmp(&ws, &t->winsize, sizeof(ws)) != 0;
	t->winsize = ws;
	mutex_unlock(&t->lock);
	if (changed)
		jobctl_signal_foreground(t, SIGWINCH);
	return 0;
}

static long fake_input(struct tty *t, struct user_bytes user)
{
	char c;
	int err;

	if (current->process->tty != t && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = user_read_bytes(&c, user, 1);
	if (!err)
		tty_receive(t, &c, 1);
	return err;
}

static long set_exclusive(struct tty *t, bool on)
{
	mutex_lock(&t->lock);
	t->exclusive = on;
	mutex_unlock(&t->lock);
	return 0;
}

static long write_int(struct user_int to, int v)
{
	return user_write(to, &v);
}

/* Discards: 0 input, 1 output, 2 both. */
static long flush(struct tty *t, u64 which)
{
	int err = jobctl_check_change(t);

	if (err)
		return err;
	if (which > TCIOFLUSH)
		return -EINVAL;
	if (which != TCOFLUSH) {
		mutex_lock(&t->lock);
		ldisc_flush_input(t);
		mutex_unlock(&t->lock);
		if (t->ops->unthrottle)
			t->ops->unthrottle(t);
	}
	if (which != TCIFLUSH && t->ops->discard_output)
		t->ops->discard_output(t);
	return 0;
}

/* TCSBRK, TCSBRKP: waits for the output, then holds the line down, which only a serial line can. */
static long drain_and_break(struct tty *t, u64 tenths)
{
	int err = jobctl_check_change(t);

	if (!err && t->ops->drain)
		err = t->ops->drain(t);
	if (err || !tenths || !t->ops->set_break)
		return err;
	t->ops->set_break(t, true);
	sched_set_state(TASK_INTERRUPTIBLE);
	(void)schedule_until(clock_monotonic() + tenths * (NSEC_PER_SEC / 10));
	t->ops->set_break(t, false);
	return 0;
}

static long hold_break(struct tty *t, bool on)
{
	int err = t->ops->set_break ? jobctl_check_change(t) : -ENOTTY;

	if (!err)
		t->ops->set_break(t, on);
	return err;
}

static long flow(struct tty *t, u64 which)
{
	int err = jobctl_check_change(t);

	if (err)
		return err;
	switch (which) {
	case TCOOFF:
	case TCOON:
		WRITE_ONCE(t->stopped, which == TCOOFF);
		wake_up_all(&t->write_wait);
		return 0;
	case TCIOFF:
	case TCION: {
		char c = (char)CC(t, which == TCIOFF ? VSTOP : VSTART);

		return t->ops->write(t, &c, 1, true) < 0 ? -EIO : 0;
	}
	default:
		return -EINVAL;
	}
}

static long tty_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct tty *t = f->private;
	long err;

	if (READ_ONCE(t->hung_up))
		return -EIO;
	switch (cmd) {
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return tty_window_size(t, cmd, arg);
	case TIOCSTI:
		return fake_input(t, (struct user_bytes){.uaddr = arg});
	case TIOCINQ:
		return write_int((struct user_int){.uaddr = arg}, (int)ldisc_input_count(t));
	case TIOCOUTQ:
		return write_int((struct user_int){.uaddr = arg},
				 t->ops->pending_output ? (int)t->ops->pending_output(t) : 0);
	case TIOCGETD:
		return write_int((struct user_int){.uaddr = arg}, 0);
	case TIOCEXCL:
	case TIOCNXCL:
		return set_exclusive(t, cmd == TIOCEXCL);
	case TIOCGEXCL:
		return write_int((struct user_int){.uaddr = arg}, t->exclusive);
	case TCFLSH:
		return flush(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK: /* not 0: tcdrain */
		return drain_and_break(t, arg ? 0 : 3);
	case TCSBRKP:
		return drain_and_break(t, arg ? MIN(arg, 600UL) : 3);
	case TIOCSBRK:
	case TIOCCBRK:
		return hold_break(t, cmd == TIOCSBRK);
	default:
		break;
	}
	err = jobctl_ioctl(t, f, cmd, arg);
	if (err == -ENOIOCTLCMD)
		err = termios_ioctl(t, t, cmd, arg);
	if (err == -ENOIOCTLCMD && t->ops->ioctl)
		err = t->ops->ioctl(t, cmd, arg);
	return err == -ENOIOCTLCMD ? -ENOTTY : err;
}

static int tty_async(struct file *f, int fd, bool on)
{
	struct tty *t = f->private;

	return jobctl_async(t, &t->async, f, fd, on);
}

const struct file_ops tty_fops = {
	.name = "tty",
	.async = tty_async,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.llseek = file_llseek_none,
	.release = tty_release,
};
