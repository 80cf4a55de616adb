/*
 * To whom an open file sends its signals (F_SETOWN, F_SETSIG), and sending them.
 *
 * file->owner is made when it is first needed; f->spin guards the pointer and all it points to. The
 * owner is remembered as a pid_entry, so that a number that is used again does not inherit it. Who
 * set the owner is remembered, too: later signals are sent in his name.
 */
#include <asm/siginfo.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <linux/eventpoll.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <task/pid.h>
#include <vfs/async.h>

struct file_owner {
	struct pid_entry *pid; /* reference; NULL: nobody */
	u32 type;              /* F_OWNER_* */
	u32 uid, euid;         /* of who set it */
	s32 sig;               /* F_SETSIG; 0: SIGIO without details */
};

/* ---- Setting and asking ---- */

static int owner_make(struct file *f)
{
	struct file_owner *new;

	if (READ_ONCE(f->owner))
		return 0;
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return -ENOMEM;
	spin_lock(&f->spin);
	if (!f->owner) {
		WRITE_ONCE(f->owner, new);
		new = NULL;
	}
	spin_unlock(&f->spin);
	kfree(new);
	return 0;
}

int file_owner_set(struct file *f, struct pid_entry *pid, u32 type, bool force)
{
	struct pid_entry *old = pid;
	int err = owner_make(f);

	if (err)
		return err;
	if (pid)
		pid_get(pid);
	spin_lock(&f->spin);
	if (force || !f->owner->pid) {
		old = f->owner->pid;
		f->owner->pid = pid;
		f->owner->type = type;
		f->owner->uid = current->cred->uid;
		f->owner->euid = current->cred->euid;
	}
	spin_unlock(&f->spin);
	if (old)
		pid_put(old);
	return 0;
}

void file_owner_clear(struct file *f)
{
	struct pid_entry *old = NULL;

	spin_lock(&f->spin);
	if (f->owner) {
		old = f->owner->pid;
		*f->owner = (struct file_owner){.pid = NULL};
	}
	spin_unlock(&f->spin);
	if (old)
		pid_put(old);
}

void file_owner_free(struct file *f)
{
	if (likely(!f->owner))
		return;
	if (f->owner->pid)
		pid_put(f->owner->pid);
	kfree(f->owner);
}

static struct pid_entry *entry_get(s32 nr)
{
	struct pid_entry *p;

	rcu_read_lock();
	p = pid_find(nr);
	if (p && !ref_get_unless_zero(&p->ref))
		p = NULL;
	rcu_read_unlock();
	return p;
}

long file_set_owner(struct file *f, s32 nr, u32 type)
{
	struct pid_entry *pid = NULL;
	int err;

	if (nr) {
		pid = entry_get(nr);
		if (!pid)
			return -ESRCH;
	}
	err = file_owner_set(f, pid, type, true);
	if (pid)
		pid_put(pid);
	return err;
}

/* The process of an F_OWNER_PID owner. RCU or tasklist_lock. */
static struct process *owner_process(const struct pid_entry *pid)
{
	struct task *t = rcu_dereference(pid->task);

	return t && t->process->pid == pid->nr ? t->process : NULL;
}

static bool owner_exists(const struct pid_entry *pid, u32 type)
{
	switch (type) {
	case F_OWNER_TID:
		return READ_ONCE(pid->task) != NULL;
	case F_OWNER_PID:
		return owner_process(pid) != NULL;
	default:
		return READ_ONCE(pid->pgrp_members.first) != NULL;
	}
}

void file_get_owner(struct file *f, struct f_owner_ex *out)
{
	const struct file_owner *o;

	out->type = F_OWNER_TID;
	out->pid = 0;
	rcu_read_lock();
	spin_lock(&f->spin);
	o = f->owner;
	if (o) {
		out->type = (int)o->type;
		out->pid = o->pid && owner_exists(o->pid, o->type) ? o->pid->nr : 0;
	}
	spin_unlock(&f->spin);
	rcu_read_unlock();
}

