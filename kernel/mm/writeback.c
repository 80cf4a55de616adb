/*
 * Writing changed pages of files to their store.
 *
 * A page that changes is marked in its mapping's index (PG_DIRTY and a mark, under pages_lock), and its
 * file enters its super block's list of unclean files with a reference on the inode, so that a file that
 * nobody has open any more is written, too. Each super block whose data has a store has a thread of its
 * own, which writes the files of the list a little later, or sooner when there is much of it: a slow or
 * dead device delays nobody but those who use it. Disks have a super block each for their devices' pages.
 * A file gets a turn of so many pages and then goes behind the others; fsync and sync write all of it.
 *
 * A page is written while it is locked, so truncation waits for it. First the mark goes, then shared
 * mappings lose the right to write, then the store reads the page: a change that comes in between is
 * part of what is written or marks the page again, or both. A page that could not be written stays
 * clean, as on Linux: the error is told by the next fsync, and nobody tries for ever.
 *
 * Throttling: above an eighth of memory the thread starts at once. Above three
 * sixteenths, writers whose device has more waiting than its allowance sleep until it has less. The
 * allowance is a part of a quarter of memory, by what each device has written of late, and never less than
 * a sixteenth of that quarter: a slow device holds little, a fast one much, and the sum stays bounded.
 *
 * Locks: round (one super block) → mapping.write_lock (one file) → page lock → mapping.mmap_lock.
 * Nobody waits for a page lock with mmap_lock held. Spinlocks, innermost: the list's, all_lock.
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

#define TURN_PAGES 4096u
#define NEVER_LESS 16u /* the part of the limit that every device may have */

struct writeback {
	struct list_head node;     /* all_lock */
	struct spinlock lock;      /* LOCK_RANK_PAGE_LRU */
	struct list_head files;    /* lock; unclean ones, oldest first */
	u64 nr_files;              /* lock; torn-free */
	struct mutex round;        /* LOCK_RANK_WRITEBACK: one round over the list at a time */
	struct wait_queue wake;    /* the thread */
	struct wait_queue room;    /* writers who are ahead of it */
	struct atomic64 nr_dirty;  /* pages that wait */
	struct atomic64 written;   /* pages of late: halved now and then */
	bool hurry, ending;        /* torn-free */
	struct completion ended;
};

static DEFINE_SPINLOCK(all_lock, LOCK_RANK_PAGE_LRU);
static struct list_head all = LIST_INIT(all); /* all_lock */
static struct atomic64 nr_dirty_pages;
static struct atomic64 written_pages;         /* the sum of all */

static struct writeback *writeback_of(const struct mapping *m)
{
	return m->host->sb->writeback;
}

u64 writeback_dirty_pages(void)
{
	return (u64)atomic64_read(&nr_dirty_pages);
}

static void press(struct writeback *w)
{
	if (READ_ONCE(w->hurry) || !atomic64_read(&w->nr_dirty))
		return;
	WRITE_ONCE(w->hurry, true);
	wake_up_all(&w->wake);
}

void writeback_hurry(void)
{
	struct writeback *w;

	if (!writeback_dirty_pages())
		return;
	spin_lock(&all_lock);
	list_for_each(w, &all, node)
		press(w);
	spin_unlock(&all_lock);
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
	m->nr_dirty += (u64)by;
	atomic64_add(&writeback_of(m)->nr_dirty, by);
	atomic64_add(&nr_dirty_pages, by);
}

void mapping_mark_unclean(struct mapping *m)
{
	struct writeback *w = writeback_of(m);
	bool first;

	if (READ_ONCE(m->unclean))
		return;
	spin_lock(&w->lock);
	first = !m->unclean;
	if (first) {
		WRITE_ONCE(m->unclean, true);
		inode_get(m->host);
		list_add_tail(&m->dirty_node, &w->files);
		w->nr_files++;
	}
	spin_unlock(&w->lock);
	if (first)
		wake_up_all(&w->wake);
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
	struct writeback *w = writeback_of(m);
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
	atomic64_add(&w->written, nr);
	atomic64_add(&written_pages, nr);
	wake_up_all(&w->room);
	return err;
}

