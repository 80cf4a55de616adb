/*
 * What a thread owes to others when it lets go of its address space, in exit and execve: robust
 * futexes are marked, clear_child_tid is zeroed and woken, a vfork parent goes on. The robust list
 * is the program's and may be anything: the walk is bounded, and each step is a checked copy.
 */
#include <arch/usercopy.h>
#include <ipc/futex.h>
#include <linux/futex.h>
#include <mm/mm.h>
#include <mm/user.h>
#include <syscall/table.h>
#include "internal.h"

/* struct robust_list_head of the ABI, as numbers. */
struct robust_head {
	u64 first;
	s64 futex_offset;
	u64 pending;
};
DEFINE_USER_PTR(robust_head, struct robust_head);

#define ROBUST_PI 1ULL /* low bit of an entry's address */

/* The owner of the futex has died: says so in its word, and wakes one waiter. */
static int robust_mark(u64 addr, bool pi, bool pending)
{
	u32 word, seen, next;

	if (addr % sizeof(u32))
		return -EINVAL;
	if (user_read(&word, user_handle(u32, addr)))
		return -EFAULT;
	/* Died between giving the lock up and waking who waits for it. */
	if (pending && !pi && !word)
		futex_wake_one(user_handle(u32, addr));
	while ((word & FUTEX_TID_MASK) == (u32)current->tid) {
		next = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (arch_cmpxchg_user_u32(addr, word, next, &seen))
			return -EFAULT;
		if (seen == word) {
			if ((word & FUTEX_WAITERS) && !pi)
				futex_wake_one(user_handle(u32, addr));
			break;
		}
		word = seen;
	}
	return 0;
}

static void robust_walk(struct user_robust_head list)
{
	unsigned int left = ROBUST_LIST_LIMIT;
	struct robust_head head;
	u64 entry, next;

	if (user_read(&head, list))
		return;
	for (entry = head.first; (entry & ~ROBUST_PI) != user_address(list) && left; left--) {
		/* The next one is read first: marking may free the entry. */
		bool last = user_read(&next, user_handle(u64, entry & ~ROBUST_PI)) != 0;

		if ((entry & ~ROBUST_PI) != (head.pending & ~ROBUST_PI) &&
		    robust_mark((entry & ~ROBUST_PI) + (u64)head.futex_offset, entry & ROBUST_PI,
				false))
			return;
		if (last)
			return;
		entry = next;
	}
	if (head.pending)
		(void)robust_mark((head.pending & ~ROBUST_PI) + (u64)head.futex_offset,
				  head.pending & ROBUST_PI, true);
}

void task_mm_release(struct task *t)
{
	u32 zero = 0;

	if (t->robust_list) {
		robust_walk(user_handle(robust_head, t->robust_list));
		t->robust_list = 0;
	}
	if (t->flags & TASK_F_EXITING)
		t->flags |= TASK_F_FUTEX_DEAD;
	futex_pi_exit();
	/* Nobody can look when nobody shares the memory. */
	if (t->clear_child_tid && ref_read(&t->mm->users) > 1 &&
	    !user_write(user_handle(u32, t->clear_child_tid), &zero))
		futex_wake_one(user_handle(u32, t->clear_child_tid));
	t->clear_child_tid = 0;
	if (t->vfork_done)
		task_vfork_done(t);
}

long sys_set_tid_address(struct user_int tidptr)
{
	current->clear_child_tid = user_address(tidptr);
	return current->tid;
}

long sys_set_robust_list(struct user_bytes head, u64 len)
{
	if (len != sizeof(struct robust_head))
		return -EINVAL;
	current->robust_list = user_address(head);
	return 0;
}

static bool may_read_robust_list(struct task *t)
{
	const struct cred *mine = current->cred, *theirs = task_cred_get(t);
	bool same = mine->uid == theirs->uid && mine->uid == theirs->euid &&
		    mine->uid == theirs->suid && mine->gid == theirs->gid &&
		    mine->gid == theirs->egid && mine->gid == theirs->sgid;

	cred_put(theirs);
	return t->process == current->process || same || capable(CAP_SYS_PTRACE);
}

long sys_get_robust_list(int pid, struct user_u64 uhead, struct user_u64 ulen)
{
	struct task *t = pid ? task_find_get(pid) : NULL;
	u64 head = current->robust_list, len = sizeof(struct robust_head);

	if (pid && !t)
		return -ESRCH;
	if (t) {
		bool allowed = may_read_robust_list(t);

		head = t->robust_list;
		task_put(t);
		if (!allowed)
			return -EPERM;
	}
	return user_write(ulen, &len) || user_write(uhead, &head) ? -EFAULT : 0;
}
