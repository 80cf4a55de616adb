/* Private to semaphores. */
#pragma once

#include <linux/sem.h>
#include "ids.h"

struct sem_undo_list;

struct semaphore {
	int value;                 /* the set's lock guards all of it */
	s32 pid;                   /* who changed it last */
	struct list_head waiters;  /* sem_waiter: whose only operation is on this one */
	struct list_head changed;  /* on the set's list while an update is under way */
};

struct sem_set {
	struct ipc_object object;
	u32 nr;                    /* const */
	s64 otime, ctime;          /* lock */
	struct list_head complex;  /* sem_waiter: several operations; lock */
	struct list_head changed;  /* semaphores whose waiters are to be looked at; lock */
	struct list_head undos;    /* sem_undo; lock */
	struct semaphore sem[];
};

/* One call's operations, while they are tried and while it waits. */
struct sem_waiter {
	struct ipc_waiter wait;    /* first: lists lead to it */
	const struct sembuf *ops;
	u32 nr;
	bool alters;
	s32 pid;
	struct sem_undo *undo;     /* NULL: no operation has SEM_UNDO */
	const struct sembuf *blocking; /* the operation that cannot go on; set's lock */
};

/* What one user of SEM_UNDO owes one set. */
struct sem_undo {
	struct sem_set *set;         /* const: reference */
	struct sem_undo_list *list;  /* const: reference to its memory */
	struct list_head node;       /* set->undos; set's lock */
	s16 adjust[];                /* per semaphore; set's lock */
};

static inline struct sem_set *sem_set_of(struct ipc_object *o)
{
	return container_of(o, struct sem_set, object);
}

/* sem.c. Set locked: a semaphore has a new value; then: let everybody go on who can now. */
void sem_note_change(struct sem_set *set, u32 num);
void sem_update(struct sem_set *set);
/* IPC_RMID. 0, -EINVAL, -EIDRM, -EPERM. */
long sem_remove(struct ipc_ns *ns, s32 id);

/*
 * sem_undo.c. Locks the set with that id, and gives the current task's adjustments of it, made if need
 * be: good as long as the set is locked and not deleted. 0, -EINVAL, -EIDRM, -ENOMEM: not locked.
 */
int sem_undo_lock(struct ipc_ns *ns, s32 id, struct ipc_object **out, struct sem_undo **undo)
	__must_check;
/* SETVAL, SETALL: nobody owes anything for semaphores [first, last]. Set's lock. */
void sem_undo_clear(struct sem_set *set, u32 first, u32 last);
/* The set is gone (deleted, unlocked): so is what is owed to it. */
void sem_undo_drop(struct sem_set *set);
