/*
 * inotify: a queue of events per instance, fed by watches on inodes (vfs/notify.h).
 *
 * ino->lock guards the queue and the tree of watches; events arrive under the watched inode's
 * spinlock, so it comes after that. ino->add_lock makes callers that add watches take turns. A
 * watch holds its instance: whoever ends a watch may still be at it when the instance's file has
 * gone.
 */
#include <boot/init.h>
#include <event/inotify.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/rbtree.h>
#include <lib/string.h>
#include <asm/ioctls.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/task.h>
#include <vfs/notify.h>
#include <vfs/path.h>
#include <vfs/poll.h>

#define INPUT_BITS (IN_ALL_EVENTS | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD |  \
		    IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)
/* What add_watch keeps of its mask. */
#define WATCH_BITS (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

struct event {
	struct list_head node;
	s32 wd;
	u32 mask, cookie;
	u32 name_len;   /* 0: none */
	char name[];
};

struct inotify {
	struct ref ref;
	struct spinlock lock;       /* LOCK_RANK_NOTIFY_QUEUE */
	struct list_head queue;     /* lock */
	u32 nr_events;              /* lock */
	struct event overflow;      /* lock; on the queue while mask is not 0 */
	struct rb_root watches;     /* lock: by wd */
	s32 last_wd;                /* add_lock */
	bool closed;                /* lock: nobody reads any more */
	struct mutex add_lock;      /* LOCK_RANK_SLEEP_INNER */
	struct wait_queue wait;
	struct user_account *user;  /* const: reference */
};

struct watch {
	struct notify_watch notify;
	struct inotify *ino;        /* const: reference */
	struct rb_node node;        /* ino->lock */
	s32 wd;                     /* const */
	bool numbered;              /* ino->lock: in the tree */
};

u32 inotify_max_queued_events = 16384, inotify_max_user_instances = 128, inotify_max_user_watches;

/* ---- The queue ---- */

static u32 name_room(const struct event *e)
{
	return e->name_len ? ALIGN_UP(e->name_len + 1, (u32)sizeof(struct inotify_event)) : 0;
}

static void enqueue_locked(struct inotify *ino, struct event *e)
{
	list_add_tail(&e->node, &ino->queue);
	ino->nr_events++;
	wake_up_poll(&ino->wait, EPOLLIN | EPOLLRDNORM);
}

static void overflow_locked(struct inotify *ino)
{
	if (ino->overflow.mask)
		return;
	ino->overflow.mask = IN_Q_OVERFLOW;
	ino->overflow.wd = -1;
	enqueue_locked(ino, &ino->overflow);
}

/* Would the event only repeat the newest one? */
static bool repeats_locked(const struct inotify *ino, s32 wd, u32 mask, const struct qstr *name)
{
	const struct event *last;

	if (list_empty(&ino->queue))
		return false;
	last = list_last(&ino->queue, struct event, node);
	return last->wd == wd && last->mask == mask && !(mask & IN_IGNORED) &&
	       last->name_len == (name ? name->len : 0) &&
	       (!name || !memcmp(last->name, name->name, name->len));
}

static void put_event_locked(struct inotify *ino, s32 wd, u32 mask, const struct qstr *name,
			     u32 cookie)
{
	u32 len = name ? name->len : 0;
	struct event *e = NULL;

	if (ino->closed || repeats_locked(ino, wd, mask, name))
		return;
	if (ino->nr_events < READ_ONCE(inotify_max_queued_events))
		e = kmalloc(sizeof(*e) + len, GFP_ATOMIC);
	if (!e) {
		overflow_locked(ino);
		return;
	}
	e->wd = wd;
	e->mask = mask;
	e->cookie = cookie;
	e->name_len = len;
	if (len)
		memcpy(e->name, name->name, len);
	enqueue_locked(ino, e);
}

static struct event *take_locked(struct inotify *ino)
{
	struct event *e = list_first(&ino->queue, struct event, node);

	list_del(&e->node);
	ino->nr_events--;
	return e;
}

static void event_free(struct inotify *ino, struct event *e)
{
	if (e != &ino->overflow)
		kfree(e);
}

