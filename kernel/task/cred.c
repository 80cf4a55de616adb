/*
 * Credential objects: reference counts, copies, and what the rest of the kernel asks of them. A
 * published struct cred never changes; the owner replaces it as a whole. Readers of another task's
 * credentials are inside an RCU section or take a reference with task_cred_get.
 */
#include <mm/slab.h>
#include <trace/trace.h>
#include "internal.h"
#include <linux/securebits.h>

static struct user_account root_account = {.ref = {2}, .uid = 0};

struct cred init_cred = {
	.ref = {2}, /* never freed */
	.cap_permitted = ALL_CAPS,
	.cap_effective = ALL_CAPS,
	.cap_bounding = ALL_CAPS,
	.securebits = SECUREBITS_DEFAULT,
	.user = &root_account,
};

void group_list_put(struct group_list *g)
{
	if (g && ref_put(&g->ref))
		kvfree(g);
}

static void cred_destroy(struct cred *c)
{
	group_list_put(c->groups);
	user_account_put(c->user);
	kfree(c);
}

static void cred_free_rcu(struct rcu_head *head)
{
	cred_destroy(container_of(head, struct cred, rcu));
}

void cred_get(const struct cred *c)
{
	ref_get(&((struct cred *)c)->ref);
}

void cred_put(const struct cred *c)
{
	struct cred *mutable = (struct cred *)c;

	if (ref_put(&mutable->ref))
		rcu_call(&mutable->rcu, cred_free_rcu);
}

const struct cred *task_cred_get(struct task *t)
{
	const struct cred *c;

	rcu_read_lock();
	do {
		c = rcu_dereference(t->cred);
	} while (!ref_get_unless_zero(&((struct cred *)c)->ref));
	rcu_read_unlock();
	return c;
}

struct cred *cred_prepare(void)
{
	struct cred *c = kmalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	*c = *current->cred;
	ref_init(&c->ref);
	if (c->groups)
		ref_get(&c->groups->ref);
	user_account_ref(c->user);
	return c;
}

void cred_commit(struct cred *c)
{
	const struct cred *old = current->cred;

	if (c->user != old->user) {
		atomic_inc(&c->user->nr_tasks);
		atomic_dec(&old->user->nr_tasks);
	}
	rcu_assign(current->cred, (const struct cred *)c);
	cred_put(old);
}

void cred_abort(struct cred *c)
{
	cred_destroy(c);
}

bool cred_capable(const struct cred *c, int cap)
{
	return c->cap_effective & BIT(cap);
}

bool capable(int cap)
{
	if (likely(cred_capable(current->cred, cap)))
		return true;
	trace_note(TRACE_CHECK_CAP + (u32)cap);
	return false;
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	const struct group_list *g = c->groups;
	u32 low = 0, high = g ? g->nr : 0;

	if (gid == c->fsgid)
		return true;
	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (g->gid[mid] == gid)
			return true;
		if (g->gid[mid] < gid)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}
