/* semctl, and the table of sets in /proc/sysvipc/sem. */
#include <arch/speculation.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include "sem.h"

DEFINE_USER_PTR(semid_ds, struct semid64_ds);
DEFINE_USER_PTR(seminfo, struct seminfo);

static void fill_stat(struct sem_set *set, struct semid64_ds *d)
{
	memset(d, 0, sizeof(*d));
	ipc_fill_perm(&set->object, &d->sem_perm);
	d->sem_otime = set->otime;
	d->sem_ctime = set->ctime;
	d->sem_nsems = set->nr;
}

static long stat(struct ipc_ns *ns, s32 id, int cmd, struct user_semid_ds buf)
{
	struct semid64_ds d;
	struct ipc_object *o;
	long result;
	int err = ipc_lock_stat(&ns->sem, id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, &o, &result);

	if (err)
		return err;
	fill_stat(sem_set_of(o), &d);
	ipc_unlock(o);
	err = user_write(buf, &d);
	return err ? err : result;
}

static long set_perm(struct ipc_ns *ns, s32 id, struct user_semid_ds buf)
{
	struct semid64_ds d;
	struct ipc_object *o;
	int err = user_read(&d, buf);

	if (!err)
		err = ipc_lock(&ns->sem, id, &o);
	if (err)
		return err;
	err = ipc_check_owner(o);
	if (!err)
		err = ipc_set_perm(o, &d.sem_perm);
	if (!err)
		sem_set_of(o)->ctime = ipc_now();
	ipc_unlock(o);
	return err;
}

static long info(struct ipc_ns *ns, int cmd, struct user_seminfo buf)
{
	struct seminfo i;
	int err;

	memset(&i, 0, sizeof(i));
	i.semmni = (int)READ_ONCE(ns->limits->semmni);
	i.semmns = (int)READ_ONCE(ns->limits->semmns);
	i.semmsl = (int)READ_ONCE(ns->limits->semmsl);
	i.semopm = (int)READ_ONCE(ns->limits->semopm);
	i.semvmx = SEMVMX;
	i.semmnu = SEMMNU;
	i.semmap = SEMMAP;
	i.semume = SEMUME;
	i.semusz = SEMUSZ;
	i.semaem = SEMAEM;
	if (cmd == SEM_INFO) {
		mutex_lock(&ns->sem.lock);
		i.semusz = (int)ns->sem.nr;
		i.semaem = (int)ns->sem_total;
		mutex_unlock(&ns->sem.lock);
	}
	err = user_write(buf, &i);
	return err ? err : ipc_max_index(&ns->sem);
}

static bool blocks_on(const struct sem_waiter *w, u32 num, bool zero)
{
	return w->blocking->sem_num == num &&
	       (zero ? w->blocking->sem_op == 0 : w->blocking->sem_op < 0);
}

static long count_waiters(struct sem_set *set, u32 num, bool zero)
{
	struct sem_waiter *w;
	long n = 0;

	list_for_each(w, &set->sem[num].waiters, wait.node)
		n += blocks_on(w, num, zero);
	list_for_each(w, &set->complex, wait.node)
		n += blocks_on(w, num, zero);
	return n;
}

static long get_one(struct ipc_ns *ns, s32 id, int num, int cmd)
{
	struct ipc_object *o;
	struct sem_set *set;
	long err = ipc_lock(&ns->sem, id, &o);

	if (err)
		return err;
	set = sem_set_of(o);
	err = ipc_check_access(o, 0444);
	if (!err && (num < 0 || (u32)num >= set->nr))
		err = -EINVAL;
	if (!err) {
		u32 n = (u32)index_clamp((u32)num, set->nr);

		if (cmd == GETVAL)
			err = set->sem[n].value;
		else if (cmd == GETPID)
			err = set->sem[n].pid;
		else
			err = count_waiters(set, n, cmd == GETZCNT);
	}
	ipc_unlock(o);
	return err;
}