/* ---- Watches ---- */

static void inotify_put(struct inotify *ino)
{
	if (!ref_put(&ino->ref))
		return;
	user_account_put(ino->user);
	kfree(ino);
}

static struct watch *watch_of(struct notify_watch *n)
{
	return container_of(n, struct watch, notify);
}

static void watch_event(struct notify_watch *n, u32 mask, const struct qstr *name, u32 cookie)
{
	struct watch *w = watch_of(n);

	spin_lock(&w->ino->lock);
	put_event_locked(w->ino, w->wd, mask, name, cookie);
	spin_unlock(&w->ino->lock);
}

static void watch_forget_locked(struct watch *w)
{
	if (w->numbered)
		rb_erase(&w->ino->watches, &w->node, NULL);
	w->numbered = false;
}

static void watch_gone(struct notify_watch *n)
{
	struct watch *w = watch_of(n);
	struct inotify *ino = w->ino;

	spin_lock(&ino->lock);
	watch_forget_locked(w);
	put_event_locked(ino, w->wd, IN_IGNORED, NULL, 0);
	spin_unlock(&ino->lock);
	atomic_dec(&ino->user->nr_inotify_watches);
}

static void watch_free(struct notify_watch *n)
{
	struct watch *w = watch_of(n);

	inotify_put(w->ino);
	kfree(w);
}

static const struct notify_ops watch_ops = {
	.event = watch_event,
	.gone = watch_gone,
	.free = watch_free,
};

/* The watch of that number with a reference, or NULL. */
static struct watch *watch_get(struct inotify *ino, s32 wd)
{
	struct rb_node *n;
	struct watch *w;

	spin_lock(&ino->lock);
	n = ino->watches.node;
	while (n) {
		w = rb_entry(n, struct watch, node);
		if (w->wd == wd)
			break;
		n = wd < w->wd ? n->left : n->right;
	}
	if (n)
		ref_get(&w->notify.ref);
	spin_unlock(&ino->lock);
	return n ? w : NULL;
}

/* Gives w a number that is not in use, rising as long as there are any. */
static void watch_number(struct inotify *ino, struct watch *w)
{
	struct rb_node **at, *parent;

	spin_lock(&ino->lock);
again:
	ino->last_wd = ino->last_wd == INT_MAX ? 1 : ino->last_wd + 1;
	w->wd = ino->last_wd;
	at = &ino->watches.node;
	parent = NULL;
	while (*at) {
		const struct watch *other = rb_entry(*at, struct watch, node);

		if (other->wd == w->wd)
			goto again;
		parent = *at;
		at = w->wd < other->wd ? &parent->left : &parent->right;
	}
	rb_insert(&ino->watches, &w->node, parent, at, NULL);
	w->numbered = true;
	spin_unlock(&ino->lock);
}

/* The instance watches i already: changes that. The number, -EEXIST, or -ENOENT. */
static long update_watch(struct inotify *ino, struct inode *i, u32 mask)
{
	struct notify_watch *n;
	long ret = -ENOENT;

	spin_lock(&i->spin);
	hlist_for_each(n, &i->watches, node) {
		if (n->ops != &watch_ops || watch_of(n)->ino != ino)
			continue;
		ret = -EEXIST;
		if (mask & IN_MASK_CREATE)
			break;
		n->mask = (mask & WATCH_BITS) | (mask & IN_MASK_ADD ? n->mask : 0);
		notify_mask_changed(i);
		ret = watch_of(n)->wd;
		break;
	}
	spin_unlock(&i->spin);
	return ret;
}

static long new_watch(struct inotify *ino, struct inode *i, u32 mask)
{
	struct atomic *count = &ino->user->nr_inotify_watches;
	struct watch *w;

	if ((u32)atomic_add_return(count, 1) > READ_ONCE(inotify_max_user_watches)) {
		atomic_dec(count);
		return -ENOSPC;
	}
	w = kzalloc(sizeof(*w), GFP_KERNEL);
	if (!w) {
		atomic_dec(count);
		return -ENOMEM;
	}
	ref_init(&w->notify.ref);
	ref_get(&w->notify.ref); /* ours, until we have read the number */
	w->notify.ops = &watch_ops;
	w->notify.mask = mask & WATCH_BITS;
	ref_get(&ino->ref);
	w->ino = ino;
	w->notify.inode = i;
	watch_number(ino, w);
	notify_attach(&w->notify, i);
	mask = (u32)w->wd;
	notify_put(&w->notify);
	return (long)mask;
}

