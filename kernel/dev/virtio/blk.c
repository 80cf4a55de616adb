/*
 * virtio-blk (virtio 1.2, section 5.2): disks.
 *
 * Each virtqueue serves one queue of the block layer, whose lock guards it. A request is a header that
 * the device reads, the memory of the data, and a status byte that it writes; header and status lie in
 * the slot, with the table of the request's buffers. There are never more slots than the ring has room
 * for. A device that breaks the rules is reset, and all that it had accepted fails with EIO.
 */
#include <block/disk.h>
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <mm/slab.h>
#include "internal.h"

#define SEGMENTS_MAX 254u   /* with header and status, a table of 4 KiB */
#define SLOTS_MAX    64u
#define RING_MAX     256u
#define STATUS_UNSET 0xff

struct vblk;

struct vblk_slot {
	struct virtio_blk_outhdr header;               /* the device reads it */
	struct virtio_blk_discard_write_zeroes range;  /* likewise */
	struct block_request *request;                 /* queue lock */
	u8 *table;                                     /* const */
	u8 status;                                     /* the device writes it */
} __aligned(64);

struct vblk_queue {
	struct vblk *blk;
	struct virtqueue *vq;
	struct block_queue *bq;
	struct vblk_slot *slots;
	struct virtio_buf *bufs; /* queue lock: of the request that is being started */
	bool dead;               /* queue lock: reset; nothing will come any more */
};

struct vblk {
	struct virtio_device *dev;
	struct disk *disk;
	u32 nr_queues;
	struct vblk_queue *queues;
	bool unmap;
};

/* ---- Requests. Queue lock. ---- */

static u32 type_of(const struct block_request *r)
{
	static const u32 types[] = {
		[BIO_READ] = VIRTIO_BLK_T_IN,
		[BIO_WRITE] = VIRTIO_BLK_T_OUT,
		[BIO_FLUSH] = VIRTIO_BLK_T_FLUSH,
		[BIO_DISCARD] = VIRTIO_BLK_T_DISCARD,
		[BIO_WRITE_ZEROES] = VIRTIO_BLK_T_WRITE_ZEROES,
	};

	return types[r->op];
}

static void fill_slot(const struct vblk *v, struct vblk_slot *s, struct block_request *r)
{
	bool unmap = r->op == BIO_WRITE_ZEROES && r->flags & BIO_UNMAP && v->unmap;

	s->request = r;
	s->status = STATUS_UNSET;
	s->header = (struct virtio_blk_outhdr){
		.type = type_of(r),
		.sector = r->op <= BIO_WRITE ? r->sector : 0,
	};
	s->range = (struct virtio_blk_discard_write_zeroes){
		.sector = r->sector,
		.num_sectors = r->nr_sectors,
		.flags = unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0,
	};
}

static int vblk_start(struct block_queue *q, struct block_request *r)
{
	struct vblk_queue *vq = q->driver;
	struct vblk_slot *s = r->driver;
	struct virtio_buf *b = vq->bufs;
	u32 n = 0;

	if (vq->dead)
		return -EIO;
	fill_slot(vq->blk, s, r);
	b[n++] = (struct virtio_buf){virt_to_phys(&s->header), sizeof(s->header)};
	if (r->op == BIO_DISCARD || r->op == BIO_WRITE_ZEROES)
		b[n++] = (struct virtio_buf){virt_to_phys(&s->range), sizeof(s->range)};
	for (u32 i = 0; i < r->nr_segments; i++)
		b[n++] = (struct virtio_buf){q->segments[i].addr, q->segments[i].len};
	b[n++] = (struct virtio_buf){virt_to_phys(&s->status), sizeof(s->status)};
	if (r->op == BIO_READ)
		return virtqueue_add_table(vq->vq, s->table, b, 1, n - 1, s);
	return virtqueue_add_table(vq->vq, s->table, b, n - 1, 1, s);
}

static void vblk_kick(struct block_queue *q)
{
	virtqueue_kick(((struct vblk_queue *)q->driver)->vq);
}

