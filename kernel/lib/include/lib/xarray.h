/*
 * A sparse array of pointers, indexed by u64: a radix tree of 64-way nodes. Loads run under RCU
 * without a lock; changes are serialised by the owner's lock. Entries are pointers aligned to 4
 * bytes and never NULL (storing NULL erases). Up to XA_MARKS marks per entry can be searched for.
 */
#pragma once

#include <lib/types.h>

#define XA_MARKS 2

struct xarray {
	void *root;     /* a tagged node, or the entry at index 0; RCU, owner's lock to change */
	u32 root_marks; /* of a direct entry at index 0; owner's lock */
};

static inline void xa_init(struct xarray *xa)
{
	xa->root = NULL;
	xa->root_marks = 0;
}

/* The entry at index, or NULL. Caller is in an RCU read section or holds the owner's lock. */
void *xa_load(const struct xarray *xa, u64 index);
/*
 * Makes every node that a store at index needs, so that the next xa_store there cannot fail.
 * Owner's lock. 0 or -ENOMEM.
 */
int xa_reserve(struct xarray *xa, u64 index) __must_check;
/* Stores entry (NULL erases); *old gets the former entry if old is given. 0 or -ENOMEM. */
int xa_store(struct xarray *xa, u64 index, void *entry, void **old) __must_check;
/* Erases and returns the former entry; frees empty nodes after a grace period. Never fails. */
void *xa_erase(struct xarray *xa, u64 index);
/*
 * The same for nr consecutive indices whose first is a multiple of nr, a power of two up to 64: entry at
 * the first, then `step` bytes more at each. Nothing may be there: -EEXIST, else 0 or -ENOMEM.
 */
int xa_store_run(struct xarray *xa, u64 first, u32 nr, void *entry, size_t step) __must_check;
void xa_erase_run(struct xarray *xa, u64 first, u32 nr);
/* The first entry at or after *index, up to last; *index is moved to it. NULL when there is none. */
void *xa_find(const struct xarray *xa, u64 *index, u64 last);
/* Same for entries that carry the mark. */
void *xa_find_marked(const struct xarray *xa, u64 *index, u64 last, unsigned int mark);
void xa_set_mark(struct xarray *xa, u64 index, unsigned int mark);
void xa_clear_mark(struct xarray *xa, u64 index, unsigned int mark);
bool xa_get_mark(const struct xarray *xa, u64 index, unsigned int mark);
/* The first free index in [first, last]; 0 or -ENOSPC. Cost is O(height), not O(entries). */
int xa_find_free(const struct xarray *xa, u64 first, u64 last, u64 *index) __must_check;
/* Frees all nodes; the entries are the owner's. No reader may be left. */
void xa_destroy(struct xarray *xa);

#define xa_for_each(xa, index, entry)                                                              \
	for (index = 0, entry = xa_find(xa, &(index), U64_MAX); entry;                             \
	     entry = (index) == U64_MAX ? NULL : (++(index), xa_find(xa, &(index), U64_MAX)))
