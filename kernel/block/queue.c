/*
 * Queues: bios wait in order of arrival until the hardware has a free slot, and become requests then.
 * So bios that are adjacent and wait together make one request, and one that is longer than a request
 * may be becomes several.
 *
 * A bio takes up to three steps: flush, data, flush. Bios whose next step is a flush wait on a list of
 * their own: one flush serves all that were on it when it began, and only one runs at a time.
 *
 * queue->lock guards all of it; drivers are called with it. Bios that end in an interrupt are called
 * back there, without the lock. Those that end while they are submitted (the device is broken) go
 * through queue->ended, which one context at a time works off, so that an owner who submits anew from
 * his callback does not recurse.
 */
#include <arch/cpu.h>
#include <lib/log.h>
#include <mm/slab.h>
#include <time/clock.h>
#include "internal.h"

struct block_queue *block_queue_here(struct disk *d)
{
	return d->queues[smp_processor_id() % d->nr_queues];
}

/* ---- Memory of a request ---- */

struct fill {
	struct block_queue *q;
	u32 nr;
	u64 bytes, max_bytes;
};

/* Adds a piece of memory as far as it fits. Bytes. */
static u32 fill_piece(struct fill *f, u64 addr, u32 len)
{
	const struct block_limits *l = &f->q->disk->limits;
	struct block_segment *s = f->q->segments;
	u32 taken = 0;

	len = (u32)MIN((u64)len, f->max_bytes - f->bytes);
	if (f->nr && s[f->nr - 1].addr.v + s[f->nr - 1].len == addr) {
		taken = MIN(len, l->max_segment_bytes - s[f->nr - 1].len);
		s[f->nr - 1].len += taken;
	}
	while (taken < len && f->nr < l->max_segments) {
		u32 n = MIN(len - taken, l->max_segment_bytes);

		s[f->nr++] = (struct block_segment){PADDR(addr + taken), n};
		taken += n;
	}
	f->bytes += taken;
	return taken;
}

/* Takes the last n bytes away again. */
static void fill_cut(struct fill *f, u64 n)
{
	f->bytes -= n;
	while (n) {
		struct block_segment *last = &f->q->segments[f->nr - 1];
		u32 part = (u32)MIN(n, (u64)last->len);

		last->len -= part;
		n -= part;
		if (!last->len)
			f->nr--;
	}
}

/* Adds what is left of the bio as far as it fits. Bytes. */
static u64 fill_bio(struct fill *f, const struct bio *bio)
{
	u32 v = bio->vec, from = bio->vec_done;
	u64 done = 0;

	while (done < bio->left) {
		const struct bio_vec *vec = &bio->vecs[v++];
		u32 want = vec->len - from;
		u32 got = fill_piece(f, page_paddr(vec->page).v + vec->offset + from, want);

		done += got;
		if (got < want)
			break;
		from = 0;
	}
	return done;
}

static void bio_advance(struct bio *bio, u64 bytes)
{
	bio->at += bytes >> SECTOR_SHIFT;
	bio->left -= bytes;
	bytes += bio->vec_done;
	while (bio->vec < bio->nr_vecs && bytes >= bio->vecs[bio->vec].len)
		bytes -= bio->vecs[bio->vec++].len;
	bio->vec_done = (u32)bytes;
}

/* ---- Steps of bios. Queue lock. ---- */

static void bio_enqueue(struct block_queue *q, struct bio *bio)
{
	bool flush = (bio->steps & -bio->steps) != STEP_DATA;

	list_add_tail(&bio->node, flush ? &q->flushes : &q->pending);
}

/* The bio is on no list. */
static void step_end(struct block_queue *q, struct bio *bio, struct list_head *ended)
{
	bio->steps = bio->error ? 0 : bio->steps & (bio->steps - 1);
	if (bio->steps)
		bio_enqueue(q, bio);
	else
		list_add_tail(&bio->node, ended);
}

/* ---- Requests. Queue lock. ---- */

static void make_flush(struct block_queue *q, struct block_request *r)
{
	r->op = BIO_FLUSH;
	r->sector = 0;
	list_splice_tail(&q->flushes, &r->bios);
	q->flushing = true;
}

static bool mergeable(const struct block_request *r, const struct bio *bio, u64 bytes)
{
	return bio->op == r->op && bio->at == r->sector + (bytes >> SECTOR_SHIFT) && !bio->pieces;
}

/* The request carries all of a bio: more bios may follow where it ends. */
static void merge_pending(struct block_queue *q, struct block_request *r, struct fill *f)
{
	while (!list_empty(&q->pending)) {
		struct bio *bio = list_first(&q->pending, struct bio, node);
		u64 n;

		if (!mergeable(r, bio, f->bytes))
			break;
		n = fill_bio(f, bio);
		if (n < bio->left) {
			fill_cut(f, n);
			break;
		}
		list_move_tail(&bio->node, &r->bios);
		q->stats[r->op == BIO_READ ? STAT_READ : STAT_WRITE].merges++;
	}
}

