/*
 * Access control lists on the disk: a version word, then entries of which only those of named users
 * and groups have an id. In memory the lists are the VFS's (vfs/acl.h), whose text form (the one of
 * the attributes system.posix_acl_*) is what is translated here. Under the inode lock.
 */
#include <lib/acl.h>
#include <lib/string.h>
#include <linux/xattr.h>
#include <vfs/acl.h>
#include <vfs/file_caps.h>
#include "internal.h"

#define DISK_VERSION 1u
#define TEXT_VERSION 2u
#define ENTRY_TEXT   8u /* tag, permissions, id */
#define ENTRY_SHORT  4u
#define ACL_MAX      4096u

static bool has_id(u16 tag)
{
	return tag == 0x02 || tag == 0x08; /* ACL_USER, ACL_GROUP */
}

/* Disk to text. The text's size, or 0: nonsense. text: 2 * ACL_MAX bytes. */
static size_t to_text(const u8 *disk, size_t size, u8 *text)
{
	u32 version = TEXT_VERSION, none = ~0u;
	size_t at = sizeof(u32), out = sizeof(u32);
	u16 tag;

	if (size < sizeof(u32) || memcmp(disk, &(u32){DISK_VERSION}, sizeof(u32)) != 0)
		return 0;
	memcpy(text, &version, sizeof(version));
	while (at < size) {
		u32 len;

		if (size - at < ENTRY_SHORT)
			return 0;
		memcpy(&tag, disk + at, sizeof(tag));
		len = has_id(tag) ? ENTRY_TEXT : ENTRY_SHORT;
		if (size - at < len)
			return 0;
		memcpy(text + out, disk + at, ENTRY_SHORT);
		memcpy(text + out + 4, len == ENTRY_TEXT ? disk + at + 4 : (u8 *)&none, 4);
		at += len;
		out += ENTRY_TEXT;
	}
	return out;
}

/* Text to disk; the size. */
static size_t to_disk(const u8 *text, size_t size, u8 *disk)
{
	u32 version = DISK_VERSION;
	size_t out = sizeof(u32);
	u16 tag;

	memcpy(disk, &version, sizeof(version));
	for (size_t at = sizeof(u32); at + ENTRY_TEXT <= size; at += ENTRY_TEXT) {
		u32 len;

		memcpy(&tag, text + at, sizeof(tag));
		len = has_id(tag) ? ENTRY_TEXT : ENTRY_SHORT;
		memcpy(disk + out, text + at, len);
		out += len;
	}
	return out;
}

static const char *text_name(u32 index)
{
	return index == XATTR_INDEX_ACL_DEFAULT ? XATTR_NAME_POSIX_ACL_DEFAULT
						: XATTR_NAME_POSIX_ACL_ACCESS;
}

static int load_one(struct inode *i, u32 index, u8 *space)
{
	u8 *disk = space, *text = space + ACL_MAX;
	ssize_t n = ext4_xattr_get(i, index, "", disk, ACL_MAX);
	size_t size;

	if (n == -ENODATA)
		return 0;
	if (n < 0)
		return (int)n;
	size = to_text(disk, (size_t)n, text);
	if (!size || acl_load(i, text_name(index), text, size))
		return ext4_corrupt(ext4_fs(i->sb), i->ino, "bad access control list");
	return 0;
}

int ext4_acl_load(struct inode *i)
{
	u8 *space;
	int err;

	if (ext4_xattr_get(i, XATTR_INDEX_SECURITY, "capability", NULL, 0) > 0)
		inode_note_caps(i, i);
	if (inode_is_lnk(i) || !ext4_fs(i->sb)->o.acl)
		return 0;
	space = kmalloc(3 * ACL_MAX, GFP_KERNEL);
	if (!space)
		return -ENOMEM;
	err = load_one(i, XATTR_INDEX_ACL_ACCESS, space);
	if (!err && inode_is_dir(i))
		err = load_one(i, XATTR_INDEX_ACL_DEFAULT, space);
	kfree(space);
	return err;
}

static int store_one(struct ext4_handle *h, struct inode *i, u32 index, u8 *space)
{
	u8 *text = space, *disk = space + 2 * ACL_MAX;
	ssize_t n = acl_getxattr(i, text_name(index), text, 2 * ACL_MAX);
	int err;

	if (n < 0 && n != -ENODATA)
		return n == -ERANGE ? -ENOSPC : (int)n;
	if (n < 0) {
		err = ext4_xattr_set(h, i, index, "", NULL, 0, 0);
		return err == -ENODATA ? 0 : err;
	}
	return ext4_xattr_set(h, i, index, "", disk, to_disk(text, (size_t)n, disk), 0);
}

int ext4_acl_store(struct ext4_handle *h, struct inode *i)
{
	bool any = i->acl || i->default_acl || ext4_i(i)->has_xattrs || ext4_i(i)->acl_block;
	u8 *space;
	int err;

	if (inode_is_lnk(i) || !any)
		return 0;
	space = kmalloc(4 * ACL_MAX, GFP_KERNEL);
	if (!space)
		return -ENOMEM;
	err = store_one(h, i, XATTR_INDEX_ACL_ACCESS, space);
	if (!err && inode_is_dir(i))
		err = store_one(h, i, XATTR_INDEX_ACL_DEFAULT, space);
	kfree(space);
	return err;
}
