/*
 * kcmp(2): do two tasks share an object? The order that it gives different objects is that of
 * their addresses, garbled by a secret per kind, so that it tells nothing about them.
 */
#include <linux/kcmp.h>
#include <mm/mm.h>
#include <syscall/table.h>
#include <task/access.h>
#include <task/random.h>
#include <vfs/file.h>
#include <vfs/path.h>
#include "internal.h"

static DEFINE_SPINLOCK(secret_lock, LOCK_RANK_NONE);
static u64 secrets[KCMP_TYPES][2]; /* secret_lock: made when first used */

static u64 garbled(const void *object, u32 type)
{
	u64 v;

	spin_lock(&secret_lock);
	if (!secrets[type][1]) {
		random_bytes(secrets[type], sizeof(secrets[type]));
		secrets[type][1] |= 1; /* odd: different addresses stay different */
	}
	v = ((uptr)object ^ secrets[type][0]) * secrets[type][1];
	spin_unlock(&secret_lock);
	return v;
}

/* 0: equal, 1: less, 2: greater. */
static int compare(const void *a, const void *b, u32 type)
{
	u64 x = garbled(a, type), y = garbled(b, type);

	return (x < y) | (x > y) << 1;
}

/* The file is only compared: its address may be stale by then. */
static const struct file *file_of(struct task *t, u64 fd)
{
	struct fd_table *files = task_get_files(t);
	struct file *f;

	if (!files)
		return NULL;
	f = fd > U32_MAX ? NULL : fd_table_file_get(files, (u32)fd);
	fd_table_put(files);
	if (f)
		file_put(f);
	return f;
}

static int compare_files(struct task *a, struct task *b, u64 fd1, u64 fd2)
{
	const struct file *x = file_of(a, fd1), *y = file_of(b, fd2);

	return x && y ? compare(x, y, KCMP_FILE) : -EBADF;
}

static int compare_tasks(struct task *a, struct task *b, int type, u64 idx1, u64 idx2)
{
	switch (type) {
	case KCMP_FILE:
		return compare_files(a, b, idx1, idx2);
	case KCMP_VM:
		return compare(READ_ONCE(a->mm), READ_ONCE(b->mm), KCMP_VM);
	case KCMP_FILES:
		return compare(READ_ONCE(a->files), READ_ONCE(b->files), KCMP_FILES);
	case KCMP_FS:
		return compare(READ_ONCE(a->fs), READ_ONCE(b->fs), KCMP_FS);
	case KCMP_SIGHAND:
		return compare(READ_ONCE(a->process->sighand), READ_ONCE(b->process->sighand),
			       KCMP_SIGHAND);
	case KCMP_IO: /* there are no I/O contexts: all have none */
		return compare(NULL, NULL, KCMP_IO);
	case KCMP_SYSVSEM:
		return compare(READ_ONCE(a->sem_undos), READ_ONCE(b->sem_undos), KCMP_SYSVSEM);
	case KCMP_EPOLL_TFD:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

long sys_kcmp(int pid1, int pid2, int type, u64 idx1, u64 idx2)
{
	struct task *a = task_find_get(pid1), *b = task_find_get(pid2);
	long res = -ESRCH;

	if (a && b)
		res = task_may_access(a, ACCESS_REAL) && task_may_access(b, ACCESS_REAL) ?
			      compare_tasks(a, b, type, idx1, idx2) : -EPERM;
	if (a)
		task_put(a);
	if (b)
		task_put(b);
	return res;
}
