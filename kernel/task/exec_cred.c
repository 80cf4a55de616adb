/*
 * Which credentials a program runs with: set-id bits, and the capabilities that follow from the
 * user ids and from the file's own (capabilities(7), "Transformation of capabilities during execve").
 * Two steps: what the file would give is found while the call can still fail; whether the caller may
 * have it is decided once he is alone in his process.
 */
#include <linux/securebits.h>
#include <linux/stat.h>
#include <ptrace/ptrace.h>
#include <vfs/file.h>
#include <vfs/file_caps.h>
#include "exec.h"

/*
 * chown takes the bits away and gives the file to somebody else, under the inode's lock: the old mode with the
 * new owner would be a gift of his.
 */
static void cred_apply_setid(struct cred *c, const struct file *f)
{
	struct inode *i = f->inode;

	if (!(READ_ONCE(i->mode) & (S_ISUID | S_ISGID)) || !mount_may_suid(f->path.mnt) || current->no_new_privs)
		return;
	rwsem_read_lock(&i->lock);
	if (i->mode & S_ISUID)
		c->euid = i->uid;
	/* Set-group-id without group execution means mandatory locking, not privilege. */
	if ((i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = i->gid;
	rwsem_read_unlock(&i->lock);
}

static bool root_is_special(const struct cred *c)
{
	return !(c->securebits & SECBIT_NOROOT);
}

/* Capabilities of the file. -EPERM: it needs some that the bounding set withholds. */
static int cred_apply_file_caps(struct exec *e, struct cred *c)
{
	struct file_caps f;
	int err;

	c->cap_permitted = 0;
	if (!mount_may_suid(e->file->path.mnt))
		return 0;
	err = path_file_caps(&e->file->path, &f);
	if (err)
		return err == -ENODATA ? 0 : err;
	e->file_caps = true;
	e->effective = f.effective;
	c->cap_permitted = (f.permitted & c->cap_bounding) | (f.inheritable & c->cap_inheritable);
	/* A program that does not know of capabilities would not notice that one is missing. */
	return f.effective && (f.permitted & ~c->cap_permitted) ? -EPERM : 0;
}

/* Root's files have all capabilities, as far as that is not turned off. */
static void cred_apply_root(struct exec *e, struct cred *c)
{
	if (!root_is_special(c) || (e->file_caps && c->euid == 0 && c->uid != 0))
		return;
	if (c->euid == 0 || c->uid == 0)
		c->cap_permitted = c->cap_bounding | c->cap_inheritable;
	if (c->euid == 0)
		e->effective = true;
}

int exec_cred_prepare(struct exec *e)
{
	struct cred *c = e->cred = cred_prepare();
	int err;

	if (!c)
		return -ENOMEM;
	cred_apply_setid(c, e->file);
	err = cred_apply_file_caps(e, c);
	if (!err)
		cred_apply_root(e, c);
	return err;
}

/* Does a task outside this process share its root and working directory? */
static bool fs_is_shared(void)
{
	bool shared = false;
	struct task *t;

	if (ref_read(&current->fs->ref) == 1)
		return false;
	rcu_read_lock();
	for (s32 nr = 1; !shared && (t = pid_next_task(&nr)); nr++)
		shared = t->process != current->process && READ_ONCE(t->fs) == current->fs;
	rcu_read_unlock();
	return shared;
}

/* Takes back what a caller must not gain who promised to gain nothing, who is not alone, or whose
 * tracer would gain it with him. */
static void cred_limit(struct cred *c, const struct cred *old)
{
	if (!current->no_new_privs && !fs_is_shared() && ptrace_tracer_capable(CAP_SYS_PTRACE))
		return;
	if (!capable(CAP_SETUID) || current->no_new_privs) {
		c->euid = c->uid;
		c->egid = c->gid;
	}
	c->cap_permitted &= old->cap_permitted;
}

void exec_cred_finish(struct exec *e)
{
	const struct cred *old = current->cred;
	struct cred *c = e->cred;
	bool set_id = c->euid != old->uid || c->egid != old->gid;

	if (set_id || (c->cap_permitted & ~old->cap_permitted))
		cred_limit(c, old);
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (e->file_caps || set_id)
		c->cap_ambient = 0;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = e->effective ? c->cap_permitted : c->cap_ambient;
	c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	e->secure = set_id || (c->uid != 0 && (e->effective || (c->cap_permitted & ~c->cap_ambient)));
}
