/*
 * Mount options of procfs: hidepid and gid, who may see other people's processes. There is one
 * instance, so the latest mount or remount that names an option sets it for all.
 */
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "internal.h"

enum { HIDE_OFF, HIDE_NO_ACCESS, HIDE_INVISIBLE, HIDE_NOT_PTRACEABLE = 4 };

static u32 hide;     /* HIDE_*; torn-free */
static u32 hide_gid; /* whose members see everything; torn-free */

static int parse_hide(const char *value, u32 *out)
{
	static const char *const names[] = {
		[HIDE_OFF] = "off", [HIDE_NO_ACCESS] = "noaccess",
		[HIDE_INVISIBLE] = "invisible", [HIDE_NOT_PTRACEABLE] = "ptraceable",
	};
	u64 v;

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i] && strcmp(value, names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	if (parse_u64(value, 10, &v) || v >= ARRAY_SIZE(names) || !names[v])
		return -EINVAL;
	*out = (u32)v;
	return 0;
}

static int parse_one(const char *key, const char *value, u32 *new_hide, u32 *new_gid)
{
	u64 v;

	if (value && strcmp(key, "hidepid") == 0)
		return parse_hide(value, new_hide);
	if (!value || strcmp(key, "gid") != 0 || parse_u64(value, 10, &v) || v >= U32_MAX)
		return -EINVAL;
	*new_gid = (u32)v;
	return 0;
}

int proc_set_options(const char *options)
{
	char *copy = kstrdup(options, GFP_KERNEL), *s = copy;
	u32 new_hide = hide, new_gid = hide_gid;
	int err = copy ? 0 : -ENOMEM;

	while (!err && s && *s) {
		char *next = strchr(s, ','), *value;

		if (next)
			*next++ = '\0';
		value = strchr(s, '=');
		if (value)
			*value++ = '\0';
		if (*s)
			err = parse_one(s, value, &new_hide, &new_gid);
		s = next;
	}
	kfree(copy);
	if (err)
		return err;
	WRITE_ONCE(hide, new_hide);
	WRITE_ONCE(hide_gid, new_gid);
	return 0;
}

void proc_show_options(char *buf, size_t size)
{
	static const char *const names[] = {
		[HIDE_OFF] = "", [HIDE_NO_ACCESS] = ",hidepid=noaccess",
		[HIDE_INVISIBLE] = ",hidepid=invisible", [HIDE_NOT_PTRACEABLE] = ",hidepid=ptraceable",
	};
	int n = format(buf, size, "%s", names[READ_ONCE(hide)]);

	if (READ_ONCE(hide_gid))
		format(buf + n, size - (size_t)n, ",gid=%u", READ_ONCE(hide_gid));
}

static bool passes(struct task *t, u32 from)
{
	u32 h = READ_ONCE(hide);

	if (h == HIDE_NOT_PTRACEABLE)
		return proc_may_access(t);
	return h < from || cred_in_group(current->cred, READ_ONCE(hide_gid)) || proc_may_access(t);
}

bool proc_is_visible(struct task *t)
{
	return passes(t, HIDE_INVISIBLE);
}

int proc_may_enter(struct task *t)
{
	if (passes(t, HIDE_NO_ACCESS))
		return 0;
	return READ_ONCE(hide) == HIDE_NO_ACCESS ? -EPERM : -ENOENT;
}
