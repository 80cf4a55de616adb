/*
 * SECCOMP_RET_USER_NOTIF: the call of one program waits until another one, the listener, has decided
 * what it returns. The listener's file holds a reference to the filter; the filter knows its listener
 * as long as the file is open. notify_lock guards the list of waiting calls and all that is in
 * them; nobody touches user memory or waits under it.
 */
#include <lib/string.h>
#include <linux/ioctl.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <task/random.h>
#include <vfs/file.h>
#include <vfs/poll.h>
#include <arch/entry.h>
#include "notify.h"

/* What ID_VALID was by mistake once; Linux still takes it. */
#define ID_VALID_WRONG_DIR SECCOMP_IOR(2, __u64)
#define IGNORE_SIZE(cmd)   ((cmd) & ~(u32)((_IOC_SIZEMASK << _IOC_SIZESHIFT) | IOC_INOUT))

DEFINE_USER_PTR(notif, struct seccomp_notif);
DEFINE_USER_PTR(notif_resp, struct seccomp_notif_resp);

struct notice *notice_find(struct seccomp_filter *f, u64 id)
{
	struct notice *n;

	if (!f->listener)
		return NULL;
	list_for_each(n, &f->listener->notices, node)
		if (n->id == id)
			return n;
	return NULL;
}

/* ---- the task that asks ---- */

static bool sleeps_killable(const struct seccomp_filter *f, const struct notice *n)
{
	return f->wait_killable && n->state == NOTICE_SENT;
}

/* One more receive can succeed. */
static void offer(struct seccomp_filter *f)
{
	atomic_inc(&f->listener->pending);
	wake_up(&f->listener->receivers);
	wake_up_poll(&f->poll_wait, EPOLLIN | EPOLLRDNORM);
}

/* notify_lock is held on entry and return: 0 when n is answered, or -ERESTARTSYS. */
static int wait_for_answer(struct seccomp_filter *f, struct notice *n) NO_THREAD_SAFETY
{
	do {
		bool killable = sleeps_killable(f, n);
		int err;

		mutex_unlock(&f->notify_lock);
		err = killable ? wait_for_completion_killable(&n->ready) :
				 wait_for_completion_interruptible(&n->ready);
		mutex_lock(&f->notify_lock);
		if (err) {
			/* It has been received meanwhile, and asked not to be disturbed from then on. */
			if (!killable && sleeps_killable(f, n))
				continue;
			return err;
		}
		addfd_run(f, n);
	} while (n->state != NOTICE_REPLIED);
	return 0;
}

bool notify_ask(struct regs *regs, struct seccomp_filter *match, const struct seccomp_data *sd)
{
	struct notice n = {.task = current, .data = sd, .state = NOTICE_INIT};
	int err = -ENOSYS;

	list_init(&n.addfds);
	completion_init(&n.ready);
	mutex_lock(&match->notify_lock);
	if (match->listener) {
		n.id = match->listener->next_id++;
		list_add_tail(&n.node, &match->listener->notices);
		offer(match);
		err = wait_for_answer(match, &n);
		addfd_fail(&n);
		if (match->listener)
			list_del(&n.node);
	}
	mutex_unlock(&match->notify_lock);
	if (!err && (n.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE))
		return true;
	if (err)
		regs_set_result(regs, err);
	else
		regs_set_result(regs, n.error ? n.error : n.val);
	return false;
}

/* ---- the listener ---- */

static bool take_pending(struct seccomp_listener *l)
{
	int n = atomic_read(&l->pending);

	while (n > 0)
		if (atomic_cmpxchg(&l->pending, &n, n - 1))
			return true;
	return false;
}

/* Marks the oldest new call as received. False: it has gone. */
static bool receive(struct seccomp_filter *f, struct seccomp_notif *out)
{
	struct notice *n;
	bool found = false;

	mutex_lock(&f->notify_lock);
	list_for_each(n, &f->listener->notices, node) {
		if (n->state != NOTICE_INIT)
			continue;
		out->id = n->id;
		out->pid = (u32)n->task->tid;
		out->data = *n->data;
		n->state = NOTICE_SENT;
		found = true;
		wake_up_poll(&f->poll_wait, EPOLLOUT | EPOLLWRNORM);
		break;
	}
	mutex_unlock(&f->notify_lock);
	return found;
}

/* The receiver did not get it: it is new again. */
static void receive_undo(struct seccomp_filter *f, u64 id)
{
	struct notice *n;

	mutex_lock(&f->notify_lock);
	n = notice_find(f, id);
	if (n && n->state == NOTICE_SENT) {
		if (sleeps_killable(f, n))
			complete(&n->ready); /* to sleep as before */
		n->state = NOTICE_INIT;
		offer(f);
	}
	mutex_unlock(&f->notify_lock);
}