/* Part of the bio goes with this request. */
static void take_piece(struct block_request *r, struct bio *bio)
{
	r->piece = bio;
	bio->pieces++;
	if (!bio->left)
		list_del(&bio->node);
}

static void make_transfer(struct block_queue *q, struct block_request *r, struct bio *bio)
{
	const struct block_limits *l = &q->disk->limits;
	struct fill f = {.q = q, .max_bytes = (u64)l->max_sectors << SECTOR_SHIFT};
	u64 n = fill_bio(&f, bio), odd = n & (l->logical_size - 1);

	fill_cut(&f, odd);
	n -= odd;
	if (n == bio->left && !bio->pieces) {
		list_move_tail(&bio->node, &r->bios);
		merge_pending(q, r, &f);
	} else if (n) {
		bio_advance(bio, n);
		take_piece(r, bio);
	} else { /* its memory is so scattered that not even a block fits */
		bio->left = 0;
		bio->error = -EINVAL;
		take_piece(r, bio);
	}
	r->nr_segments = f.nr;
	r->nr_sectors = (u32)(f.bytes >> SECTOR_SHIFT);
}

/* Discard, write zeroes. */
static void make_range(struct block_queue *q, struct block_request *r, struct bio *bio)
{
	const struct block_limits *l = &q->disk->limits;
	u32 max = bio->op == BIO_DISCARD ? l->max_discard_sectors : l->max_zero_sectors;

	r->nr_sectors = (u32)MIN(bio->left, (u64)max);
	r->flags = bio->flags & BIO_UNMAP;
	bio->at += r->nr_sectors;
	bio->left -= r->nr_sectors;
	take_piece(r, bio);
}

/* The next thing to do, if there is any. */
static struct block_request *request_make(struct block_queue *q)
{
	struct block_request *r = list_first(&q->free, struct block_request, node);
	bool flush = !list_empty(&q->flushes) && !q->flushing;
	struct bio *bio;

	if (list_empty(&q->free) || (!flush && list_empty(&q->pending)))
		return NULL;
	list_del(&r->node);
	r->piece = NULL;
	r->flags = r->nr_segments = r->nr_sectors = 0;
	if (flush) {
		make_flush(q, r);
		r->start_ns = list_first(&r->bios, struct bio, node)->start_ns;
		return r;
	}
	bio = list_first(&q->pending, struct bio, node);
	r->op = bio->op;
	r->sector = bio->at;
	r->start_ns = bio->start_ns;
	if (bio->op == BIO_READ || bio->op == BIO_WRITE)
		make_transfer(q, r, bio);
	else
		make_range(q, r, bio);
	return r;
}

static void count_end(struct block_queue *q, const struct block_request *r)
{
	static const u8 kind[] = {
		[BIO_READ] = STAT_READ,   [BIO_WRITE] = STAT_WRITE,	  [BIO_FLUSH] = STAT_FLUSH,
		[BIO_DISCARD] = STAT_DISCARD, [BIO_WRITE_ZEROES] = STAT_WRITE,
	};
	struct block_op_stats *s = &q->stats[kind[r->op]];

	s->requests++;
	s->sectors += r->nr_sectors;
	s->ns += clock_monotonic() - r->start_ns;
}

/* The request is over; its slot is free. */
static void request_end(struct block_queue *q, struct block_request *r, int error,
			struct list_head *ended)
{
	struct bio *bio = r->piece;

	count_end(q, r);
	if (r->op == BIO_FLUSH)
		q->flushing = false;
	if (bio) {
		if (error && !bio->error)
			bio->error = error;
		if (!--bio->pieces && !bio->left)
			step_end(q, bio, ended);
	}
	while (!list_empty(&r->bios)) {
		bio = list_first(&r->bios, struct bio, node);
		list_del(&bio->node);
		if (error) /* an earlier piece may have failed */
			bio->error = error;
		step_end(q, bio, ended);
	}
	list_add(&r->node, &q->free);
}

/* Errors on order, for tests: debug flavours only (sysfs.c sets the figures). */
static bool fails_on_order(struct disk *d, enum bio_op op)
{
	u32 kind = op == BIO_READ ? 0 : op == BIO_FLUSH ? 2 : 1;

	if (likely(!READ_ONCE(d->fail_every[kind])))
		return false;
	return ++d->fail_count[kind] % READ_ONCE(d->fail_every[kind]) == 0;
}

static int request_start(struct block_queue *q, struct block_request *r)
{
	if (r->piece && r->piece->error)
		return r->piece->error;
	return fails_on_order(q->disk, r->op) ? -EIO : q->disk->ops->start(q, r);
}

