/*
 * POSIX access control lists as data: the extended attribute's format, its rules, and what follows
 * from a list for permissions and modes. Entries are in the order of the attribute.
 */
#pragma once

#include <lib/types.h>

struct acl_entry {
	u16 tag;  /* ACL_USER_OBJ … */
	u16 perm; /* ACL_READ | ACL_WRITE | ACL_EXECUTE */
	u32 id;   /* of ACL_USER and ACL_GROUP */
};

/* Bytes of an attribute with that many entries. */
size_t acl_bytes(u32 nr);
/* How many entries a value holds. 0, -EINVAL, -EOPNOTSUPP (another version). */
int acl_count(const void *value, size_t size, u32 *nr) __must_check;
/* Reads as many entries as acl_count said. 0, or -EINVAL when the list is none that can be set. */
int acl_parse(const void *value, u32 nr, struct acl_entry *out) __must_check;
/* Writes acl_bytes(nr). */
void acl_format(const struct acl_entry *e, u32 nr, void *value);

/* Who asks, for acl_check. */
struct acl_subject {
	bool owner;  /* of the file */
	bool group;  /* a member of the file's group */
	u32 uid;
	bool (*in_group)(const void *ctx, u32 gid);
	const void *ctx;
};
/* Does the (valid) list grant all of want (rwx bits)? */
bool acl_check(const struct acl_entry *e, u32 nr, const struct acl_subject *s, u32 want);
/* The rwx bits of the mode that equals the list or shows the most of it; *more: it says more. */
u32 acl_mode(const struct acl_entry *e, u32 nr, bool *more);
/* chmod: the list as the mode's rwx bits make it. */
void acl_chmod(struct acl_entry *e, u32 nr, u32 mode);
/* A new object's list, made from its directory's default: restricts list and rwx bits by each
 * other. The remaining bits; *more as above. */
u32 acl_inherit(struct acl_entry *e, u32 nr, u32 mode, bool *more);
