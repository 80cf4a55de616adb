/*
 * struct file: birth, references, death, and generic operations.
 *
 * The last file_put may come from under a lock, while release sleeps and takes locks; so it is
 * deferred to the task's work before user mode. close(2) and exit hold nothing and release at once.
 * A task that runs no more work (it is exiting) and every atomic context without a task of its own
 * hand the file to the reaper thread. The memory outlives the last reference by a grace period,
 * because descriptor look-ups try to take a reference under RCU.
 */
#include <boot/init.h>
#include <event/epoll.h>
#include <lib/errno.h>
#include <lib/errseq.h>
#include <linux/fs.h>
#include <mm/slab.h>
#include <vfs/async.h>
#include <vfs/file_alloc.h>
#include <vfs/locks.h>
#include <vfs/notify.h>

#include "dnotify.h"

static struct kmem_cache *file_cache __ro_after_init;
static struct atomic64 nr_files;
u64 file_max = S64_MAX;
static const struct file_ops path_only_fops = {.name = "path"};

static u32 open_mode(u32 flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	case O_RDWR:
		return FMODE_READ | FMODE_WRITE;
	default:
		return 0; /* 3: ioctl only */
	}
}

u64 files_open(void)
{
	return (u64)atomic64_read(&nr_files);
}

/* Counts one more file. The last few are for root, as on Linux. */
static bool file_count(void)
{
	if (likely((u64)atomic64_add_return(&nr_files, 1) <= READ_ONCE(file_max)) ||
	    capable(CAP_SYS_ADMIN))
		return true;
	atomic64_add(&nr_files, -1);
	return false;
}

static struct file *file_new(void)
{
	struct file *f = kmem_cache_alloc(file_cache, GFP_KERNEL | GFP_ZERO);

	if (!f)
		atomic64_add(&nr_files, -1);
	return f;
}

int file_alloc(const struct path *p, u32 flags, struct file **out)
{
	struct inode *inode = p->dentry->inode;
	struct file *f;

	if (!file_count())
		return -ENFILE;
	f = *out = file_new();
	if (!f)
		return -ENOMEM;
	ref_init(&f->ref);
	f->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
	mutex_init(&f->pos_lock, LOCK_RANK_FILE_POS);
	spin_init(&f->spin, LOCK_RANK_FILE);
	f->path = *p;
	path_get(p);
	f->inode = inode;
	f->cred = current->cred;
	cred_get(f->cred);
	if (flags & O_PATH) {
		f->mode = FMODE_PATH;
		f->ops = &path_only_fops;
		return 0;
	}
	f->mode = open_mode(flags) | FMODE_PREAD | FMODE_SEEK;
	if (inode_is_reg(inode) || inode_is_dir(inode))
		f->mode |= FMODE_ATOMIC_POS;
	f->ops = inode->fops;
	return 0;
}

static void file_free_rcu(struct rcu_head *head)
{
	struct file *f = container_of(head, struct file, rcu);

	file_owner_free(f); /* those who signal may have found f under RCU */
	kmem_cache_free(file_cache, f);
}

void file_free(struct file *f)
{
	if (f->mode & FMODE_WROTE)
		file_drop_write(f);
	if (f->mode & FMODE_READER)
		atomic_dec(&f->inode->read_count);
	path_put(&f->path);
	cred_put(f->cred);
	atomic64_add(&nr_files, -1);
	rcu_call(&f->rcu, file_free_rcu);
}

