/*
 * System V shared memory: segments and their attachments.
 *
 * A segment's memory is a nameless tmpfs file. Each shmat makes an open file of its own on it, so
 * that its mode bounds what mprotect may allow; the file refers to the segment, and the areas that
 * map it are counted by their open and close operations. A removed segment goes with the last area.
 *
 * Locks: shm.lock (table), then the segment's. close runs under mmap_lock and takes the table's
 * lock only for a segment that is to go.
 */
#include <lib/format.h>
#include <linux/mman.h>
#include <asm/mman.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <tmpfs/tmpfs.h>
#include <vfs/file_alloc.h>
#include "shm.h"

static struct ipc_ids *shm_ids(const struct shm_segment *s)
{
	return &s->object.ns->shm;
}

/* ---- the end of a segment ---- */

static void segment_free(struct ipc_object *o)
{
	kfree(shm_of(o));
}

void shm_unlock_memory(struct shm_segment *s)
{
	if (!s->lock_user)
		return;
	atomic64_add(&s->lock_user->locked_shm_pages, -(s64)s->nr_pages);
	user_account_put(s->lock_user);
	s->lock_user = NULL;
	s->object.mode &= ~SHM_LOCKED;
}

/* Table and segment locked; unlocks the segment. Its file is given back by the caller. */
static struct file *destroy_locked(struct shm_segment *s) NO_THREAD_SAFETY
{
	struct file *f = s->file;

	s->object.ns->shm_pages -= s->nr_pages;
	ipc_remove(shm_ids(s), &s->object);
	shm_unlock_memory(s);
	ipc_unlock(&s->object);
	return f;
}

static bool is_unused(const struct shm_segment *s)
{
	return !s->nr_attached && s->object.mode & SHM_DEST;
}

/* The last attachment of a removed segment may have gone. The caller has a reference. */
static void destroy_if_unused(struct shm_segment *s)
{
	struct ipc_ids *ids = shm_ids(s);
	struct file *f = NULL;

	mutex_lock(&ids->lock);
	if (!ipc_relock(&s->object)) {
		if (is_unused(s))
			f = destroy_locked(s);
		else
			ipc_unlock(&s->object);
	}
	mutex_unlock(&ids->lock);
	if (f) {
		file_put(f);
		ipc_put(&s->object);
	}
}

long shm_remove(struct ipc_ns *ns, s32 id)
{
	struct ipc_object *o;
	struct file *f = NULL;
	long err;

	mutex_lock(&ns->shm.lock);
	err = ipc_lock(&ns->shm, id, &o);
	if (!err) {
		err = ipc_check_owner(o);
		if (!err) {
			o->mode |= SHM_DEST;
			ipc_forget_key(&ns->shm, o);
		}
		if (!err && is_unused(shm_of(o)))
			f = destroy_locked(shm_of(o));
		else
			ipc_unlock(o);
	}
	mutex_unlock(&ns->shm.lock);
	if (f) {
		file_put(f);
		ipc_put(o);
	}
	return err;
}

/* ---- areas ---- */

static void count_area(struct shm_segment *s)
{
	spin_lock(&s->object.lock);
	s->nr_attached++;
	s->atime = ipc_now();
	s->last_pid = ipc_pid();
	spin_unlock(&s->object.lock);
}

static void uncount(struct shm_segment *s, bool area)
{
	bool unused;

	spin_lock(&s->object.lock);
	s->nr_attached--;
	if (area) {
		s->dtime = ipc_now();
		s->last_pid = ipc_pid();
	}
	unused = is_unused(s);
	spin_unlock(&s->object.lock);
	if (unused)
		destroy_if_unused(s);
}

static void area_open(struct vma *v)
{
	count_area(v->file->private);
}

static void area_close(struct vma *v)
{
	uncount(v->file->private, true);
}

static const struct vma_ops area_ops = {
	.fault = file_fault_cached,
	.open = area_open,
	.close = area_close,
	.no_merge = true,
};

static int attachment_mmap(struct file *f, struct vma *v)
{
	int err = file_mmap_cached(f, v);

	if (err)
		return err;
	v->ops = &area_ops;
	count_area(f->private);
	return 0;
}

static void attachment_release(struct file *f)
{
	ipc_put(&((struct shm_segment *)f->private)->object);
}

static const struct file_ops attachment_ops = {
	.name = "SYSV",
	.mmap = attachment_mmap,
	.release = attachment_release,
};

/* ---- shmget ---- */

static int create_file(struct shm_segment *s, u64 size)
{
	char name[16];
	int err;

	format(name, sizeof(name), "SYSV%08x", (u32)s->object.key);
	err = tmpfs_file_create_nameless(name, size, 0777, O_RDWR, &s->file);
	if (err)
		return err;
	s->file->inode->mode = S_IFREG | (s->object.mode & 0777);
	return 0;
}