static long add_watch(struct inotify *ino, struct user_str name, u32 mask)
{
	u32 lookup = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) |
		     (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	struct path p;
	long ret = user_path(AT_FDCWD, name, lookup, &p);

	if (ret)
		return ret;
	ret = inode_permission(p.dentry->inode, MAY_READ);
	if (!ret) {
		mutex_lock(&ino->add_lock);
		ret = update_watch(ino, p.dentry->inode, mask);
		if (ret == -ENOENT)
			ret = new_watch(ino, p.dentry->inode, mask);
		mutex_unlock(&ino->add_lock);
	}
	path_put(&p);
	return ret;
}

/* ---- The file ---- */

/* Stores one event. Bytes, -EINVAL when the buffer is too short for the first event, -EFAULT. */
static ssize_t store_next(struct inotify *ino, struct io_iter *to)
{
	static const char zeroes[sizeof(struct inotify_event)];
	struct inotify_event out;
	struct event *e = NULL;
	ssize_t size = 0;
	u32 room = 0;

	spin_lock(&ino->lock);
	if (!list_empty(&ino->queue)) {
		e = list_first(&ino->queue, struct event, node);
		room = name_room(e);
		size = (ssize_t)(sizeof(out) + room);
		if ((size_t)size > io_count(to)) {
			spin_unlock(&ino->lock);
			return -EINVAL;
		}
		(void)take_locked(ino);
		out = (struct inotify_event){.wd = e->wd, .mask = e->mask, .cookie = e->cookie,
					     .len = room};
		if (e == &ino->overflow)
			e->mask = 0; /* may be queued again from here on */
	}
	spin_unlock(&ino->lock);
	if (!e)
		return 0;
	if (io_copy_to(to, &out, sizeof(out)) < sizeof(out) ||
	    (room && (io_copy_to(to, e->name, e->name_len) < e->name_len ||
		      io_copy_to(to, zeroes, room - e->name_len) < room - e->name_len)))
		size = -EFAULT;
	event_free(ino, e);
	return size;
}

static ssize_t inotify_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct inotify *ino = f->private;
	ssize_t done = 0, n;
	int err;

	for (;;) {
		n = store_next(ino, to);
		if (n > 0) {
			done += n;
			continue;
		}
		if (n == -EFAULT || (n < 0 && !done))
			return n;
		if (done)
			return done;
		if (READ_ONCE(f->flags) & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&ino->wait, !list_empty(&ino->queue));
		if (err)
			return err;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *ino = f->private;

	poll_wait(f, &ino->wait, pt);
	return list_empty(&ino->queue) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static long inotify_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct inotify *ino = f->private;
	const struct event *e;
	int bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	spin_lock(&ino->lock);
	list_for_each(e, &ino->queue, node)
		bytes += (int)(sizeof(struct inotify_event) + name_room(e));
	spin_unlock(&ino->lock);
	return user_write(user_handle(int, arg), &bytes);
}

static void inotify_release(struct file *f)
{
	struct inotify *ino = f->private;
	struct rb_node *n;

	for (;;) {
		struct watch *w = NULL;

		spin_lock(&ino->lock);
		ino->closed = true;
		n = rb_first(&ino->watches);
		if (n) {
			w = rb_entry(n, struct watch, node);
			ref_get(&w->notify.ref);
			watch_forget_locked(w); /* somebody slower than us may be ending it */
		}
		spin_unlock(&ino->lock);
		if (!w)
			break;
		(void)notify_detach(&w->notify);
		notify_put(&w->notify);
	}
	while (!list_empty(&ino->queue))
		event_free(ino, take_locked(ino));
	atomic_dec(&ino->user->nr_inotify_instances);
	inotify_put(ino);
}

