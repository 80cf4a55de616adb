/*
 * What each real user id uses: tasks and queued signals. Accounts live as long as a credential or
 * a queued signal refers to them. A hash table under one lock; looked up only when a real uid
 * changes, never per fork.
 */
#include <lib/hash.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <sync/spinlock.h>
#include <task/cred.h>
#include <task/task.h>
#include <linux/resource.h>

#define USER_HASH_BITS 6

static DEFINE_SPINLOCK(user_lock, LOCK_RANK_PID);
static struct hlist_head user_hash[1 << USER_HASH_BITS]; /* user_lock */

static struct user_account *user_find_locked(struct hlist_head *bucket, u32 uid)
{
	struct user_account *u;

	ASSERT_HELD(&user_lock);
	hlist_for_each(u, bucket, node)
		if (u->uid == uid && ref_get_unless_zero(&u->ref))
			return u;
	return NULL;
}

struct user_account *user_account_get(u32 uid)
{
	struct hlist_head *bucket = &user_hash[hash_u64(uid, USER_HASH_BITS)];
	struct user_account *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	struct user_account *u;
	u64 flags = spin_lock_irqsave(&user_lock);

	u = user_find_locked(bucket, uid);
	if (!u && fresh) {
		ref_init(&fresh->ref);
		fresh->uid = uid;
		hlist_add_head(&fresh->node, bucket);
		u = fresh;
		fresh = NULL;
	}
	spin_unlock_irqrestore(&user_lock, flags);
	kfree(fresh);
	return u;
}

bool user_over_limit(const struct user_account *u)
{
	return (u64)atomic_read(&u->nr_tasks) > rlimit(RLIMIT_NPROC);
}

void user_account_ref(struct user_account *u)
{
	ref_get(&u->ref);
}

void user_account_put(struct user_account *u)
{
	u64 flags;

	if (!ref_put(&u->ref))
		return;
	flags = spin_lock_irqsave(&user_lock);
	hlist_del(&u->node);
	spin_unlock_irqrestore(&user_lock, flags);
	kfree(u);
}
