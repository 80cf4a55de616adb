/* ioctl(2) of files and directories: inode flags (chattr, lsattr), the generation number, the map of blocks, FITRIM. */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <mm/user.h>
#include "internal.h"

static long get_int(u64 arg, u32 value)
{
	int v = (int)value;

	return user_write((struct user_int){.uaddr = arg}, &v);
}

static int flags_check(const struct inode *i, u32 old, u32 new)
{
	if (!inode_owner_or_capable(i))
		return -EACCES;
	if ((new ^ old) & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL) && !capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	/* Journalled data and the like do not exist here. */
	return (new ^ old) & ~EXT4_USER_MODIFIABLE_FL & EXT4_USER_VISIBLE_FL &
			       ~(EXT4_EXTENTS_FL | EXT4_INDEX_FL | EXT4_HUGE_FILE_FL)
		       ? -EOPNOTSUPP
		       : 0;
}

static int flags_set_locked(struct inode *i, u32 flags)
{
	struct ext4_ino *ei = ext4_i(i);
	struct ext4_handle h;
	int err = flags_check(i, ei->flags, flags);

	if (!err)
		err = ext4_start(ext4_fs(i->sb), &h, CREDITS_INODE);
	if (err)
		return err;
	WRITE_ONCE(ei->flags, (ei->flags & ~EXT4_USER_MODIFIABLE_FL) |
				      (flags & EXT4_USER_MODIFIABLE_FL));
	ext4_set_inode_flags(i);
	inode_touch(i, ATTR_CTIME);
	err = ext4_inode_store(&h, i);
	ext4_stop(&h);
	return err;
}

static long flags_set(struct file *f, u64 arg)
{
	int flags, err = mount_want_write(f->path.mnt);

	if (!err && user_read(&flags, (struct user_int){.uaddr = arg}))
		err = -EFAULT;
	if (err)
		return err;
	rwsem_write_lock(&f->inode->lock);
	err = flags_set_locked(f->inode, (u32)flags);
	rwsem_write_unlock(&f->inode->lock);
	return err;
}

long ext4_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct ext4_ino *ei = ext4_i(f->inode);

	switch (cmd) {
	case FS_IOC_GETFLAGS:
		return get_int(arg, READ_ONCE(ei->flags) & EXT4_USER_VISIBLE_FL);
	case FS_IOC_SETFLAGS:
		return flags_set(f, arg);
	case FS_IOC_GETVERSION:
		return get_int(arg, ei->generation);
	case FS_IOC_FIEMAP:
		return ext4_fiemap(f->inode, arg);
	case FITRIM:
		return ext4_fitrim(f->inode, arg);
	default:
		return -ENOTTY;
	}
}
