/*
 * Block devices for those who use them: file systems, raw device files. A request is a struct bio,
 * which its owner makes, submits and gets back by callback; disks and their drivers are in disk.h.
 *
 * Order: bios that are in flight together may be carried out in any order. A flush covers the writes
 * that had completed before it was submitted.
 */
#pragma once

#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <mm/page.h>
#include <vfs/path.h>

#define SECTOR_SHIFT 9
#define SECTOR_SIZE  512u

struct disk;
struct inode;

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH, BIO_DISCARD, BIO_WRITE_ZEROES };

#define BIO_FUA      BIT(0) /* a write is on stable storage when it completes */
#define BIO_PREFLUSH BIT(1) /* before the write, the device's cache is flushed */
#define BIO_UNMAP    BIT(2) /* write zeroes: the device may give the space up */

/* A physically contiguous piece of memory; it may be longer than the page that it begins in. */
struct bio_vec {
	struct page *page;
	u32 offset, len;
};

struct bio {
	/* Set by the owner, unchanged by the block layer. */
	struct block_device *bdev;      /* the owner holds a reference until completion */
	enum bio_op op;
	u32 flags;                      /* BIO_* */
	u64 sector;                     /* 512-byte units from the start of bdev */
	u64 nr_sectors;                 /* discard, write zeroes */
	struct bio_vec *vecs;           /* read, write; the owner's until completion */
	u32 nr_vecs;
	void (*done)(struct bio *bio);  /* once; any context, interrupts included; must not sleep */
	void *private;                  /* the owner's */
	int error;                      /* result, valid in done: 0 or -errno */
	/* The owner's before bio_submit and from done on; else the block layer's. */
	struct list_head node;
	/* The block layer's. */
	u64 at;                         /* next sector of the disk that is to be dispatched */
	u64 left;                       /* bytes (discard, zeroes: sectors) that are to be dispatched */
	u64 start_ns;
	u32 vec, vec_done;              /* where `left` begins in vecs */
	u32 pieces;                     /* requests in flight that carry part of it */
	u8 steps;                       /* what is still to be done */
};

/*
 * Hands a bio over; done is called exactly once, perhaps before this returns. Reads and writes are
 * whole logical blocks of the device (else -EINVAL) inside it (else -EIO); writes to a read-only
 * device fail with -EROFS, operations that the device does not know with -EOPNOTSUPP. A write with
 * BIO_PREFLUSH may be empty. Any length; adjacent bios that wait together become one request. Any
 * context with no lock held above LOCK_RANK_BLOCK_QUEUE; never sleeps.
 */
void bio_submit(struct bio *bio);
/* The same and waits: bio->done and private are used. 0 or -errno. May sleep. */
int bio_submit_wait(struct bio *bio) __must_check;

/*
 * Between a start and its end, bios submitted by this task may be held back, so that adjacent ones
 * meet and the device is told once. End before waiting for one of them. Does not nest.
 */
struct block_plug {
	struct list_head bios;
};
void block_plug_start(struct block_plug *plug);
void bio_submit_plugged(struct block_plug *plug, struct bio *bio);
void block_plug_end(struct block_plug *plug);

/*
 * Synchronous transfers between the device and memory of the direct map (kmalloc, pages), in whole
 * logical blocks. flags: BIO_FUA, BIO_PREFLUSH. 0 or -errno. May sleep.
 */
int block_read(struct block_device *b, u64 pos, void *buf, size_t len) __must_check;
int block_write(struct block_device *b, u64 pos, const void *buf, size_t len, u32 flags) __must_check;
/* What was written is on stable storage. 0 or -errno. May sleep. */
int block_flush(struct block_device *b) __must_check;
/* Gives bytes [pos, pos + len) up, in 512-byte units. 0, -EOPNOTSUPP, -EIO. May sleep. */
int block_discard(struct block_device *b, u64 pos, u64 len) __must_check;
/*
 * Makes them zero: by the device's own operation, or (unless nofallback: -EOPNOTSUPP) by writing.
 * unmap: space may be given up. May sleep.
 */
int block_zero(struct block_device *b, u64 pos, u64 len, bool unmap, bool nofallback) __must_check;

/* A disk or a partition. Lives while it is registered or somebody has a reference. */
struct block_device {
	struct inode *inode;        /* const: cached pages of the raw device; carries the references */
	struct disk *disk;          /* const */
	u32 partno;                 /* const: 0 is the whole disk */
	u64 dev;                    /* const: kernel form of the device number */
	u64 start;                  /* const: first sector on the disk */
	u64 nr_sectors;             /* torn-free: a disk may be resized */
	char name[32];              /* const: "vda", "vda1" */
	u32 block_size;             /* BLKBSZGET; torn-free */
	bool read_only;             /* BLKROSET, or the disk's nature; torn-free */
	u32 openers;                /* disk->open_lock, as the next three */
	const void *holder;         /* who has it to himself; NULL: nobody */
	u32 nr_claims;              /* by the holder */
	u32 held_parts;             /* of a disk: partitions that are held */
	struct sys_node *sys_dir;   /* const once registered */
	u8 uuid[16];                /* const: of a GPT partition; else zeroes */
};

/* The device with this number, with a reference; NULL: there is none. May sleep. */
struct block_device *block_device_by_dev(u64 rdev);
/*
 * For mount(2): the device behind a path of the caller's. -ENOENT …, -ENOTBLK, -EACCES (nodev mount
 * or no permission is the caller's to check), -ENXIO. May sleep.
 */
int block_device_by_path(const char *path, struct block_device **out) __must_check;
void block_device_get(struct block_device *b);
void block_device_put(struct block_device *b); /* may sleep */

/*
 * Opens the device for use; holder, if not NULL, has it to himself from now on: other holders of the
 * device, of its disk or of one of its partitions get -EBUSY, ordinary opens do not. write: -EACCES
 * when it is read-only. 0 or -errno. May sleep.
 */
int block_device_open(struct block_device *b, bool write, const void *holder) __must_check;
/* The opposite; the last close writes the cached pages back and drops them. May sleep. */
void block_device_close(struct block_device *b, const void *holder);
/* Bytes; the unit of transfers; what the medium likes to be written in. */
u64 block_device_size(const struct block_device *b);
u32 block_device_block_size(const struct block_device *b);
u32 block_device_physical_size(const struct block_device *b);
bool block_device_read_only(const struct block_device *b);
/* The device can discard; it has a cache that flushes matter for. */
bool block_device_can_discard(const struct block_device *b);
u32 block_device_granularity(const struct block_device *b); /* of discards; bytes */
bool block_device_has_cache(const struct block_device *b);
