/*
 * Leases (fcntl F_SETLEASE): who holds one is told before somebody else opens or truncates the file
 * in a way that conflicts, and has lease_break_time seconds to give it up or turn it down.
 *
 * The leases of an inode lie in its struct file_locks, under l->lock. An exclusive one (F_WRLCK) is
 * alone on the list. No lease is added while one is being broken; broken ones move to the end of
 * the list, so that breaking looks at each once.
 *
 * Granting against opening: an open counts itself (write_count, read_count) and then looks for
 * leases; a grant enters the lease and then looks at the counts. One of them sees the other.
 */
#include <asm/siginfo.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <time/clock.h>
#include <vfs/async.h>

#include "locks_internal.h"

struct lease {
	struct list_head node;
	struct file *file;   /* the file's release drops the lease */
	int fd;              /* as its holder knows it */
	s32 type;            /* F_RDLCK, F_WRLCK */
	bool unlock_pending, downgrade_pending;
	u64 unlock_at_ns, downgrade_at_ns; /* monotonic; U64_MAX: never */
};

s32 lease_break_time = 45;
s32 leases_enable = 1;

static struct lease *first_lease(struct file_locks *l)
{
	return list_empty(&l->leases) ? NULL : list_first(&l->leases, struct lease, node);
}

static struct lease *own_lease(struct file_locks *l, const struct file *f)
{
	struct lease *e;

	list_for_each(e, &l->leases, node)
		if (e->file == f)
			return e;
	return NULL;
}

static bool being_broken(const struct lease *e)
{
	return e->unlock_pending || e->downgrade_pending;
}

/* ---- Changing a lease; l->lock held ---- */

static void lease_drop(struct file_locks *l, struct lease *e)
{
	ASSERT_HELD(&l->lock);
	list_del(&e->node);
	file_owner_clear(e->file);
	kfree(e);
	WRITE_ONCE(l->release_count, l->release_count + 1);
}

static void lease_turn(struct file_locks *l, struct lease *e, s32 type)
{
	ASSERT_HELD(&l->lock);
	e->type = type;
	if (type == F_RDLCK)
		e->downgrade_pending = false;
	WRITE_ONCE(l->release_count, l->release_count + 1);
}

/* Holders who let their time pass lose what they were asked for. */
static void expire(struct file_locks *l)
{
	u64 now = clock_monotonic();
	struct lease *e, *next;

	ASSERT_HELD(&l->lock);
	list_for_each_safe(e, next, &l->leases, node) {
		if (e->downgrade_pending && now >= e->downgrade_at_ns)
			lease_turn(l, e, F_RDLCK);
		if (e->unlock_pending && now >= e->unlock_at_ns)
			lease_drop(l, e);
	}
}

/* ---- Breaking ---- */

/* The first lease that keeps an open for writing, or only reading, out. */
static struct lease *in_the_way(struct file_locks *l, bool write)
{
	struct lease *e = first_lease(l);

	return e && (write || e->type == F_WRLCK) ? e : NULL;
}

/* Asks the next holder who has not been asked; its file with a reference, or NULL: all have. */
static struct file *ask_next(struct file_locks *l, bool write, int *fd)
{
	s32 seconds = READ_ONCE(lease_break_time);
	u64 until = seconds > 0 ? clock_monotonic() + (u64)seconds * NSEC_PER_SEC : U64_MAX;
	struct lease *e;

	ASSERT_HELD(&l->lock);
	while ((e = in_the_way(l, write))) {
		if (write ? e->unlock_pending : being_broken(e))
			return NULL;
		if (write) {
			e->unlock_pending = true;
			e->unlock_at_ns = until;
		} else {
			e->downgrade_pending = true;
			e->downgrade_at_ns = until;
		}
		list_move_tail(&e->node, &l->leases);
		*fd = e->fd;
		if (ref_get_unless_zero(&e->file->ref))
			return e->file;
	}
	return NULL;
}

static void ask_holders(struct file_locks *l, bool write)
{
	struct file *f;
	int fd;

	do {
		spin_lock(&l->lock);
		f = ask_next(l, write, &fd);
		spin_unlock(&l->lock);
		if (f) {
			file_signal(f, fd, POLL_MSG);
			file_put(f);
		}
	} while (f);
}

/* Is somebody in the way? Then *until is when his time is over. */
static bool must_wait(struct file_locks *l, bool write, u64 *until, u64 *seen)
{
	struct lease *e;

	spin_lock(&l->lock);
	expire(l);
	e = in_the_way(l, write);
	if (e)
		*until = e->unlock_pending ? e->unlock_at_ns : e->downgrade_at_ns;
	*seen = l->release_count;
	spin_unlock(&l->lock);
	return e != NULL;
}