static int result_of(const struct vblk_slot *s)
{
	switch (READ_ONCE(s->status)) {
	case VIRTIO_BLK_S_OK:
		return 0;
	case VIRTIO_BLK_S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

static struct block_request *vblk_ended(struct block_queue *q, int *error)
{
	struct vblk_queue *vq = q->driver;
	struct vblk_slot *s = NULL;
	u32 written;

	if (!vq->dead)
		s = virtqueue_get(vq->vq, &written);
	if (s) {
		*error = result_of(s);
		return s->request;
	}
	if (likely(!READ_ONCE(vq->blk->dev->broken)))
		return NULL;
	if (!vq->dead) { /* it must not touch memory that we are about to give back */
		vq->dead = true;
		vq->blk->dev->ops->set_status(vq->blk->dev, 0);
	}
	s = virtqueue_detach(vq->vq);
	*error = -EIO;
	return s ? s->request : NULL;
}

static const struct disk_ops vblk_ops = {
	.start = vblk_start,
	.kick = vblk_kick,
	.ended = vblk_ended,
};

static void vblk_interrupt(struct virtqueue *ring)
{
	struct vblk_queue *vq = virtqueue_ctx(ring);

	block_queue_interrupt(vq->bq);
	if (unlikely(READ_ONCE(vq->blk->dev->broken)))
		for (u32 i = 0; i < vq->blk->nr_queues; i++)
			block_queue_interrupt(vq->blk->queues[i].bq);
}

/* ---- Set-up ---- */

static u64 config(const struct vblk *v, u32 offset, u32 len)
{
	u64 value = 0;

	v->dev->ops->config(v->dev, offset, &value, len);
	return value;
}
#define CONFIG(v, field)                                                                           \
	config(v, offsetof(struct virtio_blk_config, field),                                       \
	       sizeof(((struct virtio_blk_config *)0)->field))

static bool has(const struct vblk *v, u32 feature)
{
	return v->dev->features & BIT(feature);
}

/* The capacity is read until it is the same twice: the device may change it meanwhile. */
static u64 capacity(const struct vblk *v)
{
	u64 before, now = CONFIG(v, capacity);

	for (u32 tries = 0; tries < 10; tries++) {
		before = now;
		now = CONFIG(v, capacity);
		if (now == before)
			break;
	}
	return now;
}

static void config_changed(struct virtio_device *dev)
{
	struct vblk *v = dev->driver;

	if (v && v->disk->whole)
		disk_resize(v->disk, capacity(v));
}

/* Figures that make no sense are refused by disk_add. */
static void read_limits(struct vblk *v, struct block_limits *l)
{
	u32 size = has(v, VIRTIO_BLK_F_BLK_SIZE) ? (u32)CONFIG(v, blk_size) : SECTOR_SIZE;
	u32 exp = has(v, VIRTIO_BLK_F_TOPOLOGY) ? (u32)CONFIG(v, physical_block_exp) : 0;

	l->logical_size = size;
	l->physical_size = exp < 16 && size <= PAGE_SIZE ? size << exp : size;
	if (has(v, VIRTIO_BLK_F_TOPOLOGY)) {
		u64 most = U32_MAX / PAGE_SIZE;

		l->io_min = size <= PAGE_SIZE ? (u32)CONFIG(v, min_io_size) * size : 0;
		l->io_opt = size <= PAGE_SIZE ? (u32)MIN(CONFIG(v, opt_io_size), most) * size : 0;
	}
	l->max_segments = has(v, VIRTIO_BLK_F_SEG_MAX) ? (u32)CONFIG(v, seg_max) : 1;
	l->max_segments = MIN(MAX(l->max_segments, 1U), SEGMENTS_MAX);
	l->max_segment_bytes = has(v, VIRTIO_BLK_F_SIZE_MAX) ? (u32)CONFIG(v, size_max) : 1U << 30;
	l->max_sectors = (4U << 20) / SECTOR_SIZE;
	if (has(v, VIRTIO_BLK_F_DISCARD)) {
		l->max_discard_sectors = (u32)CONFIG(v, max_discard_sectors);
		l->discard_granularity =
			(u32)MIN(CONFIG(v, discard_sector_alignment), 1ULL << 20) * SECTOR_SIZE;
	}
	if (has(v, VIRTIO_BLK_F_WRITE_ZEROES)) {
		l->max_zero_sectors = (u32)CONFIG(v, max_write_zeroes_sectors);
		v->unmap = CONFIG(v, write_zeroes_may_unmap);
	}
}

static void *slot_get(void *ctx, u32 i)
{
	struct vblk_queue *vq = ctx;
	u32 entries = vq->blk->disk->limits.max_segments + 3;

	vq->slots[i].table = kmalloc_array(entries, VIRTIO_TABLE_ENTRY, GFP_KERNEL);
	return vq->slots[i].table ? &vq->slots[i] : NULL;
}

static int make_queue(struct vblk *v, u32 index)
{
	struct vblk_queue *vq = &v->queues[index];
	struct block_limits *l = &v->disk->limits;
	u32 entries, slots;

	vq->blk = v;
	vq->vq = virtqueue_create(v->dev, index, RING_MAX, vblk_interrupt, vq);
	if (!vq->vq)
		return -ENOMEM;
	/* Without tables a request takes as many places of the ring as it has buffers. */
	if (!vq->vq->indirect)
		l->max_segments = MIN(l->max_segments, MAX(vq->vq->size / 4, 4U) - 3);
	entries = l->max_segments + 3;
	slots = vq->vq->indirect ? vq->vq->size : vq->vq->size / entries;
	slots = MIN(slots, SLOTS_MAX);
	if (!slots)
		return -EINVAL;
	vq->slots = kmalloc_array(slots, sizeof(*vq->slots), GFP_KERNEL | GFP_ZERO);
	vq->bufs = kmalloc_array(entries, sizeof(*vq->bufs), GFP_KERNEL);
	if (!vq->slots || !vq->bufs)
		return -ENOMEM;
	return disk_add_queue(v->disk, slots, slot_get, vq, &vq->bq);
}

static int make_queues(struct vblk *v)
{
	u32 nr = has(v, VIRTIO_BLK_F_MQ) ? (u32)CONFIG(v, num_queues) : 1;
	int err = 0;

	nr = MIN(MIN(nr, nr_cpus), (u32)ARRAY_SIZE(v->dev->queues));
	v->nr_queues = MAX(nr, 1U);
	v->queues = kmalloc_array(v->nr_queues, sizeof(*v->queues), GFP_KERNEL | GFP_ZERO);
	if (!v->queues)
		return -ENOMEM;
	for (u32 i = 0; !err && i < v->nr_queues; i++)
		err = make_queue(v, i);
	return err;
}

static int probe(struct virtio_device *dev)
{
	struct vblk *v = kzalloc(sizeof(*v), GFP_KERNEL);
	int err;

	if (!v)
		return -ENOMEM;
	v->dev = dev;
	v->disk = disk_create("vd");
	if (!v->disk)
		return -ENOMEM;
	v->disk->ops = &vblk_ops;
	v->disk->driver = v;
	v->disk->read_only = has(v, VIRTIO_BLK_F_RO);
	v->disk->write_cache = has(v, VIRTIO_BLK_F_FLUSH);
	v->disk->nr_sectors = capacity(v);
	read_limits(v, &v->disk->limits);
	err = make_queues(v);
	if (err)
		return err;
	virtio_device_ready(dev);
	err = disk_add(v->disk);
	if (err)
		return err;
	dev->driver = v;
	dev->config_changed = config_changed;
	return 0;
}

static int virtio_blk_init(void)
{
	static const struct virtio_driver driver = {
		.device_id = VIRTIO_ID_BLOCK,
		.features = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
			    BIT(VIRTIO_BLK_F_RO) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
			    BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) |
			    BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_DISCARD) |
			    BIT(VIRTIO_BLK_F_WRITE_ZEROES) | BIT(VIRTIO_RING_F_INDIRECT_DESC),
		.probe = probe,
	};

	virtio_driver_register(&driver);
	return 0;
}
INIT_CALL(INIT_CORE, virtio_blk_init);
