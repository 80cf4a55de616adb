/* ioctl(2): what holds for every file is handled here, the rest goes to the file's operation. */
#include <lib/errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <asm/ioctls.h>
#include <syscall/table.h>

#include "fd_table.h"

static void set_flag(struct file *f, u32 flag, bool on)
{
	spin_lock(&f->spin);
	WRITE_ONCE(f->flags, on ? f->flags | flag : f->flags & ~flag);
	spin_unlock(&f->spin);
}

static long set_nonblocking(struct file *f, struct user_int arg)
{
	int on;

	if (user_read(&on, arg))
		return -EFAULT;
	set_flag(f, O_NONBLOCK, on);
	return 0;
}

static long set_async(struct file *f, int fd, struct user_int arg)
{
	int on, err;

	if (user_read(&on, arg))
		return -EFAULT;
	if (!on == !(READ_ONCE(f->flags) & FASYNC))
		return 0;
	if (!f->ops->async)
		return -ENOTTY;
	err = f->ops->async(f, fd, on);
	if (!err)
		set_flag(f, FASYNC, on);
	return err;
}

static long bytes_left(struct file *f, struct user_int arg)
{
	s64 left = (s64)READ_ONCE(f->inode->size) - READ_ONCE(f->pos);
	int value = (int)left;

	return user_write(arg, &value);
}

static long file_ioctl(struct file *f, int fd, u32 cmd, u64 arg)
{
	struct user_int int_arg = {.uaddr = arg};
	long ret = -ENOTTY;
	int value;

	switch (cmd) {
	case FIONBIO:
		return set_nonblocking(f, int_arg);
	case FIOASYNC:
		return set_async(f, fd, int_arg);
	case FIOQSIZE:
		if (!inode_is_reg(f->inode) && !inode_is_dir(f->inode) && !inode_is_lnk(f->inode))
			return -ENOTTY;
		loff_t size = (loff_t)READ_ONCE(f->inode->size);

		return user_write((struct user_loff){.uaddr = arg}, &size);
	case FIGETBSZ:
		value = (int)f->inode->sb->blocksize;
		return value ? user_write(int_arg, &value) : -EINVAL;
	case FIONREAD:
		if (inode_is_reg(f->inode))
			return bytes_left(f, int_arg);
		break;
	}
	if (f->ops->ioctl)
		ret = f->ops->ioctl(f, cmd, arg);
	return ret == -ENOTTY && cmd == FS_IOC_FIEMAP ? -EOPNOTSUPP : ret;
}

long sys_ioctl(int fd, u32 cmd, u64 arg)
{
	struct fd f = fd_get(fd);
	long ret = 0;

	if (!f.file)
		return -EBADF;
	if (cmd == FIOCLEX || cmd == FIONCLEX)
		fd_set_cloexec((u32)fd, cmd == FIOCLEX);
	else
		ret = file_ioctl(f.file, fd, cmd, arg);
	fd_put(f);
	return ret;
}