/* The line of the first watch whose number is above *wd, which moves to it. False: none. */
static bool describe_next(struct inotify *ino, s32 *wd, char *line, size_t size)
{
	struct rb_node *n, *found = NULL;

	spin_lock(&ino->lock);
	for (n = ino->watches.node; n;) {
		if (rb_entry(n, struct watch, node)->wd > *wd) {
			found = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	if (found) {
		const struct watch *w = rb_entry(found, struct watch, node);
		const struct inode *i = w->notify.inode;

		*wd = w->wd;
		format(line, size, "inotify wd:%x ino:%llx sdev:%llx mask:%x ignored_mask:0 \n", w->wd,
		       i->ino, i->sb->dev, READ_ONCE(w->notify.mask));
	}
	spin_unlock(&ino->lock);
	return found;
}

static void inotify_show_fdinfo(struct file *f, void (*emit)(void *ctx, const char *text), void *ctx)
{
	char line[128];
	s32 wd = 0;

	while (describe_next(f->private, &wd, line, sizeof(line)))
		emit(ctx, line);
}

static const struct file_ops inotify_fops = {
	.name = "inotify",
	.read = inotify_read,
	.llseek = file_llseek_noop,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.show_fdinfo = inotify_show_fdinfo,
};

/* ---- Calls ---- */

static struct inotify *inotify_alloc(void)
{
	struct inotify *ino = kzalloc(sizeof(*ino), GFP_KERNEL);

	if (!ino)
		return NULL;
	ref_init(&ino->ref);
	spin_init(&ino->lock, LOCK_RANK_NOTIFY_QUEUE);
	mutex_init(&ino->add_lock, LOCK_RANK_SLEEP_INNER);
	list_init(&ino->queue);
	wait_queue_init(&ino->wait);
	ino->user = current->cred->user;
	user_account_ref(ino->user);
	return ino;
}

static int inotify_create(u32 flags, struct file **out)
{
	struct atomic *count = &current->cred->user->nr_inotify_instances;
	struct inotify *ino;
	int err = -ENOMEM;

	if ((u32)atomic_add_return(count, 1) > READ_ONCE(inotify_max_user_instances)) {
		atomic_dec(count);
		return -EMFILE;
	}
	ino = inotify_alloc();
	if (ino)
		err = file_create_anon("anon_inode:inotify", &inotify_fops, ino,
				       O_RDONLY | (flags & O_NONBLOCK), out);
	if (err) {
		atomic_dec(count);
		if (ino)
			inotify_put(ino);
	}
	return err;
}

long sys_inotify_init1(u32 flags)
{
	struct file *f;
	int err;

	if (flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	err = inotify_create(flags, &f);
	if (err)
		return err;
	return fd_install_new(f, flags & IN_CLOEXEC);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

long sys_inotify_add_watch(int fd, struct user_str path, u32 mask)
{
	long ret = -EINVAL;
	struct fd f;

	if (mask & ~(u32)INPUT_BITS || !(mask & INPUT_BITS))
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	if (f.file->ops == &inotify_fops && (~mask & (IN_MASK_ADD | IN_MASK_CREATE)))
		ret = add_watch(f.file->private, path, mask);
	fd_put(f);
	return ret;
}

long sys_inotify_rm_watch(int fd, int wd)
{
	struct fd f = fd_get(fd);
	struct watch *w = NULL;
	bool mine = false;

	if (!f.file)
		return -EBADF;
	if (f.file->ops == &inotify_fops)
		w = watch_get(f.file->private, wd);
	if (w) {
		mine = notify_detach(&w->notify);
		notify_put(&w->notify);
	}
	fd_put(f);
	return mine ? 0 : -EINVAL;
}

/* As Linux: a hundredth of memory, at about a kilobyte each, within bounds. */
static int inotify_limits(void)
{
	struct mem_stats st;
	u64 n;

	mem_stats(&st);
	n = (st.total_pages / 100 << PAGE_SHIFT) / 1024;
	inotify_max_user_watches = (u32)MIN(MAX(n, 8192ULL), 1048576ULL);
	return 0;
}
INIT_CALL(INIT_CORE, inotify_limits);
