/*
 * Writing changed pages of files to their store.
 *
 * A page that changes is marked in its mapping's index (PG_DIRTY and a mark, under pages_lock), and
 * its file enters the list of unclean files with a reference on the inode, so that a file that nobody
 * has open any more is written, too. A kernel thread writes the files of the list a little later, or
 * sooner when there is much of it; fsync and a writer who runs ahead of the thread write one file.
 *
 * A page is written while it is locked, so truncation waits for it. First the mark goes, then shared
 * mappings lose the right to write, then the store reads the page: a change that comes in between is
 * part of what is written or marks the page again, or both. A page that could not be written stays
 * clean, as on Linux: the error is told by the next fsync, and nobody tries for ever.
 *
 * Locks: writeback_lock (a round over the list) → mapping.write_lock (one file) → page lock →
 * mapping.mmap_lock. Nobody waits for a page lock with mmap_lock held. dirty_lock guards the list.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/errseq.h>
#include <lib/log.h>
#include <mm/page_cache.h>
#include <mm/slab.h>
#include <sched/sched.h>
#include <sync/mutex.h>
#include <task/task.h>
#include <time/clock.h>
#include <vfs/inode.h>
#include "internal.h"

#define DELAY_NS (500 * NSEC_PER_MSEC)
#define NAP_NS   (5 * NSEC_PER_MSEC)

static DEFINE_MUTEX(writeback_lock, LOCK_RANK_WRITEBACK);
static DEFINE_SPINLOCK(dirty_lock, LOCK_RANK_PAGE_LRU);
static struct list_head dirty_files = LIST_INIT(dirty_files); /* dirty_lock; oldest first */
static u64 nr_files;                                          /* dirty_lock */
static struct atomic64 nr_dirty_pages;
static struct atomic64 nr_dirty_supers; /* that have any */
static DEFINE_WAIT_QUEUE(writer_wait);
static bool hurry;

u64 writeback_dirty_pages(void)
{
	return (u64)atomic64_read(&nr_dirty_pages);
}

void writeback_hurry(void)
{
	if (READ_ONCE(hurry) || !writeback_dirty_pages())
		return;
	WRITE_ONCE(hurry, true);
	wake_up_all(&writer_wait);
}

bool writeback_wait(void)
{
	if (!writeback_dirty_pages() || current->flags & (TASK_F_KTHREAD | TASK_F_IN_JOURNAL) ||
	    fatal_signal_pending(current))
		return false;
	writeback_hurry();
	sched_set_state(TASK_UNINTERRUPTIBLE);
	schedule_until(clock_monotonic() + NAP_NS);
	return true;
}

/* One page more, or one less. */
static void count_dirty(struct mapping *m, s64 by)
{
	s64 now = atomic64_add_return(&m->host->sb->nr_dirty, by);

	m->nr_dirty += (u64)by;
	atomic64_add(&nr_dirty_pages, by);
	if (now == (by > 0 ? 1 : 0))
		atomic64_add(&nr_dirty_supers, by);
}

void mapping_mark_unclean(struct mapping *m)
{
	bool first;

	if (READ_ONCE(m->unclean))
		return;
	spin_lock(&dirty_lock);
	first = !m->unclean;
	if (first) {
		WRITE_ONCE(m->unclean, true);
		inode_get(m->host);
		list_add_tail(&m->dirty_node, &dirty_files);
		nr_files++;
	}
	spin_unlock(&dirty_lock);
	if (first)
		wake_up_all(&writer_wait);
}

bool page_mark_dirty(struct page *p)
{
	struct mapping *m;
	bool marked = false;

	if (page_test(p, PG_SHMEM) || !page_test(p, PG_UPTODATE)) {
		if (!page_test(p, PG_DIRTY))
			page_set(p, PG_DIRTY);
		return true;
	}
	m = READ_ONCE(p->mapping);
	if (!m)
		return false;
	if (page_test(p, PG_DIRTY))
		return true;
	spin_lock(&m->pages_lock);
	if (p->mapping == m) {
		marked = true;
		if (!page_test(p, PG_DIRTY)) {
			page_set(p, PG_DIRTY);
			xa_set_mark(&m->pages, p->index, PAGE_MARK_DIRTY);
			count_dirty(m, 1);
		}
	}
	spin_unlock(&m->pages_lock);
	if (marked)
		mapping_mark_unclean(m);
	return marked;
}

void page_count_clean(struct mapping *m, struct page *p)
{
	ASSERT_HELD(&m->pages_lock);
	page_clear(p, PG_DIRTY);
	count_dirty(m, -1);
}

/* ---- One file ---- */

/* Takes the mark off a locked page. False: it had none, or has left the file. */
static bool claim(struct mapping *m, struct page *p)
{
	bool dirty;

	spin_lock(&m->pages_lock);
	dirty = p->mapping == m && page_test(p, PG_DIRTY);
	if (dirty) {
		page_count_clean(m, p);
		xa_clear_mark(&m->pages, p->index, PAGE_MARK_DIRTY);
	}
	spin_unlock(&m->pages_lock);
	return dirty;
}

/* The first dirty page in [*index, last], with a reference; NULL: none. */
static struct page *next_dirty(struct mapping *m, u64 *index, u64 last)
{
	struct page *p;

	spin_lock(&m->pages_lock);
	p = xa_find_marked(&m->pages, index, last, PAGE_MARK_DIRTY);
	if (p)
		page_get(p);
	spin_unlock(&m->pages_lock);
	return p;
}

/*
 * Dirty pages from *index on, locked and claimed, with references, rising; their number. *index moves behind
 * them. Waits for the lock of the first alone, so nobody waits for us while we wait for him.
 */