static long notify_recv(struct seccomp_filter *f, struct user_notif arg)
{
	struct seccomp_notif out;

	/* Room for what may be told one day must not hold garbage now. */
	if (user_read(&out, arg))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(out); i++)
		if (((const u8 *)&out)[i])
			return -EINVAL;
	if (wait_event_interruptible(&f->listener->receivers, take_pending(f->listener)))
		return -EINTR;
	memset(&out, 0, sizeof(out));
	if (!receive(f, &out))
		return -ENOENT;
	if (user_write(arg, &out)) {
		receive_undo(f, out.id);
		return -EFAULT;
	}
	return 0;
}

static long notify_send(struct seccomp_filter *f, struct user_notif_resp arg)
{
	struct seccomp_notif_resp r;
	struct notice *n;
	long err;

	if (user_read(&r, arg))
		return -EFAULT;
	if (r.flags & ~(u32)SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -EINVAL;
	if (r.flags && (r.error || r.val))
		return -EINVAL;
	err = mutex_lock_interruptible(&f->notify_lock);
	if (err)
		return -EINTR;
	n = notice_find(f, r.id);
	if (!n) {
		err = -ENOENT;
	} else if (n->state != NOTICE_SENT) {
		err = -EINPROGRESS; /* one answer for each, and none before it was asked */
	} else {
		n->state = NOTICE_REPLIED;
		n->error = r.error;
		n->val = r.val;
		n->flags = r.flags;
		complete(&n->ready);
	}
	mutex_unlock(&f->notify_lock);
	return err;
}

static long notify_id_valid(struct seccomp_filter *f, struct user_u64 arg)
{
	struct notice *n;
	bool valid;
	u64 id;

	if (user_read(&id, arg))
		return -EFAULT;
	if (mutex_lock_interruptible(&f->notify_lock))
		return -EINTR;
	n = notice_find(f, id);
	valid = n && n->state == NOTICE_SENT;
	mutex_unlock(&f->notify_lock);
	return valid ? 0 : -ENOENT;
}

static long listener_ioctl(struct file *file, unsigned int cmd, u64 arg)
{
	struct seccomp_filter *f = file->private;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return notify_recv(f, user_handle(notif, arg));
	case SECCOMP_IOCTL_NOTIF_SEND:
		return notify_send(f, user_handle(notif_resp, arg));
	case ID_VALID_WRONG_DIR:
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
		return notify_id_valid(f, user_handle(u64, arg));
	default:
		break;
	}
	if (IGNORE_SIZE(cmd) == IGNORE_SIZE(SECCOMP_IOCTL_NOTIF_ADDFD))
		return notify_addfd(f, user_handle(bytes, arg), _IOC_SIZE(cmd));
	return -EINVAL;
}

static u32 listener_poll(struct file *file, struct poll_table *pt)
{
	struct seccomp_filter *f = file->private;
	struct notice *n;
	u32 events = 0;

	poll_wait(file, &f->poll_wait, pt);
	if (mutex_lock_interruptible(&f->notify_lock))
		return EPOLLERR;
	list_for_each(n, &f->listener->notices, node) {
		if (n->state == NOTICE_INIT)
			events |= EPOLLIN | EPOLLRDNORM;
		if (n->state == NOTICE_SENT)
			events |= EPOLLOUT | EPOLLWRNORM;
	}
	mutex_unlock(&f->notify_lock);
	if (!ref_read(&f->users))
		events |= EPOLLHUP;
	return events;
}

/* Whoever waits for an answer gets Linux's for a listener that is gone. */
void listener_detach(struct seccomp_filter *f)
{
	struct seccomp_listener *l;
	struct notice *n, *next;

	mutex_lock(&f->notify_lock);
	l = f->listener;
	if (l) {
		list_for_each_safe(n, next, &l->notices, node) {
			list_del(&n->node);
			if (n->state == NOTICE_REPLIED)
				continue;
			n->state = NOTICE_REPLIED;
			n->error = -ENOSYS;
			n->val = 0;
			complete(&n->ready);
		}
		WRITE_ONCE(f->listener, NULL);
	}
	mutex_unlock(&f->notify_lock);
	kfree(l);
}

static void listener_release(struct file *file)
{
	listener_detach(file->private);
	filter_put(file->private);
}

static const struct file_ops listener_fops = {
	.name = "seccomp notify",
	.ioctl = listener_ioctl,
	.poll = listener_poll,
	.llseek = file_llseek_noop,
	.release = listener_release,
};

int listener_create(struct seccomp_filter *f, struct file **out)
{
	struct seccomp_listener *l = kzalloc(sizeof(*l), GFP_KERNEL);
	int err;

	if (!l)
		return -ENOMEM;
	list_init(&l->notices);
	wait_queue_init(&l->receivers);
	random_bytes(&l->next_id, sizeof(l->next_id));
	err = file_create_anon("anon_inode:seccomp notify", &listener_fops, f, O_RDWR, out);
	if (err) {
		kfree(l);
		return err;
	}
	ref_get(&f->refs);
	f->listener = l;
	return 0;
}