/* Gives the hardware what there is to do. */
static void dispatch(struct block_queue *q, struct list_head *ended)
{
	struct block_request *r;
	bool started = false;

	while ((r = request_make(q))) {
		int err = request_start(q, r);

		if (err) {
			request_end(q, r, err, ended);
			continue;
		}
		started = true;
		if (!q->in_flight++)
			q->busy_since = clock_monotonic();
	}
	if (started)
		q->disk->ops->kick(q);
}

/* ---- Ends of bios ---- */

static struct bio *list_pop(struct list_head *l)
{
	struct bio *bio;

	if (list_empty(l))
		return NULL;
	bio = list_first(l, struct bio, node);
	list_del(&bio->node);
	return bio;
}

/* Calls back what ended while it was submitted, unless another context is at it. Lock not held. */
static void drain(struct block_queue *q)
{
	u64 flags = spin_lock_irqsave(&q->lock);
	struct bio *bio;

	if (!q->draining) {
		q->draining = true;
		while ((bio = list_pop(&q->ended))) {
			spin_unlock_irqrestore(&q->lock, flags);
			bio->done(bio);
			flags = spin_lock_irqsave(&q->lock);
		}
		q->draining = false;
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void block_queue_bios(struct block_queue *q, struct list_head *bios)
{
	u64 flags = spin_lock_irqsave(&q->lock), now = clock_monotonic();
	struct bio *bio;
	bool any;

	while ((bio = list_pop(bios))) {
		bio->start_ns = now;
		if (bio->steps)
			bio_enqueue(q, bio);
		else
			list_add_tail(&bio->node, &q->ended);
	}
	dispatch(q, &q->ended);
	any = !list_empty(&q->ended);
	spin_unlock_irqrestore(&q->lock, flags);
	if (unlikely(any))
		drain(q);
}

void block_queue_bio(struct block_queue *q, struct bio *bio)
{
	struct list_head one = LIST_INIT(one);

	list_add_tail(&bio->node, &one);
	block_queue_bios(q, &one);
}

void block_queue_fail(struct block_queue *q, struct bio *bio, int error)
{
	bio->error = error;
	bio->steps = 0;
	block_queue_bio(q, bio);
}

void block_queue_interrupt(struct block_queue *q)
{
	struct list_head ended = LIST_INIT(ended);
	u64 flags = spin_lock_irqsave(&q->lock);
	struct block_request *r;
	struct bio *bio;
	int err;

	while ((r = q->disk->ops->ended(q, &err))) {
		request_end(q, r, err, &ended);
		if (!--q->in_flight)
			q->busy_ns += clock_monotonic() - q->busy_since;
	}
	dispatch(q, &ended);
	spin_unlock_irqrestore(&q->lock, flags);
	while ((bio = list_pop(&ended)))
		bio->done(bio);
}

/* ---- Set-up, figures ---- */

static int make_slots(struct block_queue *q, u32 nr, void *(*slot)(void *ctx, u32 i), void *ctx)
{
	for (u32 i = 0; i < nr; i++) {
		struct block_request *r = kzalloc(sizeof(*r), GFP_KERNEL);

		if (!r)
			return -ENOMEM;
		list_init(&r->bios);
		list_add_tail(&r->node, &q->free);
		r->driver = slot(ctx, i);
		if (!r->driver)
			return -ENOMEM;
	}
	return 0;
}

/* Disks are never removed, so what a failed set-up has allocated stays with the dead device. */
int disk_add_queue(struct disk *d, u32 nr, void *(*slot)(void *ctx, u32 i), void *ctx,
		   struct block_queue **out)
{
	struct block_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);
	int err;

	if (!q || d->nr_queues == DISK_QUEUES_MAX)
		return -ENOMEM;
	q->disk = d;
	q->driver = ctx;
	spin_init(&q->lock, LOCK_RANK_BLOCK_QUEUE);
	list_init(&q->free);
	list_init(&q->pending);
	list_init(&q->flushes);
	list_init(&q->ended);
	q->segments = kmalloc_array(d->limits.max_segments, sizeof(*q->segments), GFP_KERNEL);
	err = q->segments ? make_slots(q, nr, slot, ctx) : -ENOMEM;
	if (err)
		return err;
	d->queues[d->nr_queues++] = q;
	*out = q;
	return 0;
}

void disk_stats(struct disk *d, struct disk_stats *s)
{
	*s = (struct disk_stats){0};
	for (u32 i = 0; i < d->nr_queues; i++) {
		struct block_queue *q = d->queues[i];
		u64 flags = spin_lock_irqsave(&q->lock);

		for (u32 k = 0; k < NR_BLOCK_STATS; k++) {
			s->op[k].requests += q->stats[k].requests;
			s->op[k].merges += q->stats[k].merges;
			s->op[k].sectors += q->stats[k].sectors;
			s->op[k].ns += q->stats[k].ns;
		}
		s->in_flight += q->in_flight;
		s->busy_ns += q->busy_ns +
			      (q->in_flight ? clock_monotonic() - q->busy_since : 0);
		spin_unlock_irqrestore(&q->lock, flags);
	}
}
