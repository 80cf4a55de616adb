/*
 * Reading pages of a file before they are asked for.
 *
 * A file that fits is read as a whole with its first page. Otherwise a reader who comes where the last
 * read ended gets twice as much each time; everybody else gets the aligned piece around the page. The
 * hints in the mapping are shared by all readers and not locked: wrong ones cost a wrong amount.
 *
 * Where reads do not wait (reads_on), a page in the middle of what is read in order carries PG_AHEAD: whoever
 * comes to it first starts the next read, so that the device works while the reader does.
 *
 * Pages enter the cache locked, so that others wait for the read instead of repeating it.
 */
#include <lib/errno.h>
#include <lib/log.h>
#include <mm/page_cache.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <task/task.h>
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

/* Reads the missing page at index, and what of the window is missing around it. mark: see above. */
static int read_window(struct mapping *m, u64 index, const struct window *w, u64 mark)
{
	struct page **list = kmalloc_array(m->ops->max_io, sizeof(*list), GFP_KERNEL);
	u32 at, nr;
	int err;

	if (!list)
		return -ENOMEM;
	err = make_pages(m, index, w, list, &at, &nr);
	if (!err) {
		if (mark >= w->first + at && mark < w->first + at + nr)
			page_set(list[mark - w->first], PG_AHEAD);
		err = m->ops->read_pages(m, list + at, nr);
		for (u32 i = 0; i < nr; i++)
			page_put(list[at + i]);
	}
	kfree(list);
	return err;
}

int page_cache_read_ahead(struct mapping *m, u64 index)
{
	bool on = m->ops->reads_on && (!index || index == READ_ONCE(m->ahead_next));
	struct window w;

	choose_window(m, index, &w);
	return read_window(m, index, &w, on ? w.first + (w.last - w.first) / 2 + 1 : U64_MAX);
}

void page_cache_read_on(struct mapping *m, struct page *p)
{
	u64 pages = DIV_ROUND_UP(READ_ONCE(m->host->size), PAGE_SIZE), next = READ_ONCE(m->ahead_next);
	u32 size = MIN(2 * READ_ONCE(m->ahead_size), m->ops->max_io);
	struct window w = {.first = next, .last = MIN(next + size, pages) - 1};

	page_clear(p, PG_AHEAD);
	if (next <= p->index || next >= pages || !size)
		return; /* somebody else reads elsewhere */
	WRITE_ONCE(m->ahead_next, w.last + 1);
	WRITE_ONCE(m->ahead_size, size);
	(void)!read_window(m, next, &w, next); /* who needs the pages is told of errors */
}

void page_cache_will_need(struct mapping *m, u64 first, u64 last)
{
	while (first <= last && m->ops->read_pages && !fatal_signal_pending(current)) {
		struct window w = {.first = first, .last = MIN(last, first + m->ops->max_io - 1)};
		int err = read_window(m, first, &w, U64_MAX);

		if (err && err != -EEXIST)
			break;
		first = page_cache_next_hole(m, first + !err);
	}
}
