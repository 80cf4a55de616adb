/*
 * security.capability, revisions 1 to 3: a word with revision and flags, pairs of (permitted,
 * inheritable) words from the lowest capabilities up, and in revision 3 the id of a root user.
 * Little-endian, unaligned, of any size and contents. Pure.
 */
#include <lib/errno.h>
#include <lib/file_caps.h>
#include <lib/string.h>
#include <linux/capability.h>

#define KNOWN_CAPS ((2ULL << CAP_LAST_CAP) - 1)

static u32 word_at(const void *value, size_t offset)
{
	const u8 *b = (const u8 *)value + offset;

	return b[0] | (u32)b[1] << 8 | (u32)b[2] << 16 | (u32)b[3] << 24;
}

/* The size that a value of this revision has; 0: no such revision. */
static size_t size_of_revision(u32 revision)
{
	switch (revision) {
	case VFS_CAP_REVISION_1:
		return XATTR_CAPS_SZ_1;
	case VFS_CAP_REVISION_2:
		return XATTR_CAPS_SZ_2;
	case VFS_CAP_REVISION_3:
		return XATTR_CAPS_SZ_3;
	default:
		return 0;
	}
}

int file_caps_parse(const void *value, size_t size, struct file_caps *out)
{
	u32 magic, revision;

	if (size < sizeof(magic))
		return -EINVAL;
	magic = word_at(value, 0);
	revision = magic & VFS_CAP_REVISION_MASK;
	if (size != size_of_revision(revision))
		return -EINVAL;
	*out = (struct file_caps){
		.permitted = word_at(value, 4),
		.inheritable = word_at(value, 8),
		.effective = magic & VFS_CAP_FLAGS_EFFECTIVE,
	};
	if (revision != VFS_CAP_REVISION_1) {
		out->permitted |= (u64)word_at(value, 12) << 32;
		out->inheritable |= (u64)word_at(value, 16) << 32;
	}
	if (revision == VFS_CAP_REVISION_3)
		out->rootid = word_at(value, 20);
	out->permitted &= KNOWN_CAPS;
	out->inheritable &= KNOWN_CAPS;
	return 0;
}

ssize_t file_caps_as_shown(void *value, size_t size)
{
	struct file_caps c;
	u8 *magic = value;

	if (file_caps_parse(value, size, &c))
		return -EINVAL;
	if (size != XATTR_CAPS_SZ_3 || c.rootid)
		return (ssize_t)size;
	magic[3] = VFS_CAP_REVISION_2 >> VFS_CAP_REVISION_SHIFT;
	return XATTR_CAPS_SZ_2;
}

bool file_caps_writable(const void *value, size_t size)
{
	u32 revision;

	if (size < sizeof(revision))
		return false;
	revision = word_at(value, 0) & ~(u32)VFS_CAP_FLAGS_EFFECTIVE;
	return (revision == VFS_CAP_REVISION_2 || revision == VFS_CAP_REVISION_3) &&
	       size == size_of_revision(revision);
}
