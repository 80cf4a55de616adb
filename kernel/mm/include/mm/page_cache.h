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
};

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
void page_lock(struct page *p);
bool page_trylock(struct page *p) __must_check;
void page_unlock(struct page *p);
/* Removes pages [first, last] from the cache (they are unmapped already). May sleep. */
void page_cache_truncate(struct mapping *m, u64 first, u64 last);
/* First index >= from that has data (has none), for SEEK_DATA and SEEK_HOLE; U64_MAX: none. */
u64 page_cache_next_present(struct mapping *m, u64 from);
u64 page_cache_next_hole(struct mapping *m, u64 from);
