/*
 * signalfd: pending signals as a file. A reader takes the signals of its own process and thread,
 * whoever made the descriptor; so poll hands out the queue of whoever polls. An epoll's entry on
 * it stays until this file ends: the file keeps every queue it has handed out, save those that
 * are of no use any more.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <linux/signalfd.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/file.h>
#include <vfs/poll.h>

struct queue_ref {
	struct queue_ref *next;
	struct signal_wait *wait; /* reference */
};

struct signalfd {
	u64 mask;                 /* torn-free reads and writes */
	struct mutex lock;        /* LOCK_RANK_SLEEP_INNER: queues */
	struct queue_ref *queues;
};

static const struct file_ops signalfd_fops;

/* Which fields a signal of this number and code has. */
enum layout { SENDER, TIMER, POLLED, FAULT, CHILD, QUEUED, CALL };

static enum layout layout_of(int sig, int code)
{
	if (code == SI_TIMER)
		return TIMER;
	if (code == SI_SIGIO)
		return POLLED;
	if (code < 0)
		return QUEUED;
	if (code == SI_USER || code >= SI_KERNEL)
		return SENDER;
	switch (sig) {
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP:
		return FAULT;
	case SIGCHLD:
		return CHILD;
	case SIGSYS:
		return CALL;
	default:
		return code <= NSIGPOLL ? POLLED : SENDER;
	}
}

static void put_fault(struct signalfd_siginfo *to, const siginfo_t *from)
{
	to->ssi_addr = (uptr)from->si_addr;
	if (from->si_signo == SIGBUS &&
	    (from->si_code == BUS_MCEERR_AR || from->si_code == BUS_MCEERR_AO))
		to->ssi_addr_lsb = (u16)from->si_addr_lsb;
}

static void convert(struct signalfd_siginfo *to, const siginfo_t *from)
{
	memset(to, 0, sizeof(*to));
	to->ssi_signo = (u32)from->si_signo;
	to->ssi_errno = from->si_errno;
	to->ssi_code = from->si_code;
	switch (layout_of(from->si_signo, from->si_code)) {
	case TIMER:
		to->ssi_tid = (u32)from->si_tid;
		to->ssi_overrun = (u32)from->si_overrun;
		to->ssi_ptr = (uptr)from->si_ptr;
		to->ssi_int = from->si_int;
		break;
	case POLLED:
		to->ssi_band = (u32)from->si_band;
		to->ssi_fd = from->si_fd;
		break;
	case FAULT:
		put_fault(to, from);
		break;
	case CHILD:
		to->ssi_pid = (u32)from->si_pid;
		to->ssi_uid = from->si_uid;
		to->ssi_status = from->si_status;
		to->ssi_utime = (u64)from->si_utime;
		to->ssi_stime = (u64)from->si_stime;
		break;
	case QUEUED:
		to->ssi_ptr = (uptr)from->si_ptr;
		to->ssi_int = from->si_int;
		to->ssi_pid = (u32)from->si_pid;
		to->ssi_uid = from->si_uid;
		break;
	case CALL:
		to->ssi_call_addr = (uptr)from->si_call_addr;
		to->ssi_syscall = from->si_syscall;
		to->ssi_arch = from->si_arch;
		break;
	case SENDER:
		to->ssi_pid = (u32)from->si_pid;
		to->ssi_uid = from->si_uid;
		break;
	}
}

static bool any_pending(const struct signalfd *s)
{
	return signal_pending_bits() & READ_ONCE(s->mask);
}

/* Takes one signal, sleeping for it if `wait`. Its number, -EAGAIN, -ERESTARTSYS, -ENOMEM. */
static int take(struct signalfd *s, bool wait, siginfo_t *info)
{
	int sig = signal_take_pending(READ_ONCE(s->mask), info), err = 0;
	struct signal_wait *w;

	if (sig)
		return sig;
	if (!wait)
		return -EAGAIN;
	w = signal_wait_get();
	if (!w)
		return -ENOMEM;
	while (!sig && !err) {
		err = wait_event_interruptible(&w->queue, any_pending(s));
		/* One of ours may have been what interrupted the sleep. */
		sig = signal_take_pending(READ_ONCE(s->mask), info);
	}
	signal_wait_put(w);
	return sig ? sig : err;
}

