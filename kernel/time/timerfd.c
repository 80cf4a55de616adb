/*
 * timerfd: a timer that is read as a file. fd->lock (interrupts disabled) guards all that changes; the
 * expiry takes it, so whoever stops the timer uses try_cancel under it and steps back meanwhile.
 *
 * A periodic timer is armed again when its ticks are read, not when it expires: one that nobody
 * reads costs one interrupt. What was missed is added up then.
 *
 * With TFD_TIMER_CANCEL_ON_SET the file stands on cancel_list; setting the clock marks it, and the
 * next read or setting answers ECANCELED. cancel_lock guards that list and is taken before fd->lock.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <linux/timerfd.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/task.h>
#include <time/clock_timer.h>
#include <vfs/file.h>
#include <vfs/poll.h>
#include "internal.h"

#define CREATE_FLAGS  (TFD_CLOEXEC | TFD_NONBLOCK)
#define SETTIME_FLAGS (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)

struct timerfd {
	struct spinlock lock;      /* LOCK_RANK_TIMERFD */
	struct clock_timer timer;
	int clock;                 /* const: as created */
	u32 base;                  /* lock: fixed clock that expires_ns is a time of */
	u32 settime_flags;         /* lock */
	bool expired;              /* lock: since it was armed; a periodic one waits for its reader */
	bool may_cancel;           /* lock */
	bool cancelled;            /* lock: the clock was set */
	u64 expires_ns;            /* lock; 0: never set, or stopped */
	u64 interval_ns;           /* lock */
	u64 ticks;                 /* lock; torn-free reads */
	struct list_head cancel_node; /* cancel_lock */
	struct wait_queue wait;
};

static DEFINE_SPINLOCK(cancel_lock, LOCK_RANK_TIMERFD_CANCEL);
static struct list_head cancel_list = LIST_INIT(cancel_list);

static void timerfd_expired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer.timer);
	u64 flags = spin_lock_irqsave(&t->lock);
	bool due = clock_timer_due(&t->timer);

	if (due) {
		t->expired = true;
		WRITE_ONCE(t->ticks, t->ticks + 1);
		wake_up_poll(&t->wait, EPOLLIN);
	}
	spin_unlock_irqrestore(&t->lock, flags);
}

void timerfds_clock_set(void)
{
	struct timerfd *t;
	u64 flags = spin_lock_irqsave(&cancel_lock);

	list_for_each(t, &cancel_list, cancel_node) {
		spin_lock(&t->lock);
		t->cancelled = true;
		WRITE_ONCE(t->ticks, t->ticks + 1);
		wake_up_poll(&t->wait, EPOLLIN);
		spin_unlock(&t->lock);
	}
	spin_unlock_irqrestore(&cancel_lock, flags);
}

/* True once for each setting of the clock. */
static bool take_cancelled_locked(struct timerfd *t)
{
	bool was = t->may_cancel && t->cancelled;

	t->cancelled = false;
	return was;
}

/* A periodic timer that has expired goes on; the ticks it has missed count. */
static void go_on_locked(struct timerfd *t)
{
	u64 steps;

	if (!t->expired || !t->interval_ns)
		return;
	t->expires_ns = clock_forward(t->expires_ns, t->interval_ns, clock_now(t->base), &steps);
	if (steps)
		WRITE_ONCE(t->ticks, t->ticks + steps - 1);
	t->expired = false;
	clock_timer_arm(&t->timer, t->base, t->expires_ns);
}

static int take_ticks(struct timerfd *t, u64 *ticks)
{
	int err = 0;

	spin_lock_irq(&t->lock);
	if (take_cancelled_locked(t)) {
		err = -ECANCELED;
		*ticks = 0;
	} else {
		if (t->ticks)
			go_on_locked(t);
		*ticks = t->ticks;
	}
	t->expired = false;
	WRITE_ONCE(t->ticks, 0);
	spin_unlock_irq(&t->lock);
	return err;
}

