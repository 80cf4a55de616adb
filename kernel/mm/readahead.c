/*
 * Reading pages of a file before they are asked for.
 *
 * A file that fits is read as a whole with its first page. Otherwise a reader who comes where the last
 * read ended gets twice as much each time; everybody else gets the aligned piece around the page. The
 * hints in the mapping are shared by all readers and not locked: wrong ones cost a wrong amount.
 *
 * Pages enter the cache locked, so that others wait for the read instead of repeating it.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/page_cache.h>
#include <mm/slab.h>
#include <vfs/inode.h>
#include "internal.h"

#define WHOLE_PAGES  64u /* files up to this are read at once */
#define AROUND_PAGES 16u

struct window {
	u64 first, last;
};

static void choose_window(struct mapping *m, u64 index, struct window *w)
{
	u64 pages = DIV_ROUND_UP(READ_ONCE(m->host->size), PAGE_SIZE);
	u32 max = m->ops->max_io;
	u64 size;

	if (index >= pages) {
		w->first = w->last = index;
		return;
	}
	if (pages <= MIN(WHOLE_PAGES, max)) {
		w->first = 0;
		w->last = pages - 1;
	} else if (index && index == READ_ONCE(m->ahead_next)) {
		size = MIN(2 * READ_ONCE(m->ahead_size), max);
		w->first = index;
		w->last = MIN(index + size, pages) - 1;
	} else {
		w->first = ALIGN_DOWN(index, (u64)AROUND_PAGES);
		w->last = MIN(w->first + AROUND_PAGES, pages) - 1;
	}
	WRITE_ONCE(m->ahead_next, w->last + 1);
	WRITE_ONCE(m->ahead_size, (u32)(w->last - w->first + 1));
}

/* Fills list with new pages around index, consecutive; *at: where the first is. -errno: none. */
static int make_pages(struct mapping *m, u64 index, const struct window *w, struct page **list,
		      u32 *at, u32 *nr)
{
	u32 first = (u32)(index - w->first), last = first;
	int err = page_insert(m, index, &list[first]);

	if (err)
		return err;
	while (first && !page_insert(m, w->first + first - 1, &list[first - 1]))
		first--;
	while (w->first + last < w->last && !page_insert(m, w->first + last + 1, &list[last + 1]))
		last++;
	*at = first;
	*nr = last - first + 1;
	return 0;
}

int page_cache_read_ahead(struct mapping *m, u64 index)
{
	struct page **list = kmalloc_array(m->ops->max_io, sizeof(*list), GFP_KERNEL);
	struct window w;
	u32 at, nr;
	int err;

	if (!list)
		return -ENOMEM;
	choose_window(m, index, &w);
	err = make_pages(m, index, &w, list, &at, &nr);
	if (!err) {
		err = m->ops->read_pages(m, list + at, nr);
		for (u32 i = 0; i < nr; i++)
			page_put(list[at + i]);
	}
	kfree(list);
	return err;
}
