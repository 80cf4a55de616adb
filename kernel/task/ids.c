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

long sys_getresuid(struct user_u32 ruid, struct user_u32 euid, struct user_u32 suid)
{
	const struct cred *c = current->cred;

	return user_write(ruid, &c->uid) || user_write(euid, &c->euid) || user_write(suid, &c->suid) ?
		       -EFAULT :
		       0;
}

long sys_getresgid(struct user_u32 rgid, struct user_u32 egid, struct user_u32 sgid)
{
	const struct cred *c = current->cred;

	return user_write(rgid, &c->gid) || user_write(egid, &c->egid) || user_write(sgid, &c->sgid) ?
		       -EFAULT :
		       0;
}