static ssize_t timerfd_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct timerfd *t = f->private;
	u64 ticks;
	int err;

	if (io_count(to) < sizeof(ticks))
		return -EINVAL;
	for (;;) {
		err = take_ticks(t, &ticks);
		if (err)
			return err;
		if (ticks)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wait, READ_ONCE(t->ticks));
		if (err)
			return err;
	}
	return io_copy_to(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->private;

	poll_wait(f, &t->wait, pt);
	return READ_ONCE(t->ticks) ? EPOLLIN : 0;
}

static long timerfd_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct timerfd *t = f->private;
	long res = 0;
	u64 ticks;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (user_read_bytes(&ticks, user_handle(bytes, arg), sizeof(ticks)))
		return -EFAULT;
	if (!ticks)
		return -EINVAL;
	spin_lock_irq(&t->lock);
	if (take_cancelled_locked(t)) {
		res = -ECANCELED;
	} else {
		WRITE_ONCE(t->ticks, ticks);
		wake_up_poll(&t->wait, EPOLLIN);
	}
	spin_unlock_irq(&t->lock);
	return res;
}

static struct itimerspec64 setting_locked(struct timerfd *t)
{
	u64 now = clock_now(t->base), left = t->expires_ns > now ? t->expires_ns - now : 0;

	return (struct itimerspec64){.it_interval = ns_to_timespec(t->interval_ns),
				     .it_value = ns_to_timespec(left)};
}

static void timerfd_show(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct timerfd *t = f->private;
	struct itimerspec64 s;
	u64 ticks;
	u32 flags;
	char text[256];

	spin_lock_irq(&t->lock);
	s = setting_locked(t);
	ticks = t->ticks;
	flags = t->settime_flags;
	spin_unlock_irq(&t->lock);
	format(text, sizeof(text),
	       "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %lld)\n"
	       "it_interval: (%lld, %lld)\n", t->clock, ticks, flags, s.it_value.tv_sec,
	       s.it_value.tv_nsec, s.it_interval.tv_sec, s.it_interval.tv_nsec);
	emit(ctx, text);
}

static void set_cancel(struct timerfd *t, bool on)
{
	spin_lock_irq(&cancel_lock);
	spin_lock(&t->lock);
	if (!on || !t->may_cancel) /* a setting before this one does not count */
		t->cancelled = false;
	t->may_cancel = on;
	spin_unlock(&t->lock);
	if (!on)
		list_del(&t->cancel_node);
	else if (list_empty(&t->cancel_node))
		list_add_tail(&t->cancel_node, &cancel_list);
	spin_unlock_irq(&cancel_lock);
}

static void lock_stopped(struct timerfd *t) NO_THREAD_SAFETY
{
	for (;;) {
		spin_lock_irq(&t->lock);
		if (clock_timer_try_cancel(&t->timer) >= 0)
			return;
		spin_unlock_irq(&t->lock);
		cpu_relax();
	}
}

static void timerfd_release(struct file *f) NO_THREAD_SAFETY
{
	struct timerfd *t = f->private;

	set_cancel(t, false);
	lock_stopped(t);
	spin_unlock_irq(&t->lock);
	if (wait_queue_active(&t->wait))
		wake_up_events(&t->wait, ~0U, EPOLLHUP);
	kfree(t);
}

static const struct file_ops timerfd_fops = {
	.name = "timerfd",
	.read = timerfd_read,
	.llseek = file_llseek_noop,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.release = timerfd_release,
	.show_fdinfo = timerfd_show,
};

static int timerfd_new(int clock, u32 flags, struct file **out)
{
	struct timerfd *t = kzalloc(sizeof(*t), GFP_KERNEL);
	int err;

	if (!t)
		return -ENOMEM;
	spin_init(&t->lock, LOCK_RANK_TIMERFD);
	wait_queue_init(&t->wait);
	list_init(&t->cancel_node);
	clock_timer_init(&t->timer, timerfd_expired);
	t->clock = clock;
	t->base = (u32)clock_without_alarm(clock);
	err = file_create_anon("anon_inode:[timerfd]", &timerfd_fops, t,
			       O_RDWR | (flags & TFD_NONBLOCK), out);
	if (err)
		kfree(t);
	return err;
}