static int check_size(const struct ipc_ns *ns, u64 size, u64 pages)
{
	struct mem_stats mem;

	if (!size || size > READ_ONCE(ns->limits->shmmax))
		return -EINVAL;
	if (pages << PAGE_SHIFT < size)
		return -ENOSPC;
	if (ns->shm_pages + pages < ns->shm_pages ||
	    ns->shm_pages + pages > READ_ONCE(ns->limits->shmall))
		return -ENOSPC;
	mem_stats(&mem);
	return pages > mem.total_pages ? -ENOMEM : 0;
}

static int check_huge(u32 flags)
{
	if (!(flags & SHM_HUGETLB))
		return 0;
	/* No pool of huge pages is reserved. */
	return capable(CAP_IPC_LOCK) ? -ENOMEM : -EPERM;
}

static long segment_create(struct ipc_ns *ns, s32 key, u32 flags, u64 size)
{
	u64 pages = size / PAGE_SIZE + (size % PAGE_SIZE != 0);
	struct shm_segment *s;
	int err = check_size(ns, size, pages);

	if (!err)
		err = check_huge(flags);
	if (err)
		return err;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	ipc_object_init(&s->object, ns, key, flags, segment_free);
	s->size = size;
	s->nr_pages = pages;
	s->creator_pid = ipc_pid();
	s->ctime = ipc_now();
	err = create_file(s, size);
	if (!err) {
		err = ipc_add(&ns->shm, &s->object, READ_ONCE(ns->limits->shmmni));
		if (err)
			file_put(s->file);
	}
	if (err) {
		kfree(s);
		return err;
	}
	s->file->inode->ino = (u64)s->object.id; /* what maps shows, as on Linux */
	ns->shm_pages += pages;
	return s->object.id;
}

static int segment_check(struct ipc_object *o, u64 size)
{
	return shm_of(o)->size < size ? -EINVAL : 0;
}

long sys_shmget(int key, u64 size, u32 flags)
{
	static const struct ipc_get_ops ops = {.create = segment_create, .check = segment_check};
	struct ipc_ns *ns = ipc_ns_current();

	return ipc_find_or_create(ns, &ns->shm, key, flags, size, &ops);
}

/* ---- shmat, shmdt ---- */

struct attach {
	u64 addr;
	u32 flags;              /* SHM_* */
	u32 prot, map_flags;
	u32 access, open_flags; /* S_I*; O_* */
};

static int attach_place(struct attach *a)
{
	a->map_flags = MAP_SHARED;
	if (!a->addr)
		return a->flags & SHM_REMAP ? -EINVAL : 0;
	if (a->addr & (PAGE_SIZE - 1)) {
		if (!(a->flags & SHM_RND))
			return -EINVAL;
		a->addr &= PAGE_MASK;
		if (!a->addr && a->flags & SHM_REMAP)
			return -EINVAL;
	}
	a->map_flags |= a->flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	return 0;
}

static void attach_mode(struct attach *a)
{
	bool read_only = a->flags & SHM_RDONLY;

	a->prot = PROT_READ | (read_only ? 0 : PROT_WRITE) | (a->flags & SHM_EXEC ? PROT_EXEC : 0);
	a->access = 0444 | (read_only ? 0 : 0222) | (a->flags & SHM_EXEC ? 0111 : 0);
	a->open_flags = read_only ? O_RDONLY : O_RDWR;
}

/* Finds the segment; it counts as attached, and is referred to, from here on. */
static int attach_begin(const struct attach *a, s32 id, struct shm_segment **out)
{
	struct ipc_object *o;
	int err = ipc_lock(&ipc_ns_current()->shm, id, &o);

	if (err)
		return err;
	err = ipc_check_access(o, a->access);
	if (!err) {
		shm_of(o)->nr_attached++;
		ipc_get(o);
	}
	ipc_unlock(o);
	*out = shm_of(o);
	return err;
}

static int attach_map(struct attach *a, struct shm_segment *s, struct file *f)
{
	int err;

	if (a->addr && !(a->flags & SHM_REMAP) && a->addr + s->size < a->addr)
		return -EINVAL;
	err = mm_map(current->mm, a->addr, s->size, a->prot, a->map_flags, f, 0, &a->addr);
	return err == -EEXIST ? -EINVAL : err;
}

long sys_shmat(int id, u64 addr, u32 flags)
{
	struct attach a = {.addr = addr, .flags = flags};
	struct shm_segment *s;
	struct file *f;
	int err = id < 0 ? -EINVAL : attach_place(&a);

	if (err)
		return err;
	attach_mode(&a);
	err = attach_begin(&a, id, &s);
	if (err)
		return err;
	err = file_alloc(&s->file->path, a.open_flags, &f);
	if (!err) {
		f->ops = &attachment_ops;
		f->private = s;
		ipc_get(&s->object);
		err = attach_map(&a, s, f);
		file_put(f);
	}
	uncount(s, false);
	ipc_put(&s->object);
	return err ? err : (long)a.addr;
}

long sys_shmdt(u64 addr)
{
	return mm_detach(current->mm, addr, &area_ops);
}
