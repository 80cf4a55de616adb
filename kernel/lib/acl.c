/*
 * POSIX access control lists (acl(5), the withdrawn POSIX 1003.1e). Pure; values come from users, of
 * any size and contents.
 */
#include <lib/acl.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#define HEADER sizeof(struct posix_acl_xattr_header)
#define ENTRY  sizeof(struct posix_acl_xattr_entry)
#define RWX    (ACL_READ | ACL_WRITE | ACL_EXECUTE)

size_t acl_bytes(u32 nr)
{
	return HEADER + nr * ENTRY;
}

int acl_count(const void *value, size_t size, u32 *nr)
{
	struct posix_acl_xattr_header h;

	if (size < HEADER)
		return -EINVAL;
	memcpy(&h, value, HEADER);
	if (h.a_version != POSIX_ACL_XATTR_VERSION)
		return -EOPNOTSUPP;
	if ((size - HEADER) % ENTRY)
		return -EINVAL;
	*nr = (u32)((size - HEADER) / ENTRY);
	return 0;
}

/*
 * The one order: owner, users, group, groups, mask, others. The mask may be missing when there are
 * neither users nor groups.
 */
static bool entry_follows(u16 before, u16 tag, bool needs_mask)
{
	switch (tag) {
	case ACL_USER_OBJ:
		return before == 0;
	case ACL_USER:
	case ACL_GROUP_OBJ:
		return before == ACL_USER_OBJ || before == ACL_USER;
	case ACL_GROUP:
	case ACL_MASK:
		return before == ACL_GROUP_OBJ || before == ACL_GROUP;
	case ACL_OTHER:
		return before == ACL_MASK || (before == ACL_GROUP_OBJ && !needs_mask);
	default:
		return false;
	}
}

static bool is_named(u16 tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

int acl_parse(const void *value, u32 nr, struct acl_entry *out)
{
	const char *p = (const char *)value + HEADER;
	struct posix_acl_xattr_entry x;
	bool needs_mask = false;
	u16 before = 0;

	for (u32 i = 0; i < nr; i++, p += ENTRY) {
		memcpy(&x, p, ENTRY);
		if ((x.e_perm & ~RWX) || !entry_follows(before, x.e_tag, needs_mask))
			return -EINVAL;
		if (is_named(x.e_tag) && x.e_id == (u32)ACL_UNDEFINED_ID)
			return -EINVAL;
		needs_mask |= is_named(x.e_tag);
		before = x.e_tag;
		out[i] = (struct acl_entry){.tag = x.e_tag, .perm = x.e_perm, .id = x.e_id};
	}
	return before == ACL_OTHER ? 0 : -EINVAL;
}

void acl_format(const struct acl_entry *e, u32 nr, void *value)
{
	struct posix_acl_xattr_header h = {.a_version = POSIX_ACL_XATTR_VERSION};
	char *p = value;

	memcpy(p, &h, HEADER);
	p += HEADER;
	for (u32 i = 0; i < nr; i++, p += ENTRY) {
		struct posix_acl_xattr_entry x = {
			.e_tag = e[i].tag,
			.e_perm = e[i].perm,
			.e_id = is_named(e[i].tag) ? e[i].id : (u32)ACL_UNDEFINED_ID,
		};

		memcpy(p, &x, ENTRY);
	}
}

static const struct acl_entry *find(const struct acl_entry *e, u32 nr, u16 tag)
{
	for (u32 i = 0; i < nr; i++)
		if (e[i].tag == tag)
			return &e[i];
	return NULL;
}

/* The entry that applies, or NULL: groups match, but none grants what is wanted. */
static const struct acl_entry *applies(const struct acl_entry *e, u32 nr,
				       const struct acl_subject *s, u32 want)
{
	bool member = false;

	for (u32 i = 0; i < nr; i++, e++) {
		switch (e->tag) {
		case ACL_USER_OBJ:
			if (s->owner)
				return e;
			break;
		case ACL_USER:
			if (e->id == s->uid)
				return e;
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!(e->tag == ACL_GROUP_OBJ ? s->group : s->in_group(s->ctx, e->id)))
				break;
			if (!(want & ~(u32)e->perm))
				return e;
			member = true;
			break;
		case ACL_OTHER:
			return member ? NULL : e;
		}
	}
	return NULL;
}

bool acl_check(const struct acl_entry *e, u32 nr, const struct acl_subject *s, u32 want)
{
	const struct acl_entry *a = applies(e, nr, s, want), *mask;
	u32 perm;

	if (!a)
		return false;
	perm = a->perm;
	mask = a->tag == ACL_USER_OBJ || a->tag == ACL_OTHER ? NULL : find(e, nr, ACL_MASK);
	if (mask)
		perm &= mask->perm;
	return !(want & ~perm);
}

/* The entry that the mode's group bits stand for. */
static struct acl_entry *group_class(struct acl_entry *e, u32 nr)
{
	const struct acl_entry *mask = find(e, nr, ACL_MASK);

	return (struct acl_entry *)(mask ? mask : find(e, nr, ACL_GROUP_OBJ));
}

u32 acl_mode(const struct acl_entry *e, u32 nr, bool *more)
{
	u32 mode = (u32)find(e, nr, ACL_USER_OBJ)->perm << 6 | find(e, nr, ACL_OTHER)->perm;

	*more = nr > 3;
	return mode | (u32)group_class((struct acl_entry *)e, nr)->perm << 3;
}

static u16 class_bits(u32 mode, u32 shift)
{
	return (u16)((mode >> shift) & RWX);
}

void acl_chmod(struct acl_entry *e, u32 nr, u32 mode)
{
	((struct acl_entry *)find(e, nr, ACL_USER_OBJ))->perm = class_bits(mode, 6);
	group_class(e, nr)->perm = class_bits(mode, 3);
	((struct acl_entry *)find(e, nr, ACL_OTHER))->perm = class_bits(mode, 0);
}

u32 acl_inherit(struct acl_entry *e, u32 nr, u32 mode, bool *more)
{
	((struct acl_entry *)find(e, nr, ACL_USER_OBJ))->perm &= class_bits(mode, 6);
	group_class(e, nr)->perm &= class_bits(mode, 3);
	((struct acl_entry *)find(e, nr, ACL_OTHER))->perm &= class_bits(mode, 0);
	return acl_mode(e, nr, more);
}
