/*
 * The one page cache: file data under read, write and mmap. Each inode owns a struct mapping, an
 * index of its pages. tmpfs keeps its data here and nowhere else.
 */
#pragma once

#include <lib/errno.h>
#include <lib/xarray.h>
#include <mm/page.h>
#include <sync/mutex.h>
#include <sync/spinlock.h>

struct inode;

struct mapping_ops {
	/* Fills a locked, not up-to-date page from the store and unlocks it. 0 or -errno. */
	int (*read_page)(struct mapping *m, struct page *page);
	/*
	 * The same for nr consecutive pages, all locked and not up to date: each is unlocked, marked
	 * up to date or not. At most max_io of them. NULL: read_page does it. 0 or the first error.
	 */
	int (*read_pages)(struct mapping *m, struct page **pages, u32 nr);
	/*
	 * A page at index is going to be changed: makes sure that the store will have room for it.
	 * Called without the page's lock, before the page is marked; may be called for pages that are
	 * dirty. 0, -ENOSPC, -EIO. May sleep. NULL: there is nothing to see to.
	 */
	int (*before_change)(struct mapping *m, u64 index);
	/*
	 * Writes nr pages, locked and marked clean, to the store; what lies behind the end of the file is
	 * not written. They are consecutive or, with write_gaps, rising. At most max_io of them. The
	 * caller unlocks. May sleep. 0 or -errno. NULL: nothing is ever written.
	 */
	int (*write_pages)(struct mapping *m, struct page **pages, u32 nr);
	/* All data has been handed to write_pages: what else belongs to it (times). May be NULL. */
	int (*written)(struct mapping *m);
	u32 max_io;
	bool write_gaps;
	bool reads_on; /* read_pages does not wait for the data; pages are unlocked when they have it */
	/* True: pages are the data themselves (tmpfs); a hole reads as zero and is not reclaimable. */
	bool memory_backed;
	/*
	 * Accounting of memory-backed pages, may be NULL. charge runs before a page is added and may
	 * refuse with -ENOSPC; uncharge after nr pages are gone (or were not added after all). Neither
	 * sleeps.
	 */
	int (*charge)(struct mapping *m);
	void (*uncharge)(struct mapping *m, u64 nr);
};

struct mapping {
	struct inode *host;              /* immutable */
	const struct mapping_ops *ops;   /* immutable */
	struct xarray pages;             /* RCU to read, pages_lock to change */
	struct spinlock pages_lock;      /* LOCK_RANK_MAPPING_PAGES */
	u64 nr_pages;                    /* pages_lock */
	struct rwsem mmap_lock;          /* LOCK_RANK_MAPPING_MMAP */
	struct list_head mmap_list;      /* areas that map the file; mmap_lock */
	struct atomic writable_maps;     /* shared areas that may write; < 0: denied (F_SEAL_WRITE) */
	struct mutex write_lock;         /* LOCK_RANK_MAPPING_WRITE: one writer to the store */
	u64 nr_dirty;                    /* pages_lock */
	struct list_head dirty_node;     /* list of dirty files; its lock */
	bool unclean;                    /* on that list, or being written from it; torn-free */
	u32 write_error;                 /* of writing to the store: lib/errseq.h */
	u64 write_next;                  /* where the writer's next turn begins; write_lock */
	u64 ahead_next;                  /* where a sequential reader comes next; racy hint */
	u32 ahead_size;                  /* pages that were read at once last time; racy hint */
};

#define PAGE_MARK_DIRTY 0 /* of mapping.pages */

void mapping_init(struct mapping *m, struct inode *host, const struct mapping_ops *ops);
/* Drops all pages. No user may be left. May sleep. */
void mapping_fini(struct mapping *m);

/* One more shared area that may write is being made: -EPERM when that is denied. */
static inline int __must_check mapping_writable_get(struct mapping *m)
{
	return atomic_move_from_zero(&m->writable_maps, 1) ? 0 : -EPERM;
}
static inline void mapping_writable_put(struct mapping *m)
{
	atomic_dec(&m->writable_maps);
}
/* No such area from now on, for good: -EBUSY while there are any. */
static inline int __must_check mapping_deny_writable(struct mapping *m)
{
	return atomic_move_from_zero(&m->writable_maps, -1) ? 0 : -EBUSY;
}

/* The page at index with a reference, or NULL. Does not sleep. */
struct page *page_cache_find(struct mapping *m, u64 index);
/* The same, made (zeroed, up to date for memory-backed mappings; read in for others) if missing.
 * 0, -ENOMEM, -EIO. May sleep. */
int page_cache_get(struct mapping *m, u64 index, struct page **page) __must_check;
/*
 * For a write of part of the page at index (inode lock held): as page_cache_get, but without reading
 * what is overwritten. whole: all of the page will be written. beyond: the page lies behind the end
 * of the file. *locked: the page is not up to date; page_cache_written must follow.
 */
