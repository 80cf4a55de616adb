/*
 * Seals of tmpfs files, and memfd_create(2). Seals are bits of the inode that only ever come; they
 * change under the inode lock, which writers, truncation and fallocate hold as well. Shared
 * mappings that may write are counted by mm (mapping_writable_get): F_SEAL_WRITE closes that count
 * for good, and is refused while it is not 0.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <mm/mm.h>
#include <syscall/table.h>
#include <vfs/file.h>

#include "internal.h"

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

#define NAME_PREFIX "memfd:"
#define NAME_MAX_LEN (NAME_MAX - (sizeof(NAME_PREFIX) - 1))

static bool sealable(const struct inode *i)
{
	return i->fops == &tmpfs_file_fops && !tmpfs_sb(i->sb)->ramfs;
}

static int add_locked(struct inode *i, u32 seals)
{
	if (i->seals & F_SEAL_SEAL)
		return -EPERM;
	if (seals & F_SEAL_WRITE && !(i->seals & F_SEAL_WRITE) &&
	    mapping_deny_writable(&i->mapping))
		return -EBUSY;
	WRITE_ONCE(i->seals, i->seals | (u8)seals);
	return 0;
}

int tmpfs_seals_add(struct file *f, u64 seals)
{
	struct inode *i = f->inode;
	int err;

	if (seals > U32_MAX)
		return -EINVAL;
	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~(u64)ALL_SEALS || !sealable(i))
		return -EINVAL;
	rwsem_write_lock(&i->lock);
	err = add_locked(i, (u32)seals);
	rwsem_write_unlock(&i->lock);
	return err;
}

int tmpfs_seals_get(const struct file *f)
{
	return sealable(f->inode) ? READ_ONCE(f->inode->seals) : -EINVAL;
}

int tmpfs_mmap(struct file *f, struct vma *vma)
{
	if (READ_ONCE(f->inode->seals) & F_SEAL_FUTURE_WRITE && vma->flags & VMA_SHARED) {
		if (vma->flags & VMA_WRITE)
			return -EPERM;
		vma->flags &= ~VMA_MAYWRITE;
	}
	return file_mmap_cached(f, vma);
}

int tmpfs_setattr(struct dentry *d, struct iattr *attr)
{
	const struct inode *i = d->inode;

	if (attr->valid & ATTR_SIZE && ((attr->size < i->size && i->seals & F_SEAL_SHRINK) ||
					(attr->size > i->size && i->seals & F_SEAL_GROW)))
		return -EPERM;
	return inode_setattr_simple(d, attr);
}

/* "memfd:" and the user's name. 0, -EFAULT, -EINVAL. */
static int fetch_name(char *name, struct user_str uname)
{
	ssize_t len;

	memcpy(name, NAME_PREFIX, sizeof(NAME_PREFIX) - 1);
	len = user_read_str(name + sizeof(NAME_PREFIX) - 1, uname, NAME_MAX_LEN + 1);
	if (len == -ENAMETOOLONG)
		return -EINVAL;
	return len < 0 ? (int)len : 0;
}

static int create(const char *name, u32 flags, struct file **out)
{
	int err = tmpfs_file_create_nameless(name, 0, 0777, O_RDWR | O_LARGEFILE, out);

	if (!err && flags & MFD_ALLOW_SEALING)
		(*out)->inode->seals = 0;
	return err;
}

long sys_memfd_create(struct user_str uname, u32 flags)
{
	char name[NAME_MAX + 1] __uninit;
	struct file *f;
	int err;

	if (flags & MFD_HUGETLB) {
		u32 sizes = (u32)MFD_HUGE_MASK << MFD_HUGE_SHIFT;

		/* There is no hugetlbfs. */
		return flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | sizes) ? -EINVAL :
											   -ENOSYS;
	}
	if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	err = fetch_name(name, uname);
	if (err)
		return err;
	err = create(name, flags, &f);
	return err ? err : fd_install_new(f, flags & MFD_CLOEXEC);
}
