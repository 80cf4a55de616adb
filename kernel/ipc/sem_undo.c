/*
 * SEM_UNDO: what a task (or the tasks that share a list through CLONE_SYSVSEM) has done to
 * semaphores, to be taken back when it ends.
 *
 * A list finds its entry for a set by the set's index. An entry stands in both the list and the
 * set. Who frees it: the set's removal, which finds the set marked deleted under the set's lock,
 * or the list's end, which finds it not marked. The numbers themselves are guarded by the set's
 * lock. The set's lock comes before the list's.
 */
#include <mm/slab.h>
#include "sem.h"

struct sem_undo_list {
	struct ref users;      /* tasks */
	struct ref refs;       /* users count as one; one per entry */
	struct spinlock lock;  /* LOCK_RANK_IPC_UNDO */
	struct xarray entries; /* sem_undo by the set's index; lock */
};

static struct sem_undo_list *list_create(void)
{
	struct sem_undo_list *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return NULL;
	ref_init(&l->users);
	ref_init(&l->refs);
	spin_init(&l->lock, LOCK_RANK_IPC_UNDO);
	xa_init(&l->entries);
	return l;
}

static void list_put_memory(struct sem_undo_list *l)
{
	if (!ref_put(&l->refs))
		return;
	xa_destroy(&l->entries);
	kfree(l);
}

static u64 index_of(const struct sem_set *set)
{
	return (u32)set->object.id % IPC_INDEX_MAX;
}

/* The entry is in no list and no set. */
static void entry_free(struct sem_undo *u)
{
	list_put_memory(u->list);
	ipc_put(&u->set->object);
	kvfree(u);
}

int sem_undo_fork(struct task *child, bool share)
{
	struct task *me = current;

	child->sem_undos = NULL;
	if (!share)
		return 0;
	if (!me->sem_undos)
		me->sem_undos = list_create();
	if (!me->sem_undos)
		return -ENOMEM;
	ref_get(&me->sem_undos->users);
	child->sem_undos = me->sem_undos;
	return 0;
}

/* ---- finding and making an entry ---- */

/* Set locked and not deleted: the entry stays. One of an older set with this index is on its way out. */
static struct sem_undo *entry_find(struct sem_undo_list *l, const struct sem_set *set)
{
	struct sem_undo *u;

	spin_lock(&l->lock);
	u = xa_load(&l->entries, index_of(set));
	if (u && u->set != set)
		u = NULL;
	spin_unlock(&l->lock);
	return u;
}

/* Into list and set, unless another thread was faster: -EEXIST. Set locked. */
static int entry_link(struct sem_undo *u)
{
	struct sem_undo_list *l = u->list;
	struct sem_undo *old;
	int err;

	spin_lock(&l->lock);
	old = xa_load(&l->entries, index_of(u->set));
	err = old && old->set == u->set ? -EEXIST
					: xa_store(&l->entries, index_of(u->set), u, NULL);
	spin_unlock(&l->lock);
	if (!err)
		list_add(&u->node, &u->set->undos);
	return err;
}

/* Sees to it that there is an entry. Not locked; 0, -EIDRM, -ENOMEM. */
static int entry_create(struct sem_undo_list *l, struct sem_set *set)
{
	struct sem_undo *u = kvmalloc(sizeof(*u) + set->nr * sizeof(u->adjust[0]),
				      GFP_KERNEL | GFP_ZERO);
	int err;

	if (!u)
		return -ENOMEM;
	u->set = set;
	ipc_get(&set->object);
	u->list = l;
	ref_get(&l->refs);
	err = ipc_relock(&set->object);
	if (!err) {
		err = entry_link(u);
		ipc_unlock(&set->object);
	}
	if (err)
		entry_free(u);
	return err == -EEXIST ? 0 : err;
}

int sem_undo_lock(struct ipc_ns *ns, s32 id, struct ipc_object **out, struct sem_undo **undo)
{
	struct sem_undo_list *l = current->sem_undos;
	struct ipc_object *o;
	int err;

	if (!l) {
		l = current->sem_undos = list_create();
		if (!l)
			return -ENOMEM;
	}
	for (;;) {
		err = ipc_lock(&ns->sem, id, &o);
		if (err)
			return err;
		*out = o;
		*undo = entry_find(l, sem_set_of(o));
		if (*undo)
			return 0;
		ipc_get(o);
		ipc_unlock(o);
		err = entry_create(l, sem_set_of(o));
		ipc_put(o);
		if (err)
			return err;
	}
}

/* ---- the set's side ---- */

void sem_undo_clear(struct sem_set *set, u32 first, u32 last)
{
	struct sem_undo *u;

	list_for_each(u, &set->undos, node)
		for (u32 i = first; i <= last; i++)
			u->adjust[i] = 0;
}

void sem_undo_drop(struct sem_set *set)
{
	struct sem_undo *u, *next;

	/* Deleted: the list of entries does not change any more. */
	list_for_each_safe(u, next, &set->undos, node) {
		struct sem_undo_list *l = u->list;

		spin_lock(&l->lock);
		if (xa_load(&l->entries, index_of(set)) == u)
			xa_erase(&l->entries, index_of(set));
		spin_unlock(&l->lock);
		entry_free(u);
	}
}

/* ---- the end of a list ---- */

static void apply(struct sem_set *set, const struct sem_undo *u)
{
	bool any = false;

	for (u32 i = 0; i < set->nr; i++) {
		struct semaphore *s = &set->sem[i];

		if (!u->adjust[i])
			continue;
		s->value = MIN(MAX(s->value + u->adjust[i], 0), SEMVMX);
		s->pid = ipc_pid();
		sem_note_change(set, i);
		any = true;
	}
	if (any)
		set->otime = ipc_now();
	sem_update(set);
}

/* The next entry leaves the list; its set, with a reference. NULL: none left. */
static struct sem_set *take_entry(struct sem_undo_list *l, struct sem_undo **out)
{
	struct sem_set *set = NULL;
	u64 index = 0;

	spin_lock(&l->lock);
	*out = xa_find(&l->entries, &index, U64_MAX);
	if (*out) {
		xa_erase(&l->entries, index);
		set = (*out)->set;
		ipc_get(&set->object);
	}
	spin_unlock(&l->lock);
	return set;
}

void sem_undo_exit(struct task *t)
{
	struct sem_undo_list *l = t->sem_undos;
	struct sem_undo *u;
	struct sem_set *set;

	if (!l)
		return;
	t->sem_undos = NULL;
	if (!ref_put(&l->users))
		return;
	while ((set = take_entry(l, &u))) {
		if (!ipc_relock(&set->object)) {
			apply(set, u);
			list_del(&u->node);
			ipc_unlock(&set->object);
			entry_free(u);
		} /* else the removal of the set frees it */
		ipc_put(&set->object);
	}
	list_put_memory(l);
}
