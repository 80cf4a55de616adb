/*
 * Credentials: immutable once published, shared by reference, replaced as a whole. The current
 * task reads its own without a lock; others read under RCU.
 */
#pragma once

#include <lib/atomic.h>
#include <lib/list.h>
#include <sync/rcu.h>
#include <linux/capability.h>

struct group_list {
	struct ref ref;
	u32 nr;
	u32 gid[]; /* sorted */
};

struct cred {
	struct ref ref;
	struct rcu_head rcu;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	struct group_list *groups; /* reference; NULL: none */
	struct user_account *user; /* reference: counts for the real uid */
};

/* What one real user id uses, for RLIMIT_NPROC, RLIMIT_SIGPENDING and files passed through sockets. */
struct user_account {
	struct ref ref;
	u32 uid;                     /* const */
	struct atomic nr_tasks, nr_sigpending, nr_inflight;
	struct atomic nr_inotify_instances, nr_inotify_watches;
	struct atomic64 nr_epoll_watches;
	struct atomic64 locked_shm_pages; /* SHM_LOCK */
	struct atomic64 mqueue_bytes;     /* RLIMIT_MSGQUEUE */
	struct hlist_node node;      /* hash table's lock */
};
/* The account of uid, made if need be, with a reference; NULL: no memory. */
struct user_account *user_account_get(u32 uid);
void user_account_ref(struct user_account *u);
/* Has u more tasks than the current task's RLIMIT_NPROC? */
bool user_over_limit(const struct user_account *u);
/* Any context. */
void user_account_put(struct user_account *u);

extern struct cred init_cred; /* root, all capabilities */

void cred_get(const struct cred *c);
void cred_put(const struct cred *c);
/* A private copy of the current task's credentials to change, or NULL. */
struct cred *cred_prepare(void);
/* Publishes (consumes the reference) as the current task's. */
void cred_commit(struct cred *c);
/* Drops a prepared copy that is not wanted. */
void cred_abort(struct cred *c);

/* True when the current task has CAP_cap effective. */
bool capable(int cap);
bool cred_capable(const struct cred *c, int cap);
/* True when gid is the fsgid or a supplementary group. */
bool cred_in_group(const struct cred *c, u32 gid);
#define ALL_CAPS (BIT(CAP_LAST_CAP + 1) - 1)