long sys_timerfd_create(u32 clock, u32 flags)
{
	int id = (int)clock, fd, err;
	struct file *f;

	if (flags & ~(u32)CREATE_FLAGS)
		return -EINVAL;
	if (id != CLOCK_MONOTONIC && id != CLOCK_REALTIME && id != CLOCK_BOOTTIME && !clock_is_alarm(id))
		return -EINVAL;
	if (clock_is_alarm(id) && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	err = fd_reserve(0, flags & TFD_CLOEXEC, &fd);
	if (err)
		return err;
	err = timerfd_new(id, flags, &f);
	if (err) {
		fd_release(fd);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

/* The borrowed file if it is a timerfd; file NULL and *err otherwise. */
static struct fd timerfd_get(int n, int *err)
{
	struct fd fd = fd_get(n);

	*err = fd.file ? 0 : -EBADF;
	if (fd.file && fd.file->ops != &timerfd_fops) {
		fd_put(fd);
		fd.file = NULL;
		*err = -EINVAL;
	}
	return fd;
}

/* Armed as asked for; it is stopped. 0, or -ECANCELED with the timer running all the same. */
static int start_locked(struct timerfd *t, u32 flags, const struct itimerspec64 *want)
{
	bool absolute = flags & TFD_TIMER_ABSTIME;
	u64 value = timespec_to_ns(&want->it_value);

	t->settime_flags = flags & SETTIME_FLAGS;
	t->expired = false;
	WRITE_ONCE(t->ticks, 0);
	t->interval_ns = timespec_to_ns(&want->it_interval);
	t->expires_ns = value;
	t->base = (u32)clock_without_alarm(t->clock);
	if (!value)
		return 0;
	/* A duration does not change when the clock is set. */
	if (!absolute && t->base == CLOCK_REALTIME)
		t->base = CLOCK_MONOTONIC;
	if (!absolute)
		t->expires_ns = MIN(clock_now(t->base) + value, (u64)S64_MAX);
	clock_timer_arm(&t->timer, t->base, t->expires_ns);
	return take_cancelled_locked(t) ? -ECANCELED : 0;
}

static int timerfd_set(struct timerfd *t, u32 flags, const struct itimerspec64 *want,
		       struct itimerspec64 *old) NO_THREAD_SAFETY
{
	bool real = clock_without_alarm(t->clock) == CLOCK_REALTIME;
	int err;

	if (clock_is_alarm(t->clock) && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	set_cancel(t, real && (flags & SETTIME_FLAGS) == SETTIME_FLAGS);
	lock_stopped(t);
	if (t->expired && t->interval_ns) {
		u64 steps;

		t->expires_ns = clock_forward(t->expires_ns, t->interval_ns, clock_now(t->base), &steps);
	}
	*old = setting_locked(t);
	err = start_locked(t, flags, want);
	spin_unlock_irq(&t->lock);
	return err;
}

long sys_timerfd_settime(int n, u32 flags, struct user_itimerspec value, struct user_itimerspec uold)
{
	struct itimerspec64 want, old;
	struct fd fd;
	int err;

	if (user_read(&want, value))
		return -EFAULT;
	if (flags & ~(u32)SETTIME_FLAGS || !timespec_valid(&want.it_interval) ||
	    !timespec_valid(&want.it_value))
		return -EINVAL;
	fd = timerfd_get(n, &err);
	if (err)
		return err;
	err = timerfd_set(fd.file->private, flags, &want, &old);
	fd_put(fd);
	if (err && err != -ECANCELED)
		return err;
	if (!user_is_null(uold) && user_write(uold, &old))
		return -EFAULT;
	return err;
}

long sys_timerfd_gettime(int n, struct user_itimerspec value)
{
	struct itimerspec64 now;
	struct timerfd *t;
	struct fd fd;
	int err;

	fd = timerfd_get(n, &err);
	if (err)
		return err;
	t = fd.file->private;
	spin_lock_irq(&t->lock);
	go_on_locked(t);
	now = setting_locked(t);
	spin_unlock_irq(&t->lock);
	fd_put(fd);
	return user_write(value, &now);
}
