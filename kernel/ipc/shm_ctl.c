/* shmctl, and the table of segments in /proc/sysvipc/shm. */
#include <arch/mmu.h>
#include <lib/format.h>
#include <lib/string.h>
#include <syscall/table.h>
#include "shm.h"

DEFINE_USER_PTR(shmid_ds, struct shmid64_ds);
DEFINE_USER_PTR(shminfo, struct shminfo64);
DEFINE_USER_PTR(shm_info, struct shm_info);

static u64 resident_pages(const struct shm_segment *s)
{
	return READ_ONCE(s->file->inode->mapping.nr_pages);
}

static void fill_stat(struct shm_segment *s, struct shmid64_ds *d)
{
	memset(d, 0, sizeof(*d));
	ipc_fill_perm(&s->object, &d->shm_perm);
	d->shm_segsz = s->size;
	d->shm_atime = s->atime;
	d->shm_dtime = s->dtime;
	d->shm_ctime = s->ctime;
	d->shm_cpid = s->creator_pid;
	d->shm_lpid = s->last_pid;
	d->shm_nattch = s->nr_attached;
}

static long stat(struct ipc_ns *ns, s32 id, int cmd, struct user_shmid_ds buf)
{
	struct shmid64_ds d;
	struct ipc_object *o;
	long result;
	int err = ipc_lock_stat(&ns->shm, id, cmd != IPC_STAT, cmd == SHM_STAT_ANY, &o, &result);

	if (err)
		return err;
	fill_stat(shm_of(o), &d);
	ipc_unlock(o);
	err = user_write(buf, &d);
	return err ? err : result;
}

static long set(struct ipc_ns *ns, s32 id, struct user_shmid_ds buf)
{
	struct shmid64_ds d;
	struct ipc_object *o;
	int err = user_read(&d, buf);

	if (!err)
		err = ipc_lock(&ns->shm, id, &o);
	if (err)
		return err;
	err = ipc_check_owner(o);
	if (!err)
		err = ipc_set_perm(o, &d.shm_perm);
	if (!err)
		shm_of(o)->ctime = ipc_now();
	ipc_unlock(o);
	return err;
}

/* There is no swap, so locked memory differs only by who pays for it. */
static int lock_memory(struct shm_segment *s)
{
	struct user_account *user = current->cred->user;
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (s->lock_user)
		return 0;
	if ((u64)atomic64_add_return(&user->locked_shm_pages, (s64)s->nr_pages) > limit &&
	    rlimit(RLIMIT_MEMLOCK) != RLIM64_INFINITY && !capable(CAP_IPC_LOCK)) {
		atomic64_add(&user->locked_shm_pages, -(s64)s->nr_pages);
		return -ENOMEM;
	}
	user_account_ref(user);
	s->lock_user = user;
	s->object.mode |= SHM_LOCKED;
	return 0;
}

static int may_lock(const struct ipc_object *o, bool lock)
{
	const struct cred *c = current->cred;

	if (capable(CAP_IPC_LOCK))
		return 0;
	if (c->euid != o->uid && c->euid != o->cuid)
		return -EPERM;
	return lock && !rlimit(RLIMIT_MEMLOCK) ? -EPERM : 0;
}

static long set_lock(struct ipc_ns *ns, s32 id, bool lock)
{
	struct ipc_object *o;
	int err = ipc_lock(&ns->shm, id, &o);

	if (err)
		return err;
	err = may_lock(o, lock);
	if (!err && lock)
		err = lock_memory(shm_of(o));
	else if (!err)
		shm_unlock_memory(shm_of(o));
	ipc_unlock(o);
	return err;
}

static long info(struct ipc_ns *ns, struct user_shminfo buf)
{
	const struct ipc_limits *l = ns->limits;
	struct shminfo64 i = {
		.shmmax = READ_ONCE(l->shmmax),
		.shmmin = 1,
		.shmmni = READ_ONCE(l->shmmni),
		.shmseg = READ_ONCE(l->shmmni),
		.shmall = READ_ONCE(l->shmall),
	};
	int err = user_write(buf, &i);

	return err ? err : ipc_max_index(&ns->shm);
}

static long usage(struct ipc_ns *ns, struct user_shm_info buf)
{
	struct shm_info i;
	struct ipc_object *o;
	int err;

	memset(&i, 0, sizeof(i)); /* it has padding */
	mutex_lock(&ns->shm.lock);
	i.used_ids = (int)ns->shm.nr;
	i.shm_tot = ns->shm_pages;
	for (u64 index = 0; (o = ipc_next(&ns->shm, &index)); index++) {
		i.shm_rss += resident_pages(shm_of(o));
		ipc_unlock(o);
	}
	mutex_unlock(&ns->shm.lock);
	err = user_write(buf, &i);
	return err ? err : ipc_max_index(&ns->shm);
}

long sys_shmctl(int id, int cmd, struct user_bytes buf)
{
	struct ipc_ns *ns = ipc_ns_current();

	if (cmd < 0 || id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return info(ns, user_cast(shminfo, buf));
	case SHM_INFO:
		return usage(ns, user_cast(shm_info, buf));
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return stat(ns, id, cmd, user_cast(shmid_ds, buf));
	case IPC_SET:
		return set(ns, id, user_cast(shmid_ds, buf));
	case IPC_RMID:
		return shm_remove(ns, id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return set_lock(ns, id, cmd == SHM_LOCK);
	default:
		return -EINVAL;
	}
}

void shm_show(struct ipc_ns *ns, void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct ipc_object *o;
	struct shmid64_ds d;
	char line[256];
	s32 id;
	u64 rss;

	emit(ctx, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid"
		  "  cgid      atime      dtime      ctime                   rss                  swap\n");
	for (u64 index = 0; (o = ipc_next(&ns->shm, &index)); index++) {
		fill_stat(shm_of(o), &d);
		rss = resident_pages(shm_of(o)) * PAGE_SIZE;
		id = o->id;
		ipc_unlock(o);
		format(line, sizeof(line), "%10d %10d  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u %10ld "
		       "%10ld %10ld %21llu %21u\n", d.shm_perm.key, id, d.shm_perm.mode,
		       (unsigned long)d.shm_segsz, d.shm_cpid, d.shm_lpid, d.shm_nattch,
		       d.shm_perm.uid, d.shm_perm.gid, d.shm_perm.cuid, d.shm_perm.cgid,
		       (long)d.shm_atime, (long)d.shm_dtime, (long)d.shm_ctime, rss, 0u);
		emit(ctx, line);
	}
}