/* The last reference is gone. Sleeps. */
static void file_release(struct file *f)
{
	might_sleep();
	if (!(f->mode & FMODE_PATH))
		notify_file(f, f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	locks_release_file(f);
	async_release(f);
	/* Pairs with the watcher's last step, hlist_del: its hooks are off our queues by then. */
	if (unlikely(smp_load_acquire(&f->watchers.first)))
		epoll_forget_file(f);
	if (f->ops->release)
		f->ops->release(f);
	file_free(f);
}

/* Files whose last holder could neither sleep nor defer; pushed by anyone, emptied by the reaper. */
static struct task_work *orphans;
static DEFINE_WAIT_QUEUE(orphan_wait);

static void orphan_add(struct file *f)
{
	struct task_work *head = __atomic_load_n(&orphans, __ATOMIC_RELAXED);

	do {
		f->put_work.next = head;
	} while (!__atomic_compare_exchange_n(&orphans, &head, &f->put_work, true,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	wake_up(&orphan_wait);
}

static __noreturn void orphan_reaper(void *unused)
{
	for (;;) {
		wait_event(&orphan_wait, READ_ONCE(orphans));

		struct task_work *w = __atomic_exchange_n(&orphans, NULL, __ATOMIC_ACQUIRE);

		while (w) {
			struct task_work *next = w->next;

			file_release(container_of(w, struct file, put_work));
			w = next;
		}
	}
}

static void release_work(struct task_work *w)
{
	file_release(container_of(w, struct file, put_work));
}

static bool may_release_here(void)
{
	return current->flags & TASK_F_KTHREAD && !in_atomic() && !arch_irqs_disabled();
}

void file_get(struct file *f)
{
	ref_get(&f->ref);
}

void file_tell_puts(struct file *f)
{
	__atomic_fetch_or(&f->mode, FMODE_TELL_PUT, __ATOMIC_SEQ_CST);
}

/*
 * Gives a reference back. True: it was the last. RCU keeps the memory for the second look, which comes
 * after the count went down: whoever sets the mark and then counts, sees us or is told.
 */
static bool ref_drop(struct file *f)
{
	bool last;

	rcu_read_lock();
	last = ref_put(&f->ref);
	if (unlikely(READ_ONCE(f->mode) & FMODE_TELL_PUT) && !last)
		f->ops->put_told(f);
	rcu_read_unlock();
	return last;
}

void file_put(struct file *f)
{
	if (likely(!ref_drop(f)))
		return;
	if (may_release_here()) {
		file_release(f);
		return;
	}
	f->put_work.fn = release_work;
	if (in_hardirq() || current->flags & TASK_F_KTHREAD ||
	    task_work_add(current, &f->put_work))
		orphan_add(f);
}

int file_close(struct file *f, const void *lock_owner)
{
	int err = 0;

	if (!(f->mode & FMODE_PATH)) {
		if (f->ops->flush)
			err = f->ops->flush(f);
		dnotify_close(f, lock_owner);
		locks_release_owner(f, lock_owner);
	}
	if (ref_drop(f))
		file_release(f);
	return err;
}

int file_write_error(struct file *f)
{
	return errseq_advance(&f->inode->mapping.write_error, &f->error_seen);
}

int file_sync(struct file *f, bool data_only)
{
	int err, earlier;

	if (!f->ops->fsync)
		return -EINVAL;
	err = f->ops->fsync(f, data_only);
	earlier = file_write_error(f);
	return err ? err : earlier;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t len, loff_t pos)
{
	struct io_iter it __uninit;

	if (!f->ops->read)
		return -EINVAL;
	io_iter_kernel(&it, buf, len);
	return f->ops->read(f, &it, &pos);
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t len, loff_t pos)
{
	struct io_iter it __uninit;

	if (!f->ops->write)
		return -EINVAL;
	io_iter_kernel(&it, (void *)buf, len);
	return f->ops->write(f, &it, &pos);
}

/* The new position for SEEK_DATA and SEEK_HOLE, eof being the file's end. */
static loff_t seek_data_hole(struct file *f, loff_t off, int whence, loff_t eof)
{
	struct mapping *m = &f->inode->mapping;
	u64 index;

	if (off < 0 || off >= eof)
		return -ENXIO;
	if (!m->ops || !m->ops->memory_backed) /* all data, and a hole behind it */
		return whence == SEEK_DATA ? off : eof;
	index = (u64)off >> PAGE_SHIFT;
	if (whence == SEEK_DATA) {
		u64 found = page_cache_next_present(m, index);

		if (found > (u64)(eof - 1) >> PAGE_SHIFT)
			return -ENXIO;
		return MAX(off, (loff_t)(found << PAGE_SHIFT));
	}
	index = page_cache_next_hole(m, index);
	if (index > (u64)(eof - 1) >> PAGE_SHIFT)
		return eof;
	return MAX(off, (loff_t)(index << PAGE_SHIFT));
}

loff_t file_llseek_size(struct file *f, loff_t off, int whence, loff_t max, loff_t eof)
{
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		off += f->pos;
		break;
	case SEEK_END:
		off += eof;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		off = seek_data_hole(f, off, whence, eof);
		if (off < 0)
			return off;
		break;
	default:
		return -EINVAL;
	}
	if (off < 0 || off > max)
		return -EINVAL;
	f->pos = off;
	return off;
}

loff_t file_llseek_generic(struct file *f, loff_t off, int whence)
{
	return file_llseek_size(f, off, whence, (loff_t)f->inode->sb->max_bytes,
				(loff_t)READ_ONCE(f->inode->size));
}

loff_t file_llseek_none(struct file *f, loff_t off, int whence)
{
	return -ESPIPE;
}

loff_t file_llseek_noop(struct file *f, loff_t off, int whence)
{
	return f->pos;
}

int file_open_nonseekable(struct inode *inode, struct file *f)
{
	f->mode &= ~(FMODE_SEEK | FMODE_PREAD | FMODE_ATOMIC_POS);
	return 0;
}

static int file_init(void)
{
	file_cache = kmem_cache_create("file", sizeof(struct file), 64);
	return kthread_create(orphan_reaper, NULL, "file_reaper") ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, file_init);
