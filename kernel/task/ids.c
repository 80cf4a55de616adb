/* The calls that tell who one is: numbers that the task has at hand. */
#include <syscall/table.h>
#include "internal.h"

long sys_getpid(void)
{
	return current->process->pid;
}

long sys_gettid(void)
{
	return current->tid;
}

long sys_getppid(void)
{
	s32 pid;

	rcu_read_lock();
	pid = rcu_dereference(current->process->parent)->pid;
	rcu_read_unlock();
	return pid;
}

long sys_getuid(void)
{
	return current->cred->uid;
}

long sys_geteuid(void)
{
	return current->cred->euid;
}

long sys_getgid(void)
{
	return current->cred->gid;
}

long sys_getegid(void)
{
	return current->cred->egid;
}

static long write_three(struct user_u32 to1, u32 id1, struct user_u32 to2, u32 id2,
			struct user_u32 to3, u32 id3)
{
	if (user_write(to1, &id1) || user_write(to2, &id2) || user_write(to3, &id3))
		return -EFAULT;
	return 0;
}

long sys_getresuid(struct user_u32 ruid, struct user_u32 euid, struct user_u32 suid)
{
	const struct cred *c = current->cred;

	return write_three(ruid, c->uid, euid, c->euid, suid, c->suid);
}

long sys_getresgid(struct user_u32 rgid, struct user_u32 egid, struct user_u32 sgid)
{
	const struct cred *c = current->cred;

	return write_three(rgid, c->gid, egid, c->egid, sgid, c->sgid);
}