/* At most about *most pages, which are taken off it; *first moves behind them. write_lock held. */
static int write_range(struct mapping *m, u64 *first, u64 last, u64 *most)
{
	struct page **list = kmalloc_array(m->ops->max_io, sizeof(*list), GFP_KERNEL);
	int err = 0;
	u32 nr;

	if (!list)
		return -ENOMEM;
	while (*first <= last && *most && (nr = collect(m, first, last, list))) {
		int e = write_batch(m, list, nr);

		err = err ? err : e;
		*most -= MIN(*most, (u64)nr);
	}
	kfree(list);
	return err;
}

int mapping_write(struct mapping *m, u64 first, u64 last)
{
	u64 most = U64_MAX;
	int err = 0;

	/* Pages that are being written are in the cache, so without any there is nobody to wait for. */
	if (!m->ops || !m->ops->write_pages || !READ_ONCE(m->nr_pages))
		return 0;
	mutex_lock(&m->write_lock);
	if (READ_ONCE(m->nr_dirty))
		err = write_range(m, &first, last, &most);
	mutex_unlock(&m->write_lock);
	return err;
}

/* Where the last turn ended, round to where it began. write_lock held. */
static int write_turn(struct mapping *m, u64 *most)
{
	u64 begin = m->write_next, first = begin;
	int err = write_range(m, &first, U64_MAX, most), e = 0;

	if (*most && begin) {
		first = 0;
		e = write_range(m, &first, begin - 1, most);
	}
	m->write_next = *most ? 0 : first;
	return err ? err : e;
}

/* Pages, and what belongs to them. *most: 0 afterwards if there may be more. */
static int write_file(struct mapping *m, u64 *most)
{
	int err = 0, e = 0;

	mutex_lock(&m->write_lock);
	if (m->ops->write_pages && READ_ONCE(m->nr_dirty))
		err = write_turn(m, most);
	if (m->ops->written)
		e = m->ops->written(m);
	if (e)
		errseq_set(&m->write_error, e);
	mutex_unlock(&m->write_lock);
	return err ? err : e;
}

int mapping_sync(struct mapping *m)
{
	u64 all_of_it = U64_MAX;

	return m->ops && mapping_unclean(m) ? write_file(m, &all_of_it) : 0;
}

/* ---- Writers who are ahead ---- */

static bool ahead(const struct writeback *w, u64 limit)
{
	u64 sum = MAX((u64)atomic64_read(&written_pages), 1ULL);
	u64 part = limit * (u64)atomic64_read(&w->written) / sum;

	return writeback_dirty_pages() > limit / 4 * 3 &&
	       (u64)atomic64_read(&w->nr_dirty) > MAX(part, limit / NEVER_LESS);
}

bool mapping_wants_balance(const struct mapping *m)
{
	return unlikely(writeback_dirty_pages() >= buddy_total_pages() / 8) && !m->ops->memory_backed;
}

void mapping_balance(struct mapping *m)
{
	u64 limit = buddy_total_pages() / 4;
	struct writeback *w;

	if (!mapping_wants_balance(m))
		return;
	w = writeback_of(m);
	press(w);
	while (ahead(w, limit) && !fatal_signal_pending(current)) {
		press(w);
		(void)!wait_event_state_(&w->room, !ahead(w, limit), TASK_KILLABLE,
					 clock_monotonic() + 20 * NAP_NS, false);
	}
}

/* What was written long ago counts less and less. */
static void written_fades(void)
{
	struct writeback *w;

	if ((u64)atomic64_read(&written_pages) < buddy_total_pages() / 4)
		return;
	spin_lock(&all_lock);
	list_for_each(w, &all, node) {
		s64 half = atomic64_read(&w->written) / 2;

		atomic64_add(&w->written, -half);
		atomic64_add(&written_pages, -half);
	}
	spin_unlock(&all_lock);
}