long file_set_signal(struct file *f, u64 sig)
{
	int err;

	if (sig > SIGNAL_MAX)
		return -EINVAL;
	err = owner_make(f);
	if (err)
		return err;
	spin_lock(&f->spin);
	f->owner->sig = (s32)sig;
	spin_unlock(&f->spin);
	return 0;
}

int file_get_signal(struct file *f)
{
	int sig;

	spin_lock(&f->spin);
	sig = f->owner ? f->owner->sig : 0;
	spin_unlock(&f->spin);
	return sig;
}

/* ---- Sending ---- */

static long band_of(int reason)
{
	switch (reason) {
	case POLL_IN:
		return EPOLLIN | EPOLLRDNORM;
	case POLL_OUT:
		return EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	case POLL_MSG:
		return EPOLLIN | EPOLLRDNORM | EPOLLMSG;
	case POLL_ERR:
		return EPOLLERR;
	case POLL_PRI:
		return EPOLLPRI | EPOLLRDBAND;
	case POLL_HUP:
		return EPOLLHUP | EPOLLERR;
	default:
		return -1;
	}
}

/* Signals whose si_code values would mean something else. */
static bool has_own_codes(int sig)
{
	switch (sig) {
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGBUS:
	case SIGTRAP:
	case SIGCHLD:
	case SIGPOLL:
	case SIGSYS:
		return true;
	default:
		return false;
	}
}

static bool may_signal(const struct file_owner *o, struct task *t)
{
	const struct cred *c;
	bool may;

	rcu_read_lock();
	c = rcu_dereference(t->cred);
	may = o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid ||
	      o->uid == c->uid;
	rcu_read_unlock();
	return may;
}

struct io_signal {
	struct file_owner owner; /* a copy with a reference */
	int fd, reason;
	bool urgent; /* SIGURG, whatever was chosen */
};

/* To one thread, or (t NULL) to the process. tasklist_lock held. */
static void send_one(const struct io_signal *s, struct process *p, struct task *t)
{
	int sig = s->urgent ? 0 : s->owner.sig, plain = s->urgent ? SIGURG : SIGIO;
	siginfo_t info;

	if (!may_signal(&s->owner, t ? t : p->leader))
		return;
	if (sig) {
		siginfo_kernel(&info, sig);
		info.si_code = sig != SIGPOLL && has_own_codes(sig) ? SI_SIGIO : s->reason;
		info.si_band = band_of(s->reason);
		info.si_fd = s->fd;
		if (!(t ? signal_send_task(t, sig, &info) : signal_send_process(p, sig, &info)))
			return;
	}
	/* No signal chosen, or its queue is full. */
	siginfo_kernel(&info, plain);
	if (t)
		signal_send_task(t, plain, &info);
	else
		signal_send_process(p, plain, &info);
}

static void send_all(const struct io_signal *s)
{
	const struct pid_entry *pid = s->owner.pid;
	u64 flags = spin_lock_irqsave(&tasklist_lock);
	struct process *p;

	if (s->owner.type == F_OWNER_PGRP) {
		hlist_for_each(p, &pid->pgrp_members, pgrp_node)
			send_one(s, p, NULL);
	} else if (s->owner.type == F_OWNER_TID) {
		if (pid->task)
			send_one(s, pid->task->process, pid->task);
	} else {
		p = owner_process(pid);
		if (p)
			send_one(s, p, NULL);
	}
	spin_unlock_irqrestore(&tasklist_lock, flags);
}

/* False: there is no owner. */
static bool signal_owner(struct file *f, struct io_signal *s)
{
	spin_lock(&f->spin);
	if (f->owner && f->owner->pid) {
		s->owner = *f->owner;
		pid_get(s->owner.pid);
	}
	spin_unlock(&f->spin);
	if (!s->owner.pid)
		return false;
	send_all(s);
	pid_put(s->owner.pid);
	return true;
}

void file_signal(struct file *f, int fd, int reason)
{
	struct io_signal s = {.fd = fd, .reason = reason};

	signal_owner(f, &s);
}

bool file_signal_urgent(struct file *f)
{
	struct io_signal s = {.urgent = true};

	return signal_owner(f, &s);
}
