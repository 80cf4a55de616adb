/* Supplementary groups: sorted lists, shared by reference between credentials. */
#include <mm/slab.h>
#include <syscall/table.h>
#include "internal.h"

#define GROUPS_MAX 65536

long sys_getgroups(int size, struct user_u32 list)
{
	const struct group_list *g = current->cred->groups;
	u32 nr = g ? g->nr : 0;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return nr;
	if (nr > (u32)size)
		return -EINVAL;
	if (nr && user_write_array(list, g->gid, nr))
		return -EFAULT;
	return nr;
}

/* Sinks gid[at] to its place in the heap of the first n entries. */
static void heap_sink(u32 *gid, u32 at, u32 n)
{
	for (;;) {
		u32 child = 2 * at + 1, value = gid[at];

		if (child >= n)
			return;
		if (child + 1 < n && gid[child + 1] > gid[child])
			child++;
		if (value >= gid[child])
			return;
		gid[at] = gid[child];
		gid[child] = value;
		at = child;
	}
}

/* Heap sort: no recursion, no worst case that a program could choose. */
static void groups_sort(u32 *gid, u32 n)
{
	for (u32 i = n / 2; i-- > 0;)
		heap_sink(gid, i, n);
	while (n-- > 1) {
		u32 top = gid[0];

		gid[0] = gid[n];
		gid[n] = top;
		heap_sink(gid, 0, n);
	}
}

/* NULL list for no groups. 0, -ENOMEM, -EFAULT, -EINVAL. */
static int groups_read(u32 nr, struct user_u32 list, struct group_list **out)
{
	struct group_list *g;

	*out = NULL;
	if (!nr)
		return 0;
	g = kvmalloc(sizeof(*g) + nr * sizeof(u32), GFP_KERNEL);
	if (!g)
		return -ENOMEM;
	ref_init(&g->ref);
	g->nr = nr;
	if (user_read_array(g->gid, list, nr)) {
		kvfree(g);
		return -EFAULT;
	}
	for (u32 i = 0; i < nr; i++) {
		if (g->gid[i] == ~0U) {
			kvfree(g);
			return -EINVAL;
		}
	}
	groups_sort(g->gid, nr);
	*out = g;
	return 0;
}

long sys_setgroups(int size, struct user_u32 list)
{
	struct group_list *g;
	struct cred *c;
	int err;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if ((u32)size > GROUPS_MAX)
		return -EINVAL;
	err = groups_read((u32)size, list, &g);
	if (err)
		return err;
	c = cred_prepare();
	if (!c) {
		group_list_put(g);
		return -ENOMEM;
	}
	group_list_put(c->groups);
	c->groups = g;
	cred_commit(c);
	return 0;
}
