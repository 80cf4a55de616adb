/*
 * SECCOMP_IOCTL_NOTIF_ADDFD: the listener puts a descriptor of its own into the task whose call it
 * decides. The task does it itself, on its way through the wait, because only it may change its
 * table; the listener waits for that.
 */
#include <linux/fcntl.h>
#include <mm/user.h>
#include <vfs/file.h>
#include "notify.h"

#define SIZE_MIN 24 /* the structure's first version */

static_assert(sizeof(struct seccomp_notif_addfd) == SIZE_MIN, "the only version");

/* One request; on the stack of the listener's task. notify_lock guards it until it is taken. */
struct addfd {
	struct list_head node;       /* notice->addfds; empty: taken */
	struct file *file;           /* the listener's reference */
	u32 flags;                   /* SECCOMP_ADDFD_FLAG_* */
	u32 newfd, newfd_flags;
	long result;
	struct completion done;
};

static long put_into_table(const struct addfd *a)
{
	bool cloexec = a->newfd_flags & O_CLOEXEC;
	int fd, err;

	if (a->flags & SECCOMP_ADDFD_FLAG_SETFD) {
		if (a->newfd >= rlimit(RLIMIT_NOFILE))
			return -EBADF;
		err = fd_replace(a->newfd, a->file, cloexec);
		return err ? err : (long)a->newfd;
	}
	err = fd_reserve(0, cloexec, &fd);
	if (err)
		return err;
	file_get(a->file);
	fd_install(fd, a->file);
	return fd;
}

void addfd_run(struct seccomp_filter *f, struct notice *n) NO_THREAD_SAFETY
{
	while (!list_empty(&n->addfds)) {
		struct addfd *a = list_first(&n->addfds, struct addfd, node);

		list_del(&a->node);
		mutex_unlock(&f->notify_lock);
		a->result = put_into_table(a);
		mutex_lock(&f->notify_lock);
		if (a->flags & SECCOMP_ADDFD_FLAG_SEND) {
			if (a->result < 0) {
				n->state = NOTICE_SENT; /* the listener may try again */
			} else {
				n->flags = 0;
				n->error = 0;
				n->val = a->result;
			}
		}
		complete(&a->done);
	}
}

void addfd_fail(struct notice *n)
{
	while (!list_empty(&n->addfds)) {
		struct addfd *a = list_first(&n->addfds, struct addfd, node);

		list_del(&a->node);
		a->result = -ESRCH;
		complete(&a->done);
	}
}

/* Hands the request to the task. notify_lock held. */
static long queue_locked(struct seccomp_filter *f, u64 id, struct addfd *a)
	REQUIRES(f->notify_lock)
{
	struct notice *n = notice_find(f, id);

	if (!n)
		return -ENOENT;
	if (n->state != NOTICE_SENT)
		return -EINPROGRESS;
	if (a->flags & SECCOMP_ADDFD_FLAG_SEND) {
		if (!list_empty(&n->addfds))
			return -EBUSY;
		n->state = NOTICE_REPLIED;
	}
	list_add(&a->node, &n->addfds);
	complete(&n->ready);
	return 0;
}

/* The request is this task's again when this returns. */
static long wait_until_done(struct seccomp_filter *f, struct addfd *a)
{
	long err = wait_for_completion_interruptible(&a->done);
	bool taken;

	if (!err)
		return a->result;
	mutex_lock(&f->notify_lock);
	taken = list_empty(&a->node);
	list_del(&a->node);
	mutex_unlock(&f->notify_lock);
	if (!taken)
		return err;
	wait_for_completion(&a->done); /* the task is at it, or through */
	return a->result;
}

static long submit(struct seccomp_filter *f, u64 id, struct addfd *a)
{
	long err = mutex_lock_interruptible(&f->notify_lock);

	if (err)
		return err;
	err = queue_locked(f, id, a);
	mutex_unlock(&f->notify_lock);
	return err ? err : wait_until_done(f, a);
}

long notify_addfd(struct seccomp_filter *f, struct user_bytes arg, u32 size)
{
	struct seccomp_notif_addfd r;
	struct addfd a = {.file = NULL};
	struct fd src;
	long ret;

	if (size < SIZE_MIN || size >= PAGE_SIZE)
		return -EINVAL;
	ret = user_read_sized(&r, sizeof(r), arg, size);
	if (ret)
		return ret;
	if (r.newfd_flags & ~(u32)O_CLOEXEC)
		return -EINVAL;
	if (r.flags & ~(u32)(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND))
		return -EINVAL;
	if (r.newfd && !(r.flags & SECCOMP_ADDFD_FLAG_SETFD))
		return -EINVAL;
	src = fd_get((int)r.srcfd);
	if (!src.file)
		return -EBADF;
	a = (struct addfd){.file = src.file, .flags = r.flags, .newfd = r.newfd,
			   .newfd_flags = r.newfd_flags};
	list_init(&a.node);
	completion_init(&a.done);
	ret = submit(f, r.id, &a);
	fd_put(src);
	return ret;
}