static ssize_t signalfd_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	bool wait = !(READ_ONCE(f->flags) & O_NONBLOCK);
	struct signalfd_siginfo out;
	ssize_t done = 0;
	siginfo_t info;
	int sig;

	if (io_count(to) < sizeof(out))
		return -EINVAL;
	while (io_count(to) >= sizeof(out)) {
		sig = take(f->private, wait && !done, &info);
		if (sig < 0)
			return done ? done : sig;
		convert(&out, &info);
		if (io_copy_to(to, &out, sizeof(out)) < sizeof(out))
			return done ? done : -EFAULT;
		done += sizeof(out);
	}
	return done;
}

/* Forgets queues that nobody uses: the process is gone and no entry is left. */
static void drop_stale(struct signalfd *s)
{
	struct queue_ref **at = &s->queues, *q;

	while ((q = *at)) {
		if (ref_read(&q->wait->ref) > 1 || !list_empty(&q->wait->queue.entries)) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		signal_wait_put(q->wait);
		kfree(q);
	}
}

/* Makes sure that the file keeps w; consumes the reference. */
static bool keep_queue(struct signalfd *s, struct signal_wait *w)
{
	struct queue_ref *q;

	mutex_lock(&s->lock);
	for (q = s->queues; q && q->wait != w; q = q->next)
		;
	if (q) {
		signal_wait_put(w);
	} else {
		drop_stale(s);
		q = kmalloc(sizeof(*q), GFP_KERNEL);
		if (q) {
			*q = (struct queue_ref){s->queues, w};
			s->queues = q;
		} else {
			signal_wait_put(w);
		}
	}
	mutex_unlock(&s->lock);
	return q;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->private;

	if (pt && pt->register_queue) {
		struct signal_wait *w = signal_wait_get();

		if (!w || !keep_queue(s, w))
			return EPOLLERR; /* rather than sleep without a wake-up */
		poll_wait(f, &w->queue, pt);
	}
	return any_pending(s) ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->private;
	struct queue_ref *q, *next;

	for (q = s->queues; q; q = next) {
		next = q->next;
		signal_wait_put(q->wait);
		kfree(q);
	}
	kfree(s);
}

static void signalfd_show_fdinfo(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx)
{
	const struct signalfd *s = f->private;
	char line[40];

	format(line, sizeof(line), "sigmask:\t%016llx\n", READ_ONCE(s->mask));
	emit(ctx, line);
}

static const struct file_ops signalfd_fops = {
	.name = "signalfd",
	.read = signalfd_read,
	.llseek = file_llseek_noop,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.show_fdinfo = signalfd_show_fdinfo,
};

static int signalfd_create(u64 mask, u32 flags, struct file **out)
{
	struct signalfd *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	s->mask = mask;
	mutex_init(&s->lock, LOCK_RANK_SLEEP_INNER);
	err = file_create_anon("anon_inode:[signalfd]", &signalfd_fops, s,
			       O_RDWR | (flags & O_NONBLOCK), out);
	if (err)
		kfree(s);
	return err;
}

static long new_signalfd(u64 mask, u32 flags)
{
	struct file *f;
	int err;

	err = signalfd_create(mask, flags, &f);
	return err ? err : fd_install_new(f, flags & SFD_CLOEXEC);
}

static long change_mask(int fd, u64 mask)
{
	struct fd f = fd_get(fd);
	long ret = fd;

	if (!f.file)
		return -EBADF;
	if (f.file->ops == &signalfd_fops) {
		WRITE_ONCE(((struct signalfd *)f.file->private)->mask, mask);
		signal_wait_wake();
	} else {
		ret = -EINVAL;
	}
	fd_put(f);
	return ret;
}

long sys_signalfd4(int fd, struct user_sigset umask, u64 size, u32 flags)
{
	struct sigset set;

	if (size != sizeof(set))
		return -EINVAL;
	if (user_read(&set, umask))
		return -EFAULT;
	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	set.bits &= ~SIG_KERNEL_ONLY;
	return fd == -1 ? new_signalfd(set.bits, flags) : change_mask(fd, set.bits);
}

long sys_signalfd(int fd, struct user_sigset umask, u64 size)
{
	return sys_signalfd4(fd, umask, size, 0);
}