static long set_one(struct ipc_ns *ns, s32 id, int num, int value)
{
	struct ipc_object *o;
	struct sem_set *set;
	long err;

	if (value < 0 || value > SEMVMX)
		return -ERANGE;
	err = ipc_lock(&ns->sem, id, &o);
	if (err)
		return err;
	set = sem_set_of(o);
	if (num < 0 || (u32)num >= set->nr)
		err = -EINVAL;
	else
		err = ipc_check_access(o, 0222);
	if (!err) {
		u32 n = (u32)index_clamp((u32)num, set->nr);

		sem_undo_clear(set, n, n);
		set->sem[n].value = value;
		set->sem[n].pid = ipc_pid();
		set->ctime = ipc_now();
		sem_note_change(set, n);
		sem_update(set);
	}
	ipc_unlock(o);
	return err;
}

/* The set with a reference, not locked, when the access is granted. */
static int get_for_all(struct ipc_ns *ns, s32 id, u32 access, struct sem_set **out)
{
	struct ipc_object *o;
	int err = ipc_lock(&ns->sem, id, &o);

	if (err)
		return err;
	err = ipc_check_access(o, access);
	if (!err)
		ipc_get(o);
	ipc_unlock(o);
	*out = sem_set_of(o);
	return err;
}

static int copy_values_out(struct sem_set *set, u16 *values, struct user_u16 array)
{
	int err = ipc_relock(&set->object);

	if (err)
		return err;
	for (u32 i = 0; i < set->nr; i++)
		values[i] = (u16)set->sem[i].value;
	ipc_unlock(&set->object);
	return user_write_array(array, values, set->nr);
}

static int copy_values_in(struct sem_set *set, u16 *values, struct user_u16 array)
{
	int err = user_read_array(values, array, set->nr);

	for (u32 i = 0; !err && i < set->nr; i++)
		err = values[i] > SEMVMX ? -ERANGE : 0;
	if (!err)
		err = ipc_relock(&set->object);
	if (err)
		return err;
	sem_undo_clear(set, 0, set->nr - 1);
	for (u32 i = 0; i < set->nr; i++) {
		set->sem[i].value = values[i];
		set->sem[i].pid = ipc_pid();
		sem_note_change(set, i);
	}
	set->ctime = ipc_now();
	sem_update(set);
	ipc_unlock(&set->object);
	return 0;
}

static long all_values(struct ipc_ns *ns, s32 id, int cmd, struct user_u16 array)
{
	struct sem_set *set;
	u16 *values;
	int err = get_for_all(ns, id, cmd == SETALL ? 0222 : 0444, &set);

	if (err)
		return err;
	values = kvmalloc(set->nr * sizeof(*values), GFP_KERNEL);
	if (!values)
		err = -ENOMEM;
	else if (cmd == SETALL)
		err = copy_values_in(set, values, array);
	else
		err = copy_values_out(set, values, array);
	kvfree(values);
	ipc_put(&set->object);
	return err;
}

long sys_semctl(int id, int num, int cmd, u64 arg)
{
	struct ipc_ns *ns = ipc_ns_current();

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return info(ns, cmd, user_handle(seminfo, arg));
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return stat(ns, id, cmd, user_handle(semid_ds, arg));
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return get_one(ns, id, num, cmd);
	case GETALL:
	case SETALL:
		return all_values(ns, id, cmd, user_handle(u16, arg));
	case SETVAL:
		return set_one(ns, id, num, (int)arg);
	case IPC_SET:
		return set_perm(ns, id, user_handle(semid_ds, arg));
	case IPC_RMID:
		return sem_remove(ns, id);
	default:
		return -EINVAL;
	}
}

void sem_show(struct ipc_ns *ns, void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct ipc_object *o;
	struct semid64_ds d;
	char line[160];
	s32 id;

	emit(ctx, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
		  "ctime\n");
	for (u64 index = 0; (o = ipc_next(&ns->sem, &index)); index++) {
		fill_stat(sem_set_of(o), &d);
		id = o->id;
		ipc_unlock(o);
		format(line, sizeof(line), "%10d %10d  %4o %10lu %5u %5u %5u %5u %10ld %10ld\n",
		       d.sem_perm.key, id, d.sem_perm.mode, (unsigned long)d.sem_nsems,
		       d.sem_perm.uid, d.sem_perm.gid, d.sem_perm.cuid, d.sem_perm.cgid,
		       (long)d.sem_otime, (long)d.sem_ctime);
		emit(ctx, line);
	}
}
