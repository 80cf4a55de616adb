/*
 * System V objects and POSIX message queues, as far as others in the kernel touch them. Every
 * object belongs to a namespace; there is one of them so far.
 */
#pragma once

#include <lib/atomic.h>
#include <lib/types.h>

struct task;
struct ipc_ns;
extern struct ipc_ns init_ipc_ns;

/* The namespace that the current task's calls mean. */
static inline struct ipc_ns *ipc_ns_current(void)
{
	return &init_ipc_ns;
}

/*
 * A new task's adjustments: shared with the current task (CLONE_SYSVSEM) or none. 0 or -ENOMEM.
 * Process context.
 */
int sem_undo_fork(struct task *child, bool share) __must_check;
/* The task lets go of its adjustments; the last user applies them. Process context, no locks. */
void sem_undo_exit(struct task *t);

/* The tables of /proc/sysvipc. Process context. */
void shm_show(struct ipc_ns *ns, void (*emit)(void *ctx, const char *text), void *ctx);
void sem_show(struct ipc_ns *ns, void (*emit)(void *ctx, const char *text), void *ctx);
void msg_show(struct ipc_ns *ns, void (*emit)(void *ctx, const char *text), void *ctx);

#define IPC_OBJECTS_MAX 32768 /* of one System V kind */

/* Limits, as /proc/sys/kernel shows and sets them; torn-free reads and writes. */
struct ipc_limits {
	u64 shmmax, shmall;                  /* bytes of a segment; pages of all */
	u32 shmmni;
	u32 semmsl, semmns, semopm, semmni;  /* /proc/sys/kernel/sem, in this order */
	u32 msgmax, msgmnb, msgmni;
	/* /proc/sys/fs/mqueue. */
	u32 mq_queues_max, mq_msg_max, mq_msgsize_max, mq_msg_default, mq_msgsize_default;
};
extern struct ipc_limits init_ipc_limits; /* of init_ipc_ns */
