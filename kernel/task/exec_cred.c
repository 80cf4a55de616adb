/*
 * Which credentials a program runs with: set-id bits, and the capabilities that follow from the
 * user ids (capabilities(7), "Transformation of capabilities during execve"). File capabilities are
 * not supported.
 */
#include <linux/securebits.h>
#include <linux/stat.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "exec.h"

static void cred_apply_setid(struct cred *c, const struct file *f)
{
	u32 mode = READ_ONCE(f->inode->mode);

	if ((f->path.mnt->flags & MNT_NOSUID) || c->no_new_privs)
		return;
	if (mode & S_ISUID)
		c->euid = READ_ONCE(f->inode->uid);
	/* Set-group-id without group execution means mandatory locking, not privilege. */
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = READ_ONCE(f->inode->gid);
}

static bool root_is_special(const struct cred *c)
{
	return !(c->securebits & SECBIT_NOROOT);
}

/* permitted, effective and ambient sets; true: the program gains capabilities by its ids. */
static bool cred_apply_caps(struct cred *c, const struct cred *old, bool set_id)
{
	bool effective = false;

	c->cap_permitted = 0;
	if (root_is_special(c) && (c->euid == 0 || c->uid == 0))
		c->cap_permitted = old->cap_bounding | old->cap_inheritable;
	if (root_is_special(c) && c->euid == 0)
		effective = true;
	if (set_id)
		c->cap_ambient = 0;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
	return effective || (c->cap_permitted & ~c->cap_ambient);
}

int exec_cred_prepare(struct exec *e)
{
	const struct cred *old = current->cred;
	struct cred *c = cred_prepare();
	bool set_id, gains;

	if (!c)
		return -ENOMEM;
	cred_apply_setid(c, e->file);
	set_id = c->euid != old->uid || c->egid != old->gid;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	gains = cred_apply_caps(c, old, set_id);
	c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
	e->secure = set_id || (c->uid != 0 && gains);
	e->cred = c;
	return 0;
}
