/*
 * Directory notification (fcntl F_NOTIFY): a signal to the owner of an open directory when something
 * happens in it. One watch (vfs/notify.h) for each open directory and descriptor table, with the
 * number that the latest call used; it lives until a descriptor of the file is closed in that table.
 *
 * Events arrive under the inode's spinlock, where no signal can be sent: they are counted there, and
 * the file is held until those that were counted have been sent.
 *
 * Locks: add_lock, then inode spin.
 */
#include <lib/errno.h>
#include <linux/fcntl.h>
#include <mm/slab.h>
#include <task/task.h>
#include <vfs/async.h>
#include <vfs/limits.h>
#include <vfs/notify.h>

#include "dnotify.h"
#include "fd_table.h"

struct dnotify {
	struct notify_watch notify;
	struct file *file;       /* const; a reference while nr_events is not 0 */
	const void *table;       /* const: whose descriptor it is */
	int fd;                  /* inode spin */
	u32 nr_events;           /* inode spin: not signalled yet */
};

s32 dir_notify_enable = 1;

/* Callers that make watches take turns. */
static DEFINE_MUTEX(add_lock, LOCK_RANK_SLEEP_INNER);

static struct dnotify *dnotify_of(struct notify_watch *w)
{
	return container_of(w, struct dnotify, notify);
}

static void count_event(struct notify_watch *w, u32 mask, const struct qstr *name, u32 cookie)
{
	struct dnotify *dn = dnotify_of(w);

	if (!dn->nr_events++)
		file_get(dn->file); /* attached: the table has one */
}

static void signal_events(struct notify_watch *w)
{
	struct dnotify *dn = dnotify_of(w);
	u32 n;
	int fd;

	spin_lock(&w->inode->spin);
	n = dn->nr_events;
	dn->nr_events = 0;
	fd = dn->fd;
	spin_unlock(&w->inode->spin);
	if (!n)
		return; /* another one has sent ours */
	while (n--)
		file_signal(dn->file, fd, POLL_MSG);
	file_put(dn->file);
}

static void nothing_to_tell(struct notify_watch *w)
{
}

static void dnotify_free(struct notify_watch *w)
{
	kfree(dnotify_of(w));
}

static const struct notify_ops dnotify_ops = {
	.event = count_event,
	.told = signal_events,
	.gone = nothing_to_tell,
	.free = dnotify_free,
};

/* The watch of f in that table. inode spin. */
static struct dnotify *find_locked(const struct file *f, const void *table)
{
	struct notify_watch *w;

	hlist_for_each(w, &f->inode->watches, node) {
		if (w->ops == &dnotify_ops && dnotify_of(w)->file == f && dnotify_of(w)->table == table)
			return dnotify_of(w);
	}
	return NULL;
}

void dnotify_close_slow(struct file *f, const void *table)
{
	struct dnotify *dn;

	spin_lock(&f->inode->spin);
	dn = find_locked(f, table);
	if (dn)
		ref_get(&dn->notify.ref);
	spin_unlock(&f->inode->spin);
	if (!dn)
		return;
	(void)notify_detach(&dn->notify);
	notify_put(&dn->notify);
}

static u32 mask_of(u64 arg)
{
	return (arg & DN_MULTISHOT ? 0 : IN_ONESHOT) | (arg & DN_ACCESS ? IN_ACCESS : 0) |
	       (arg & DN_MODIFY ? IN_MODIFY : 0) | (arg & DN_ATTRIB ? IN_ATTRIB : 0) |
	       (arg & DN_CREATE ? IN_CREATE | IN_MOVED_TO : 0) |
	       (arg & DN_DELETE ? IN_DELETE | IN_MOVED_FROM : 0) |
	       (arg & DN_RENAME ? NOTIFY_RENAME : 0);
}

/* More events for the watch there is; once asked to stay, it stays. False: there is none. */
static bool add_events(struct file *f, int fd, u32 mask)
{
	struct dnotify *dn;

	spin_lock(&f->inode->spin);
	dn = find_locked(f, current->files);
	if (dn) {
		u32 once = dn->notify.mask & mask & IN_ONESHOT;

		dn->notify.mask = ((dn->notify.mask | mask) & ~(u32)IN_ONESHOT) | once;
		dn->fd = fd;
		notify_mask_changed(f->inode);
	}
	spin_unlock(&f->inode->spin);
	return dn != NULL;
}

static int add_watch(struct file *f, int fd, u32 mask)
{
	struct dnotify *dn = kzalloc(sizeof(*dn), GFP_KERNEL);

	if (!dn)
		return -ENOMEM;
	ref_init(&dn->notify.ref);
	dn->notify.ops = &dnotify_ops;
	dn->notify.mask = mask;
	dn->file = f;
	dn->table = current->files;
	dn->fd = fd;
	notify_attach(&dn->notify, f->inode);
	return 0;
}

long dnotify_set(struct file *f, int fd, u64 arg)
{
	struct file *now;
	int err;

	if (!READ_ONCE(dir_notify_enable))
		return -EINVAL;
	if (!((u32)arg & ~DN_MULTISHOT)) {
		dnotify_close_slow(f, current->files);
		return 0;
	}
	if (!inode_is_dir(f->inode))
		return -ENOTDIR;
	err = file_owner_set(f, current->process->leader->pid, F_OWNER_PID, false);
	if (err)
		return err;
	mutex_lock(&add_lock);
	if (!add_events(f, fd, mask_of(arg)))
		err = add_watch(f, fd, mask_of(arg));
	mutex_unlock(&add_lock);

	/* Another thread may have closed the descriptor before there was anything to take away. */
	now = fd_table_file_get(current->files, (u32)fd);
	if (now)
		file_put(now);
	if (unlikely(now != f))
		dnotify_close_slow(f, current->files);
	return err;
}
