/*
 * flock(2): locks on a whole file that belong to the open file. They share struct file_locks, its
 * lock and its queue with the record locks, but neither sees the other.
 */
#include <lib/errno.h>
#include <mm/slab.h>
#include <linux/fcntl.h>
#include <syscall/table.h>

#include "locks_internal.h"

static struct flock_entry *find_own(struct file_locks *l, const struct file *f)
{
	struct flock_entry *e;

	list_for_each(e, &l->flocks, node)
		if (e->file == f)
			return e;
	return NULL;
}

static bool conflicts(struct file_locks *l, const struct file *f, bool exclusive)
{
	struct flock_entry *e;

	list_for_each(e, &l->flocks, node)
		if (e->file != f && (e->exclusive || exclusive))
			return true;
	return false;
}

static void released(struct file_locks *l)
{
	WRITE_ONCE(l->release_count, l->release_count + 1);
}

void flock_release(struct file_locks *l, const struct file *f)
{
	struct flock_entry *e;

	spin_lock(&l->lock);
	e = find_own(l, f);
	if (e) {
		list_del(&e->node);
		released(l);
	}
	spin_unlock(&l->lock);
	if (e)
		wake_up_all(&l->wait);
	kfree(e);
}

/*
 * Changing the kind of a lock gives the old one up first, as Linux does: another waiter may come in
 * between, and when the call then fails the old lock is lost.
 */
static int flock_take(struct file_locks *l, struct file *f, struct flock_entry *new, bool wait)
{
	struct flock_entry *own;
	int err = 0;

	spin_lock(&l->lock);
	own = find_own(l, f);
	if (own && own->exclusive == new->exclusive) {
		spin_unlock(&l->lock);
		kfree(new);
		return 0;
	}
	if (own) {
		list_del(&own->node);
		released(l);
		spin_unlock(&l->lock);
		wake_up_all(&l->wait);
		kfree(own);
		spin_lock(&l->lock);
	}
	while (conflicts(l, f, new->exclusive)) {
		u64 seen = l->release_count;

		spin_unlock(&l->lock);
		err = wait ? wait_event_interruptible(&l->wait,
						      READ_ONCE(l->release_count) != seen) :
			     -EAGAIN;
		if (err) {
			kfree(new);
			return err;
		}
		spin_lock(&l->lock);
	}
	own = find_own(l, f); /* another thread with the same open file may have been here */
	if (own) {
		own->exclusive = new->exclusive;
	} else {
		list_add_tail(&new->node, &l->flocks);
		new = NULL;
	}
	spin_unlock(&l->lock);
	kfree(new);
	return 0;
}

static int flock_lock(struct file *f, bool exclusive, bool wait)
{
	struct file_locks *l = locks_of(f->inode);
	struct flock_entry *new = kmalloc(sizeof(*new), GFP_KERNEL);

	if (!l || !new) {
		kfree(new);
		return -ENOLCK;
	}
	new->file = f;
	new->exclusive = exclusive;
	new->pid = current->process->pid;
	return flock_take(l, f, new, wait);
}

static int do_flock(struct file *f, u32 op)
{
	struct file_locks *l;

	if (!(f->mode & (FMODE_READ | FMODE_WRITE)) && (op & ~LOCK_NB) != LOCK_UN)
		return -EBADF;
	if ((op & ~LOCK_NB) != LOCK_UN)
		return flock_lock(f, (op & ~LOCK_NB) == LOCK_EX, !(op & LOCK_NB));
	l = smp_load_acquire(&f->inode->locks);
	if (l)
		flock_release(l, f);
	return 0;
}

long sys_flock(int fd, u32 op)
{
	u32 kind = op & ~(u32)LOCK_NB;
	struct fd f;
	int err;

	if (op & LOCK_MAND) /* mandatory locks are gone: accepted without effect */
		return 0;
	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	f = fd_get(fd);
	if (!f.file)
		return -EBADF;
	err = do_flock(f.file, op);
	fd_put(f);
	return err;
}
