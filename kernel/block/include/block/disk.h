/*
 * Disks and their queues, for drivers. A driver describes its disk, makes queues with as many request
 * slots as the hardware always has room for, and adds the disk; the block layer then calls start with
 * requests, and the driver calls block_queue_interrupt when the hardware has finished some.
 */
#pragma once

#include <block/block.h>
#include <sync/mutex.h>
#include <sync/spinlock.h>

#define DISK_MINORS 16     /* of one disk: itself and 15 partitions; more go to another major */
#define DISK_PARTS_MAX  128
#define DISK_QUEUES_MAX 64

struct block_queue;

struct block_limits {
	u32 logical_size, physical_size;  /* bytes; powers of two; logical 512 to 4096 */
	u32 io_min, io_opt;               /* bytes; 0: the driver does not say */
	u32 max_segments;                 /* pieces of memory per request */
	u32 max_segment_bytes;
	u32 max_sectors;                  /* per read or write */
	u32 max_discard_sectors;          /* 0: cannot discard */
	u32 discard_granularity;          /* bytes */
	u32 max_zero_sectors;             /* 0: cannot write zeroes */
};

struct block_segment {
	struct paddr addr;
	u32 len;
};

/* What start gets. Reads and writes carry segments (queue->segments, valid during start only). */
struct block_request {
	struct list_head node;       /* queue lock */
	struct list_head bios;       /* whole bios that it carries; queue lock */
	struct bio *piece;           /* or one bio, of which it is a part */
	enum bio_op op;
	u32 flags;                   /* BIO_UNMAP */
	u64 sector;
	u32 nr_sectors;
	u32 nr_segments;
	u64 start_ns;                /* when the first of it was submitted */
	void *driver;                /* const: the driver's for this slot */
};

struct disk_ops {
	/* Hands a request to the hardware. Queue lock, interrupts off. 0 or -errno. */
	int (*start)(struct block_queue *q, struct block_request *r);
	/* After some calls of start: tells the hardware. Queue lock. */
	void (*kick)(struct block_queue *q);
	/* The next request that has ended and its result; NULL: none. Queue lock. */
	struct block_request *(*ended)(struct block_queue *q, int *error);
};

struct block_op_stats {
	u64 requests, merges, sectors, ns;
};
enum { STAT_READ, STAT_WRITE, STAT_DISCARD, STAT_FLUSH, NR_BLOCK_STATS };

struct block_queue {
	struct disk *disk;              /* const */
	void *driver;                   /* const */
	struct spinlock lock;           /* LOCK_RANK_BLOCK_QUEUE; interrupts off */
	struct list_head free;          /* lock: request slots */
	struct list_head pending;       /* lock: bios, oldest first */
	struct list_head flushes;       /* lock: bios that wait for a flush which begins from now on */
	struct list_head ended;         /* lock: bios that ended outside of an interrupt */
	bool flushing, draining;        /* lock */
	u32 in_flight;                  /* lock: requests with the hardware */
	u64 busy_since, busy_ns;        /* lock: time with requests in flight */
	struct block_op_stats stats[NR_BLOCK_STATS]; /* lock */
	struct block_segment *segments; /* lock: of the request that is being made */
};

struct disk {
	char name[16];                  /* const */
	const struct disk_ops *ops;     /* const */
	struct block_limits limits;     /* const once added */
	u64 nr_sectors;                 /* torn-free; see disk_resize */
	bool read_only, write_cache;    /* const once added */
	u32 index;                      /* const: the how-manieth of its kind */
	struct block_queue *queues[DISK_QUEUES_MAX];
	u32 nr_queues;
	u32 major, first_minor;         /* const */
	struct block_device *whole;     /* const once added */
	struct list_head node;          /* block_lock */
	struct mutex open_lock;         /* LOCK_RANK_BLOCK_OPEN: openers, holders, partitions */
	struct block_device *parts[DISK_PARTS_MAX]; /* both locks to change: by number - 1 */
	struct sys_node *sys_dir;       /* const once added */
	u32 fail_every[3];              /* debug: every so manieth read, write, flush fails; 0: none */
	u32 fail_count[3];
	void *driver;
};

/*
 * A disk that is filled in and added later, named after kind ("vd"): the next letter. NULL: no
 * memory. Boot.
 */
struct disk *disk_create(const char *kind);
/* One more queue with nr slots, each with a driver pointer. Limits are set. 0 or -ENOMEM. Boot. */
int disk_add_queue(struct disk *d, u32 nr, void *(*slot)(void *ctx, u32 i), void *ctx,
		   struct block_queue **out) __must_check;
/* Checks the limits and makes the disk visible; partitions follow at the end of boot. 0, -EINVAL,
 * -ENOMEM. Boot. */
int disk_add(struct disk *d) __must_check;
/* The hardware's size has changed. Any context. */
void disk_resize(struct disk *d, u64 nr_sectors);
/* Requests may have ended. Hard-interrupt or any other context, without the queue's lock. */
void block_queue_interrupt(struct block_queue *q);
