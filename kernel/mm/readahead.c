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
 * Pages enter the cache locked, so that others wait for the read instead of repeating it; they do so as folios
 * (folio.c), up to 64 KiB each, where the window has room for one, the index has nothing there and there is memory
 * in one piece. PG_AHEAD of a page in a folio is its first page's.
 */
#include <boot/boot_info.h>
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/page_cache.h>
#include <mm/slab.h>
#include <signal/signal.h>
#include <task/task.h>
#include <vfs/inode.h>
#include "internal.h"

#define WHOLE_PAGES  64u /* files up to this are read at once */
#define AROUND_PAGES 16u

bool folios_on = true;

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

/* What has been made of a window so far: pages [first, last], consecutive. */
struct made {
	struct mapping *m;
	const struct window *w;
	struct page **list; /* of the window */
	u64 first, last;
};

/* The page at index. It is locked, which is all that keeps it. */
static int make_page(struct made *d, u64 index)
{
	struct page **slot = &d->list[index - d->w->first];
	int err = page_insert(d->m, index, slot);

	if (!err)
		page_put(*slot);
	return err;
}

/* The largest folio with index that [lo, hi] holds and memory is there for, or a page. *at: its first index.
 * How many pages, or -errno. */
static int make_some(struct made *d, u64 index, u64 lo, u64 hi, u64 *at)
{
	int err;

	for (unsigned int order = FOLIO_MAX_ORDER; folios_on && order >= FOLIO_MIN_ORDER; order--) {
		u64 nr = 1u << order;

		*at = ALIGN_DOWN(index, nr);
		if (*at >= lo && *at + nr - 1 <= hi &&
		    !folio_insert(d->m, *at, order, &d->list[*at - d->w->first]))
			return (int)nr;
	}
	*at = index;
	err = make_page(d, index);
	return err ? err : 1;
}

/* New pages around index, which is missing. -errno: none. */
static int make_pages(struct made *d, u64 index)
{
	u64 lo = d->w->first, hi = d->w->last, at;
	int nr = make_some(d, index, lo, hi, &d->first);

	if (nr < 0)
		return nr;
	d->last = d->first + (u64)nr - 1;
	while (d->first > lo && make_some(d, d->first - 1, lo, d->first - 1, &at) > 0)
		d->first = at;
	while (d->last < hi && (nr = make_some(d, d->last + 1, d->last + 1, hi, &at)) > 0)
		d->last += (u64)nr;
	return 0;
}

/* Reads the missing page at index, and what of the window is missing around it. mark: see above. */
static int read_window(struct mapping *m, u64 index, const struct window *w, u64 mark)
{
	struct made d = {.m = m, .w = w, .list = kmalloc_array(m->ops->max_io, sizeof(*d.list), GFP_KERNEL)};
	int err;

	if (!d.list)
		return -ENOMEM;
	err = make_pages(&d, index);
	if (!err) {
		struct page *p = mark >= d.first && mark <= d.last ? d.list[mark - w->first] : NULL;

		if (p)
			page_set(p->folio ? p->folio : p, PG_AHEAD);
		err = m->ops->read_pages(m, d.list + (d.first - w->first), (u32)(d.last - d.first + 1));
	}
	kfree(d.list);
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

static int folios_init(void)
{
	char word[4];

	if (boot_option_copy("folios", word, sizeof(word)) > 0)
		folios_on = strcmp(word, "on") == 0;
	return 0;
}
INIT_CALL(INIT_CORE, folios_init);

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