int lease_break_slow(struct inode *i, u32 flags)
{
	struct file_locks *l = smp_load_acquire(&i->locks);
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	u64 until, seen;
	int err;

	while (must_wait(l, write, &until, &seen)) {
		ask_holders(l, write);
		if (flags & O_NONBLOCK)
			return -EWOULDBLOCK;
		if (!must_wait(l, write, &until, &seen))
			break;
		err = wait_event_deadline(&l->wait, READ_ONCE(l->release_count) != seen, until);
		if (err && err != -ETIME)
			return err;
	}
	wake_up_all(&l->wait); /* an expired lease may have been in others' way, too */
	return 0;
}

/* ---- Granting ---- */

/* Is the file open in a way that rules the lease out? f's own open does not count. */
static int check_opens(const struct file *f, s32 type)
{
	const struct inode *i = f->inode;
	int writes = f->mode & FMODE_WRITE ? 1 : 0;
	int reads = !writes && (f->mode & FMODE_READ) ? 1 : 0;

	if (type == F_RDLCK)
		return atomic_read(&i->write_count) > 0 ? -EAGAIN : 0;
	return atomic_read(&i->write_count) != writes || atomic_read(&i->read_count) != reads ?
		       -EAGAIN : 0;
}

/* May f get, or keep, a lease of this type beside the others' leases? */
static bool fits(struct file_locks *l, const struct file *f, s32 type)
{
	struct lease *e;

	list_for_each(e, &l->leases, node)
		if (e->file != f && (type == F_WRLCK || e->unlock_pending))
			return false;
	return true;
}

/* Enters *new, or changes the lease that f has. l->lock held. */
static int grant(struct file_locks *l, struct file *f, s32 type, struct lease **new)
{
	struct lease *own;
	int err = check_opens(f, type);

	ASSERT_HELD(&l->lock);
	if (err)
		return err;
	if (!fits(l, f, type))
		return -EAGAIN;
	own = own_lease(l, f);
	if (own) {
		lease_turn(l, own, type);
		return 0;
	}
	if (!READ_ONCE(leases_enable))
		return -EINVAL;
	list_add(&(*new)->node, &l->leases);
	smp_mb(); /* pairs with lease_break: it counts the open first and looks afterwards */
	err = check_opens(f, type);
	if (err)
		list_del(&(*new)->node);
	else
		*new = NULL;
	return err;
}

static long lease_add(struct file *f, int fd, s32 type)
{
	struct file_locks *l = locks_of(f->inode);
	struct lease *new = kzalloc(sizeof(*new), GFP_KERNEL);
	int err;

	if (!l || !new) {
		kfree(new);
		return -ENOMEM;
	}
	new->file = f;
	new->fd = fd;
	new->type = type;
	err = file_owner_set(f, NULL, F_OWNER_PID, false); /* takes the memory */
	if (!err) {
		spin_lock(&l->lock);
		expire(l);
		err = grant(l, f, type, &new);
		/* Whoever takes a lease is told, unless somebody is named already. */
		if (!err)
			err = file_owner_set(f, current->process->leader->pid, F_OWNER_PID, false);
		spin_unlock(&l->lock);
		wake_up_all(&l->wait);
	}
	kfree(new);
	return err;
}

static bool drop_of(struct file_locks *l, const struct file *f)
{
	struct lease *e;

	spin_lock(&l->lock);
	e = own_lease(l, f);
	if (e)
		lease_drop(l, e);
	spin_unlock(&l->lock);
	if (e)
		wake_up_all(&l->wait);
	return e;
}

long lease_set(struct file *f, int fd, u64 type)
{
	struct file_locks *l = smp_load_acquire(&f->inode->locks);

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (current->cred->fsuid != READ_ONCE(f->inode->uid) && !capable(CAP_LEASE))
		return -EACCES;
	if (!inode_is_reg(f->inode))
		return -EINVAL;
	if (type != F_UNLCK)
		return lease_add(f, fd, (s32)type);
	return l && drop_of(l, f) ? 0 : -EAGAIN;
}

long lease_get(struct file *f)
{
	struct file_locks *l = smp_load_acquire(&f->inode->locks);
	s32 type = F_UNLCK;
	struct lease *e;

	if (!l)
		return type;
	spin_lock(&l->lock);
	expire(l);
	e = own_lease(l, f);
	if (e && !e->unlock_pending)
		type = e->downgrade_pending ? F_RDLCK : e->type;
	spin_unlock(&l->lock);
	return type;
}

void lease_release(struct file_locks *l, const struct file *f)
{
	if (unlikely(!list_empty(&l->leases)))
		drop_of(l, f);
}
