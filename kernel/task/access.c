/* ptrace(2)'s access rule, for everything that looks into other processes. */
#include <mm/mm.h>
#include <ptrace/ptrace.h>
#include <task/access.h>
#include "internal.h"

static bool same_ids(const struct cred *its, u32 uid, u32 gid)
{
	return uid == its->uid && uid == its->euid && uid == its->suid && gid == its->gid &&
	       gid == its->egid && gid == its->sgid;
}

static bool is_dumpable(struct task *t)
{
	struct mm *mm = task_get_mm(t);
	bool dumpable = true;

	if (mm) {
		dumpable = READ_ONCE(mm->dumpable) == SUID_DUMP_USER;
		mm_put(mm);
	}
	return dumpable;
}

bool task_may_access(struct task *t, u32 mode)
{
	const struct cred *mine = current->cred, *its;
	bool fs_ids = mode & ACCESS_FS;
	u64 caps = fs_ids ? mine->cap_effective : mine->cap_permitted;
	bool ok;

	if (t->process == current->process)
		return true;
	if ((mode & ACCESS_ATTACH) && !yama_may_attach(t))
		return false;
	if (capable(CAP_SYS_PTRACE))
		return true;
	its = task_cred_get(t);
	ok = same_ids(its, fs_ids ? mine->fsuid : mine->uid, fs_ids ? mine->fsgid : mine->gid) &&
	     !(its->cap_permitted & ~caps);
	cred_put(its);
	return ok && is_dumpable(t);
}
