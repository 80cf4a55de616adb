/*
 * Keys. A private word is its address space and address. A shared one is the same whenever it lies
 * in private memory; in a shared mapping it is the file's inode and the offset, so that every
 * process that maps the file means the same word.
 */
#include <arch/usercopy.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <task/task.h>
#include <vfs/file.h>
#include <vfs/inode.h>
#include "futex_key.h"

static int key_from_area(struct mm *mm, u64 addr, struct futex_key *key)
{
	struct vma *vma = vma_find(mm, addr);

	if (!vma || addr < vma->start)
		return -EFAULT;
	*key = (struct futex_key){.object = mm, .offset = addr};
	if (!(vma->flags & VMA_SHARED))
		return 0;
	key->offset = vma->pgoff * PAGE_SIZE + (addr - vma->start);
	key->object = vma->private; /* anonymous: one object for all areas that show it */
	if (vma->file) {
		inode_get(vma->file->inode);
		key->object = vma->file->inode;
		key->shared = true;
	}
	return 0;
}

int futex_key_get(u64 addr, bool shared, struct futex_key *key)
{
	struct mm *mm = current->mm;
	int err;

	if (addr % sizeof(u32))
		return -EINVAL;
	if (addr >= USER_TOP)
		return -EFAULT;
	if (!shared) {
		*key = (struct futex_key){.object = mm, .offset = addr};
		return 0;
	}
	rwsem_read_lock(&mm->mmap_lock);
	err = key_from_area(mm, addr, key);
	rwsem_read_unlock(&mm->mmap_lock);
	return err;
}

void futex_key_put(const struct futex_key *key)
{
	if (key->shared)
		inode_put((struct inode *)key->object);
}
