/* capget(2) and capset(2). */
#include <syscall/table.h>
#include "internal.h"

/* Words of each set in this version's data; 0: unknown version, the header now names ours. */
static int cap_version_words(struct user_cap_header uh, struct __user_cap_header_struct *h,
			     unsigned int *words)
{
	if (user_read(h, uh))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = _LINUX_CAPABILITY_U32S_1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = _LINUX_CAPABILITY_U32S_3;
		return 0;
	default:
		h->version = _LINUX_CAPABILITY_VERSION_3;
		return user_write(uh, h) ? -EFAULT : -EINVAL;
	}
}

static int caps_of(s32 pid, u64 *effective, u64 *permitted, u64 *inheritable)
{
	struct task *t = pid ? task_find_get(pid) : current;
	const struct cred *c;

	if (!t)
		return -ESRCH;
	c = task_cred_get(t);
	*effective = c->cap_effective;
	*permitted = c->cap_permitted;
	*inheritable = c->cap_inheritable;
	cred_put(c);
	if (pid)
		task_put(t);
	return 0;
}

long sys_capget(struct user_cap_header uh, struct user_cap_data udata)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct h;
	u64 effective, permitted, inheritable;
	unsigned int words;
	int err = cap_version_words(uh, &h, &words);

	if (user_is_null(udata))
		return err == -EINVAL ? 0 : err;
	if (err)
		return err;
	if (h.pid < 0)
		return -EINVAL;
	err = caps_of(h.pid, &effective, &permitted, &inheritable);
	if (err)
		return err;
	for (unsigned int i = 0; i < words; i++) {
		data[i].effective = (u32)(effective >> (32 * i));
		data[i].permitted = (u32)(permitted >> (32 * i));
		data[i].inheritable = (u32)(inheritable >> (32 * i));
	}
	return user_write_array(udata, data, words);
}

static bool subset(u64 a, u64 b)
{
	return !(a & ~b);
}

static int capset_check(const struct cred *old, const struct cred *new)
{
	if (!capable(CAP_SETPCAP) &&
	    !subset(new->cap_inheritable, old->cap_inheritable | old->cap_permitted))
		return -EPERM;
	if (!subset(new->cap_inheritable, old->cap_inheritable | old->cap_bounding) ||
	    !subset(new->cap_permitted, old->cap_permitted) ||
	    !subset(new->cap_effective, new->cap_permitted))
		return -EPERM;
	return 0;
}

static u64 cap_join(u32 low, u32 high)
{
	return (low | (u64)high << 32) & ALL_CAPS;
}

long sys_capset(struct user_cap_header uh, struct user_cap_data udata)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	struct __user_cap_header_struct h;
	unsigned int words;
	struct cred *c;
	int err = cap_version_words(uh, &h, &words);

	if (err)
		return err;
	if (h.pid != 0 && h.pid != current->tid)
		return -EPERM;
	if (user_read_array(data, udata, words))
		return -EFAULT;
	c = cred_prepare();
	if (!c)
		return -ENOMEM;
	c->cap_effective = cap_join(data[0].effective, data[1].effective);
	c->cap_permitted = cap_join(data[0].permitted, data[1].permitted);
	c->cap_inheritable = cap_join(data[0].inheritable, data[1].inheritable);
	c->cap_ambient &= c->cap_permitted & c->cap_inheritable;
	err = capset_check(current->cred, c);
	if (err) {
		cred_abort(c);
		return err;
	}
	cred_commit(c);
	return 0;
}
