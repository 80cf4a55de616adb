/* Private to the System V objects: what they have in common, and their tables. */
#pragma once

#include <ipc/ipc.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/xarray.h>
#include <linux/ipc.h>
#include <sync/mutex.h>
#include <sync/rcu.h>
#include <task/task.h>

#define IPC_INDEX_BITS 15
#define IPC_INDEX_MAX  (1u << IPC_INDEX_BITS)
static_assert(IPC_INDEX_MAX == IPC_OBJECTS_MAX, "an index for each object");
#define IPC_SEQ_MAX    (INT_MAX >> IPC_INDEX_BITS)

/* The head of every object. */
struct ipc_object {
	struct ref ref;            /* the table's, and whoever sleeps or maps */
	struct rcu_head rcu;
	struct spinlock lock;      /* LOCK_RANK_IPC_OBJECT */
	struct ipc_ns *ns;         /* const */
	void (*free)(struct ipc_object *o); /* const; a grace period after the last reference */
	s32 id;                    /* const once in the table: seq, then the index in the low bits */
	u32 seq;                   /* const, too */
	s32 key;                   /* table lock and lock to change */
	struct rb_node key_node;   /* table lock; of keys other than IPC_PRIVATE */
	u32 uid, gid, cuid, cgid;  /* lock */
	u32 mode;                  /* lock */
	bool deleted;              /* lock: out of the table */
};

/* The objects of one kind. */
struct ipc_ids {
	struct mutex lock;         /* LOCK_RANK_IPC: makes and removes */
	struct xarray objects;     /* by index: RCU to read, lock to change */
	struct rb_root keys;       /* lock */
	u32 nr, last_index, seq;   /* lock */
	s32 max_index;             /* lock; -1: none */
};

struct ipc_ns {
	struct ipc_ids sem, msg, shm;
	struct ipc_limits *limits;            /* const */
	u64 shm_pages;                        /* shm.lock: of all segments */
	u32 sem_total;                        /* sem.lock: semaphores of all sets */
	struct atomic64 msg_bytes, msg_count; /* in all queues */
};

/* Owner, group, mode of a new object from the current task; one reference, in no table. */
void ipc_object_init(struct ipc_object *o, struct ipc_ns *ns, s32 key, u32 flags,
		     void (*free)(struct ipc_object *o));
/* Gives o its id and makes it findable. ids->lock held. 0, -ENOSPC, -ENOMEM. */
int ipc_add(struct ipc_ids *ids, struct ipc_object *o, u32 limit) __must_check;
/* Takes o out; the table's reference is the caller's now. ids->lock and o->lock held. */
void ipc_remove(struct ipc_ids *ids, struct ipc_object *o);
/* The key means nothing any more, the id does. Same locks. */
void ipc_forget_key(struct ipc_ids *ids, struct ipc_object *o);

static inline void ipc_get(struct ipc_object *o)
{
	ref_get(&o->ref);
}
/* Any context. */
void ipc_put(struct ipc_object *o);

/*
 * The object with that id, locked. It stays while it is locked; who wants to let go meanwhile
 * takes a reference. 0, -EINVAL (no such id), -EIDRM.
 */
int ipc_lock(struct ipc_ids *ids, s32 id, struct ipc_object **out) __must_check;
/* By position in the table, for IPC_STAT's relatives. 0 or -EINVAL. */
int ipc_lock_index(struct ipc_ids *ids, s32 index, struct ipc_object **out) __must_check;
/*
 * For IPC_STAT and its relatives: the object with that id, or at that index, locked, if reading is
 * granted (or need not be asked for). *result: what the call answers. 0, -EINVAL, -EIDRM, -EACCES.
 */
int ipc_lock_stat(struct ipc_ids *ids, s32 id, bool by_index, bool anybody, struct ipc_object **out,
		  long *result) __must_check;
/* Locks again what the caller has a reference on. 0, or -EIDRM and not locked. */
int ipc_relock(struct ipc_object *o) __must_check;
static inline void ipc_unlock(struct ipc_object *o) NO_THREAD_SAFETY
{
	spin_unlock(&o->lock);
}
/* The next object at or after *index (moved to it), locked, or NULL: for the tables of /proc. */
struct ipc_object *ipc_next(struct ipc_ids *ids, u64 *index);
/* The highest index in use, 0 when there is none. */
long ipc_max_index(struct ipc_ids *ids);

/* The xxxget calls: finds by key or creates. */
struct ipc_get_ops {
	/* ids->lock held. The id or -errno. */
	long (*create)(struct ipc_ns *ns, s32 key, u32 flags, u64 size);
	/* Does what exists suit? o->lock held. 0 or -errno. */
	int (*check)(struct ipc_object *o, u64 size);
};
long ipc_find_or_create(struct ipc_ns *ns, struct ipc_ids *ids, s32 key, u32 flags, u64 size,
			const struct ipc_get_ops *ops);

/* Are the permissions in want (any of the three digits: S_IRUGO …) granted? 0 or -EACCES. Lock. */
int ipc_check_access(const struct ipc_object *o, u32 want) __must_check;
/* IPC_SET and IPC_RMID: 0 or -EPERM. Lock. */
int ipc_check_owner(const struct ipc_object *o) __must_check;
/* IPC_STAT and IPC_SET's part about owner and mode. Lock. */
void ipc_fill_perm(const struct ipc_object *o, struct ipc64_perm *out);
int ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *in) __must_check;

s64 ipc_now(void); /* seconds since 1970 */
static inline s32 ipc_pid(void)
{
	return current->process->pid;
}

/*
 * One task that waits for something to happen to an object. The object's lock guards it until
 * `result` is set, which the waker does last: the waiter may return at once.
 */
#define IPC_WAITING 1
struct ipc_waiter {
	struct list_head node;
	struct task *task;
	int result; /* IPC_WAITING, then 0 or -errno; release and acquire */
};
void ipc_waiter_init(struct ipc_waiter *w);
/* Takes w off its list and wakes it. Object's lock. */
void ipc_wake(struct ipc_waiter *w, int result);
/*
 * Sleeps without the lock. Returns the waker's result, or -ERESTARTSYS or -ETIME: then w is still
 * queued, unless the waker was faster, and the caller looks again under the lock.
 */
int ipc_wait(struct ipc_waiter *w, u64 deadline_ns) __must_check;
