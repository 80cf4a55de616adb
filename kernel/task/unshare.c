/* unshare(2): ends the sharing that clone began. There is only one namespace of each kind. */
#include <ipc/ipc.h>
#include <linux/sched.h>
#include <mm/mm.h>
#include <syscall/table.h>
#include <vfs/file.h>
#include <vfs/path.h>
#include "internal.h"

#define UNSHARE_NAMESPACES                                                                         \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)
#define UNSHARE_VALID                                                                              \
	(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM |        \
	 UNSHARE_NAMESPACES)

int task_unshare_files(void)
{
	struct task *me = current;
	struct fd_table *old = me->files, *fresh;

	if (ref_read(&old->ref) == 1)
		return 0;
	fresh = fd_table_copy(old, ~0U);
	if (!fresh)
		return -ENOMEM;
	spin_lock(&me->alloc_lock);
	me->files = fresh;
	spin_unlock(&me->alloc_lock);
	fd_table_put(old);
	return 0;
}

static int task_unshare_fs(void)
{
	struct task *me = current;
	struct fs_context *old = me->fs, *fresh;

	if (ref_read(&old->ref) == 1)
		return 0;
	fresh = fs_context_copy(old);
	if (!fresh)
		return -ENOMEM;
	spin_lock(&me->alloc_lock);
	me->fs = fresh;
	spin_unlock(&me->alloc_lock);
	fs_context_put(old);
	return 0;
}

/* Threads, signal actions and memory are one: they can only be "unshared" by whoever is alone. */
static int unshare_check(u64 flags)
{
	const struct task *me = current;

	if (flags & ~(u64)UNSHARE_VALID)
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && me->process->nr_threads > 1)
		return -EINVAL;
	if ((flags & (CLONE_SIGHAND | CLONE_VM)) && ref_read(&me->process->sighand->ref) > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && ref_read(&me->mm->users) > 1)
		return -EINVAL;
	if (flags & UNSHARE_NAMESPACES)
		return (flags & CLONE_NEWUSER) || capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	return 0;
}

/* A descriptor of a namespace cannot be had; a pidfd names a process that has only the same ones. */
long sys_setns(int fd, int type)
{
	struct fd f = fd_get(fd);
	int err = f.file ? -EINVAL : -EBADF;

	fd_put(f);
	return err;
}

long sys_unshare(u64 flags)
{
	int err = unshare_check(flags);

	if (!err && (flags & CLONE_FS))
		err = task_unshare_fs();
	if (!err && (flags & CLONE_FILES))
		err = task_unshare_files();
	if (!err && (flags & CLONE_SYSVSEM))
		sem_undo_exit(current); /* what it owes is settled now, if nobody shares it */
	return err;
}
