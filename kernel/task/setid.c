/*
 * Changing user and group ids. Each call makes a copy of the credentials, checks and changes it,
 * and publishes it as a whole. ID_KEEP (-1) leaves an id as it is. What the capability sets make
 * of a change of user ids is capabilities(7), "Effect of user ID changes on capabilities".
 */
#include <linux/securebits.h>
#include <mm/mm.h>
#include <syscall/table.h>
#include <task/coredump.h>
#include "internal.h"

#define ID_KEEP (~0U)

/* Capabilities that go with the file-system uid. */
#define CAPS_FS                                                                                    \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) |     \
	 BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_MKNOD) | BIT(CAP_MAC_OVERRIDE))

/* Publishes; a process whose ids have changed shows its memory to nobody. */
static void setid_commit(struct cred *c)
{
	const struct cred *old = current->cred;

	if (c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
	    c->fsgid != old->fsgid || (c->cap_permitted & ~old->cap_permitted)) {
		if (current->mm)
			current->mm->dumpable = READ_ONCE(suid_dumpable);
		current->pdeath_signal = 0;
	}
	cred_commit(c);
}

static long setid_finish(struct cred *c, int err)
{
	if (err) {
		cred_abort(c);
		return err;
	}
	setid_commit(c);
	return 0;
}

/* Charges the new real uid's account. */
static int setid_change_user(struct cred *c)
{
	struct user_account *u;

	if (c->uid == c->user->uid)
		return 0;
	u = user_account_get(c->uid);
	if (!u)
		return -EAGAIN;
	user_account_put(c->user);
	c->user = u;
	/* Too many programs do not look at setuid's result: it is execve that fails. */
	current->flags &= ~(u32)TASK_F_NPROC;
	if (u->uid != 0 && user_over_limit(u))
		current->flags |= TASK_F_NPROC;
	return 0;
}

static bool any_root(const struct cred *c)
{
	return c->uid == 0 || c->euid == 0 || c->suid == 0;
}

static void setuid_fix_caps(struct cred *c, const struct cred *old)
{
	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (any_root(old) && !any_root(c)) {
		if (!(c->securebits & SECBIT_KEEP_CAPS))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->cap_effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->cap_effective = c->cap_permitted;
}

static long setuid_finish(struct cred *c, int err)
{
	if (!err)
		err = setid_change_user(c);
	if (!err) {
		c->fsuid = c->euid;
		setuid_fix_caps(c, current->cred);
	}
	return setid_finish(c, err);
}

static bool one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == ID_KEEP || id == a || id == b || id == c;
}

long sys_setuid(u32 uid)
{
	struct cred *c;
	int err = 0;

	if (uid == ID_KEEP)
		return -EINVAL;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	if (capable(CAP_SETUID))
		c->uid = c->suid = uid;
	else if (uid != c->uid && uid != c->suid)
		err = -EPERM;
	c->euid = uid;
	return setuid_finish(c, err);
}

long sys_setreuid(u32 ruid, u32 euid)
{
	struct cred *c = cred_prepare();
	const struct cred *old = current->cred;
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (!capable(CAP_SETUID) && (!one_of(ruid, old->uid, old->euid, old->euid) ||
				     !one_of(euid, old->uid, old->euid, old->suid)))
		err = -EPERM;
	if (ruid != ID_KEEP)
		c->uid = ruid;
	if (euid != ID_KEEP)
		c->euid = euid;
	if (ruid != ID_KEEP || (euid != ID_KEEP && euid != old->uid))
		c->suid = c->euid;
	return setuid_finish(c, err);
}

long sys_setresuid(u32 ruid, u32 euid, u32 suid)
{
	struct cred *c = cred_prepare();
	const struct cred *old = current->cred;
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (!capable(CAP_SETUID) && (!one_of(ruid, old->uid, old->euid, old->suid) ||
				     !one_of(euid, old->uid, old->euid, old->suid) ||
				     !one_of(suid, old->uid, old->euid, old->suid)))
		err = -EPERM;
	if (ruid != ID_KEEP)
		c->uid = ruid;
	if (euid != ID_KEEP)
		c->euid = euid;
	if (suid != ID_KEEP)
		c->suid = suid;
	return setuid_finish(c, err);
}

long sys_setgid(u32 gid)
{
	struct cred *c;
	int err = 0;

	if (gid == ID_KEEP)
		return -EINVAL;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	if (capable(CAP_SETGID))
		c->gid = c->sgid = gid;
	else if (gid != c->gid && gid != c->sgid)
		err = -EPERM;
	c->egid = c->fsgid = gid;
	return setid_finish(c, err);
}

long sys_setregid(u32 rgid, u32 egid)
{
	struct cred *c = cred_prepare();
	const struct cred *old = current->cred;
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (!capable(CAP_SETGID) && (!one_of(rgid, old->gid, old->egid, old->egid) ||
				     !one_of(egid, old->gid, old->egid, old->sgid)))
		err = -EPERM;
	if (rgid != ID_KEEP)
		c->gid = rgid;
	if (egid != ID_KEEP)
		c->egid = egid;
	if (rgid != ID_KEEP || (egid != ID_KEEP && egid != old->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	return setid_finish(c, err);
}

long sys_setresgid(u32 rgid, u32 egid, u32 sgid)
{
	struct cred *c = cred_prepare();
	const struct cred *old = current->cred;
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (!capable(CAP_SETGID) && (!one_of(rgid, old->gid, old->egid, old->sgid) ||
				     !one_of(egid, old->gid, old->egid, old->sgid) ||
				     !one_of(sgid, old->gid, old->egid, old->sgid)))
		err = -EPERM;
	if (rgid != ID_KEEP)
		c->gid = rgid;
	if (egid != ID_KEEP)
		c->egid = egid;
	if (sgid != ID_KEEP)
		c->sgid = sgid;
	c->fsgid = c->egid;
	return setid_finish(c, err);
}

/* setfsuid and setfsgid cannot report an error: they answer the former id. */
long sys_setfsuid(u32 uid)
{
	const struct cred *old = current->cred;
	u32 former = old->fsuid;
	struct cred *c;

	if (uid == ID_KEEP || uid == former ||
	    (!one_of(uid, old->uid, old->euid, old->suid) && !capable(CAP_SETUID)))
		return former;
	c = cred_prepare();
	if (!c)
		return former;
	c->fsuid = uid;
	if (!(c->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (former == 0)
			c->cap_effective &= ~CAPS_FS;
		else if (uid == 0)
			c->cap_effective |= c->cap_permitted & CAPS_FS;
	}
	setid_commit(c);
	return former;
}

long sys_setfsgid(u32 gid)
{
	const struct cred *old = current->cred;
	u32 former = old->fsgid;
	struct cred *c;

	if (gid == ID_KEEP || gid == former ||
	    (!one_of(gid, old->gid, old->egid, old->sgid) && !capable(CAP_SETGID)))
		return former;
	c = cred_prepare();
	if (!c)
		return former;
	c->fsgid = gid;
	setid_commit(c);
	return former;
}