static u32 collect(struct mapping *m, u64 *index, u64 last, struct page **list)
{
	struct page *p;
	u32 nr = 0;

	while (nr < m->ops->max_io && *index <= last) {
		u64 at = *index;

		p = next_dirty(m, &at, last);
		if (!p || (nr && ((at != *index && !m->ops->write_gaps) || !page_trylock(p)))) {
			if (p)
				page_put(p);
			break;
		}
		if (!nr)
			page_lock(p);
		*index = at + 1;
		if (claim(m, p)) {
			list[nr++] = p;
			continue;
		}
		page_unlock(p);
		page_put(p);
		if (nr && !m->ops->write_gaps)
			break;
	}
	return nr;
}

static int write_batch(struct mapping *m, struct page **list, u32 nr)
{
	bool mapped = false;
	int err;

	for (u32 i = 0; i < nr; i++)
		mapped |= atomic_read(&list[i]->mapcount) > 0;
	if (mapped)
		mapping_protect_range(m, list[0]->index, list[nr - 1]->index);
	err = m->ops->write_pages(m, list, nr);
	if (err)
		errseq_set(&m->write_error, err);
	for (u32 i = 0; i < nr; i++) {
		page_unlock(list[i]);
		page_put(list[i]);
	}
	return err;
}

/* write_lock held. */
static int write_range(struct mapping *m, u64 first, u64 last)
{
	struct page **list = kmalloc_array(m->ops->max_io, sizeof(*list), GFP_KERNEL);
	u64 index = first;
	int err = 0;
	u32 nr;

	if (!list)
		return -ENOMEM;
	while (index <= last && (nr = collect(m, &index, last, list))) {
		int e = write_batch(m, list, nr);

		err = err ? err : e;
	}
	kfree(list);
	return err;
}

int mapping_write(struct mapping *m, u64 first, u64 last)
{
	int err = 0;

	/* Pages that are being written are in the cache, so without any there is nobody to wait for. */
	if (!m->ops || !m->ops->write_pages || !READ_ONCE(m->nr_pages))
		return 0;
	mutex_lock(&m->write_lock);
	if (READ_ONCE(m->nr_dirty))
		err = write_range(m, first, last);
	mutex_unlock(&m->write_lock);
	return err;
}

/* All pages, and what belongs to them. */
static int write_all(struct mapping *m)
{
	int err = 0, e = 0;

	mutex_lock(&m->write_lock);
	if (m->ops->write_pages && READ_ONCE(m->nr_dirty))
		err = write_range(m, 0, U64_MAX);
	if (m->ops->written)
		e = m->ops->written(m);
	if (e)
		errseq_set(&m->write_error, e);
	mutex_unlock(&m->write_lock);
	return err ? err : e;
}

int mapping_sync(struct mapping *m)
{
	return m->ops && mapping_unclean(m) ? write_all(m) : 0;
}

/*
 * Above an eighth of memory the thread starts at once; above a quarter, writers write themselves, if their
 * file system has more than its share of that quarter: a slow disk that is full of it does not stop the
 * writers of others. All of them together have less than half.
 */
void mapping_balance(struct mapping *m)
{
	u64 dirty = writeback_dirty_pages(), limit = buddy_total_pages() / 4;
	s64 supers;

	if (likely(dirty < limit / 2) || m->ops->memory_backed)
		return;
	writeback_hurry();
	supers = MAX(atomic64_read(&nr_dirty_supers), 1);
	if (dirty > limit && m->nr_dirty &&
	    atomic64_read(&m->host->sb->nr_dirty) > (s64)limit / supers)
		(void)!mapping_write(m, 0, U64_MAX);
}

/* ---- All files ---- */

/* A file of sb (NULL: any) off the list; its reference passes to the caller. */
static struct mapping *list_take(const struct super_block *sb)
{
	struct mapping *m, *found = NULL;

	spin_lock(&dirty_lock);
	list_for_each(m, &dirty_files, dirty_node)
		if (!sb || m->host->sb == sb) {
			found = m;
			break;
		}
	if (found) {
		list_del(&found->dirty_node);
		nr_files--;
	}
	spin_unlock(&dirty_lock);
	return found;
}

/*
 * Writes a file that was taken off the list. It counts as unclean until the store has all of it; what
 * changes after the flag has gone puts it on the list again.
 */
static int write_taken(struct mapping *m)
{
	int err = write_all(m);

	spin_lock(&dirty_lock);
	WRITE_ONCE(m->unclean, false);
	spin_unlock(&dirty_lock);
	if (READ_ONCE(m->nr_dirty))
		mapping_mark_unclean(m);
	inode_put(m->host);
	return err;
}

int writeback_super(struct super_block *sb)
{
	struct mapping *m;
	u64 most;
	int err = 0;

	mutex_lock(&writeback_lock);
	most = READ_ONCE(nr_files); /* files that change all the time do not keep us here */
	while (most-- && (m = list_take(sb))) {
		int e = write_taken(m);

		err = err ? err : e;
	}
	mutex_unlock(&writeback_lock);
	return err;
}

static bool pressing(void)
{
	return READ_ONCE(hurry);
}

static __noreturn void writer(void *unused)
{
	for (;;) {
		wait_event(&writer_wait, READ_ONCE(nr_files));
		(void)!wait_event_state_(&writer_wait, pressing(), TASK_UNINTERRUPTIBLE,
					 clock_monotonic() + DELAY_NS, false);
		WRITE_ONCE(hurry, false);
		(void)!writeback_super(NULL); /* errors are kept with the files */
	}
}

static int writeback_init(void)
{
	return kthread_create(writer, NULL, "writeback") ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, writeback_init);