int page_cache_get_write(struct mapping *m, u64 index, bool whole, bool beyond, struct page **page,
			 bool *locked) __must_check;
/* The copy is over; complete: the page holds all its data now. */
void page_cache_written(struct page *p, bool complete);
/* A reader has come to a page with PG_AHEAD: starts the next read. May sleep. */
void page_cache_read_on(struct mapping *m, struct page *p);
/* Reads what is missing of [first, last]. May sleep. */
void page_cache_will_need(struct mapping *m, u64 first, u64 last);
/* For the page allocator: drops up to nr clean pages that nobody uses. The number dropped. */
u64 page_cache_shrink(u64 nr);

/*
 * A folio is a run of consecutive, physically adjacent pages that reading ahead has made together: 2^order
 * of them, aligned in the file and in memory. Each of its pages is a page as any other for who has a
 * reference to it. See mm/folio.c.
 */
#define FOLIO_MIN_ORDER 2u
#define FOLIO_MAX_ORDER 4u
static inline u32 folio_pages(const struct page *head)
{
	return 1u << head->folio_order;
}
/*
 * The first page of p's folio, of which no page is freed until folio_put; all of them are in the cache at this
 * moment. NULL: p is in none. The caller has a reference to p, which he may drop. No sleep.
 */
struct page *folio_get(struct page *p);
void folio_put(struct page *head);

/* The page was changed. False: it is no longer in the cache. Caller holds a reference. No sleep. */
bool page_mark_dirty(struct page *p);
/* How many of the nr pages, from the first on, are consecutive. */
static inline u32 pages_run(struct page **pages, u32 nr)
{
	u32 n = 1;

	while (n < nr && pages[n]->index == pages[n - 1]->index + 1)
		n++;
	return n;
}
/* Writes the dirty pages among [first, last] and waits for it. 0 or the first error. May sleep. */
int mapping_write(struct mapping *m, u64 first, u64 last) __must_check;
/* mapping_write of everything, and what belongs to it: for fsync operations. Errors of earlier writes are
 * told by the callers of those (vfs/file.h, file_sync). */
int mapping_sync(struct mapping *m) __must_check;
/* The file has something to write besides pages: the background writer will call `written`. */
void mapping_mark_unclean(struct mapping *m);
/* True while anything of the file is not in the store yet. */
static inline bool mapping_unclean(const struct mapping *m)
{
	return READ_ONCE(m->unclean);
}
/* For a writer, after each page: lets the store catch up when too much waits for it. Sleeps. */
void mapping_balance(struct mapping *m);
/* False: mapping_balance would do nothing. Any context. */
bool mapping_wants_balance(const struct mapping *m);
/*
 * For a writer who finds the store full while pages wait to be written (some of files that are gone):
 * wakes the background writer and naps. False: nothing waits, or the caller must not. No lock that
 * write_pages takes.
 */
bool writeback_wait(void);
struct super_block;
/* The super block's files have a store: starts their writer, once. 0 or -ENOMEM. May sleep. */
int writeback_start(struct super_block *sb) __must_check;
/* Writes what there is and ends it: no file can become dirty any more. May sleep. */
void writeback_end(struct super_block *sb);
/* Writes all dirty files of a super block. The first error. */
int writeback_super(struct super_block *sb) __must_check;
/* Dirty pages should become clean soon: wakes all writers. No spinlock. */
void writeback_hurry(void);
void page_lock(struct page *p);
bool page_trylock(struct page *p) __must_check;
void page_unlock(struct page *p);
/* Reading nr physically adjacent pages is over: they have their data if it was good, and are unlocked. Any
 * context. */
void pages_end_read(struct page *first, u32 nr, bool good);
/* Removes pages [first, last] from the cache (they are unmapped already). May sleep. */
void page_cache_truncate(struct mapping *m, u64 first, u64 last);
/*
 * Pages [first, last] leave the cache, mapped or not, so that the next use reads them from the store,
 * which has something else now. -EBUSY: changed ones stay. The caller keeps write(2) out. May sleep.
 */
int page_cache_invalidate(struct mapping *m, u64 first, u64 last) __must_check;
/* Clean pages among [first, last] that nobody maps leave the cache. May sleep. */
void page_cache_drop_clean(struct mapping *m, u64 first, u64 last);
/* First index >= from that has data (has none), for SEEK_DATA and SEEK_HOLE; U64_MAX: none. */
u64 page_cache_next_present(struct mapping *m, u64 from);
u64 page_cache_next_hole(struct mapping *m, u64 from);
/* First index >= from whose page is dirty; U64_MAX: none. Not for memory-backed mappings. */
u64 page_cache_next_dirty(struct mapping *m, u64 from);
