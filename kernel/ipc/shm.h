/* Private to shared memory. */
#pragma once

#include <asm/shmbuf.h>
#include <linux/types.h>
#include <vfs/file.h>
#include "ids.h"

/* <linux/shm.h> needs the C library's <unistd.h>: its numbers once more. */
#define SHM_HUGETLB   04000 /* shmget */
#define SHM_NORESERVE 010000
#define SHM_RDONLY    010000 /* shmat */
#define SHM_RND       020000
#define SHM_REMAP     040000
#define SHM_EXEC      0100000
#define SHM_LOCK      11     /* shmctl */
#define SHM_UNLOCK    12
#define SHM_STAT      13
#define SHM_INFO      14
#define SHM_STAT_ANY  15
#define SHM_DEST      01000  /* mode: goes with the last attachment */
#define SHM_LOCKED    02000  /* mode: SHM_LOCK was given */

struct shm_info {
	int used_ids;
	__kernel_ulong_t shm_tot, shm_rss, shm_swp; /* pages */
	__kernel_ulong_t swap_attempts, swap_successes;
};

struct shm_segment {
	struct ipc_object object;
	struct file *file;               /* const: the memory; reference */
	u64 size, nr_pages;              /* const */
	s32 creator_pid;                 /* const */
	/* The object's lock guards the rest. */
	u64 nr_attached;
	s64 atime, dtime, ctime;
	s32 last_pid;
	struct user_account *lock_user;  /* who pays for SHM_LOCK; reference */
};

static inline struct shm_segment *shm_of(struct ipc_object *o)
{
	return container_of(o, struct shm_segment, object);
}

/* IPC_RMID. 0, -EINVAL, -EIDRM, -EPERM. */
long shm_remove(struct ipc_ns *ns, s32 id);
/* Takes back what SHM_LOCK did, if anything. Object's lock. */
void shm_unlock_memory(struct shm_segment *s);