/* ---- The files of a super block ---- */

/* The oldest off the list; its reference passes to the caller. */
static struct mapping *list_take(struct writeback *w)
{
	struct mapping *m = NULL;

	spin_lock(&w->lock);
	if (!list_empty(&w->files)) {
		m = list_first(&w->files, struct mapping, dirty_node);
		list_del(&m->dirty_node);
		w->nr_files--;
	}
	spin_unlock(&w->lock);
	return m;
}

/*
 * Writes a file that was taken off the list. It counts as unclean until the store has all of it; what
 * changes after the flag has gone puts it on the list again, and so does what is left for its next turn.
 */
static int write_taken(struct writeback *w, struct mapping *m, u64 most)
{
	int err = write_file(m, &most);

	spin_lock(&w->lock);
	WRITE_ONCE(m->unclean, false);
	spin_unlock(&w->lock);
	if (READ_ONCE(m->nr_dirty))
		mapping_mark_unclean(m);
	if (!most)
		press(w);
	inode_put(m->host);
	return err;
}

static int write_round(struct writeback *w, u64 turn)
{
	struct mapping *m;
	u64 most;
	int err = 0;

	mutex_lock(&w->round);
	most = READ_ONCE(w->nr_files); /* files that change all the time do not keep us here */
	while (most-- && (m = list_take(w))) {
		int e = write_taken(w, m, turn);

		err = err ? err : e;
	}
	mutex_unlock(&w->round);
	return err;
}

int writeback_super(struct super_block *sb)
{
	struct writeback *w = READ_ONCE(sb->writeback);

	return w ? write_round(w, U64_MAX) : 0;
}

static bool pressed(const struct writeback *w)
{
	return READ_ONCE(w->hurry) || READ_ONCE(w->ending);
}

static __noreturn void writer(void *writeback)
{
	struct writeback *w = writeback;

	while (!READ_ONCE(w->ending)) {
		wait_event(&w->wake, READ_ONCE(w->nr_files) || READ_ONCE(w->ending));
		(void)!wait_event_state_(&w->wake, pressed(w), TASK_UNINTERRUPTIBLE,
					 clock_monotonic() + DELAY_NS, false);
		WRITE_ONCE(w->hurry, false);
		(void)!write_round(w, TURN_PAGES); /* errors are kept with the files */
		written_fades();
	}
	complete(&w->ended);
	task_exit_kernel();
}

int writeback_start(struct super_block *sb)
{
	struct writeback *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return -ENOMEM;
	spin_init(&w->lock, LOCK_RANK_PAGE_LRU);
	list_init(&w->files);
	mutex_init(&w->round, LOCK_RANK_WRITEBACK);
	wait_queue_init(&w->wake);
	wait_queue_init(&w->room);
	completion_init(&w->ended);
	if (!kthread_create(writer, w, "writeback")) {
		kfree(w);
		return -ENOMEM;
	}
	spin_lock(&all_lock);
	list_add_tail(&w->node, &all);
	spin_unlock(&all_lock);
	smp_store_release(&sb->writeback, w);
	return 0;
}

/* What could not be written for want of memory is lost with the mount. */
static void drop_files(struct writeback *w)
{
	struct mapping *m;

	mutex_lock(&w->round);
	while ((m = list_take(w))) {
		WRITE_ONCE(m->unclean, false);
		inode_put(m->host);
	}
	mutex_unlock(&w->round);
}

void writeback_end(struct super_block *sb)
{
	struct writeback *w = sb->writeback;

	if (!w)
		return;
	(void)!writeback_super(sb); /* nobody is left who could hear of errors */
	drop_files(w);
	spin_lock(&all_lock);
	list_del(&w->node);
	spin_unlock(&all_lock);
	WRITE_ONCE(w->ending, true);
	wake_up_all(&w->wake);
	wait_for_completion(&w->ended);
	atomic64_add(&written_pages, -atomic64_read(&w->written));
	kfree(w);
}
