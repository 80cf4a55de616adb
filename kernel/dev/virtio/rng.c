/*
 * virtio-entropy (virtio 1.2, section 5.4): bytes from the host's generator. The first ones are
 * folded into the kernel's own generator as soon as they come, without holding boot up; later ones
 * go to who reads /dev/hwrng.
 *
 * One request is in flight at a time. vrng.lock guards what the interrupt touches; read_lock keeps
 * readers apart and owns the buffer while nothing is in flight. A reader that a signal takes away
 * leaves its request to the next one.
 */
#include <boot/init.h>
#include <dev/virtio.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/virtio_ids.h>
#include <mm/slab.h>
#include <sync/mutex.h>
#include <sync/wait.h>
#include <task/random.h>
#include <vfs/chrdev.h>

#define MISC_MAJOR  10
#define HWRNG_MINOR 183
#define SEED_BYTES  64

static struct vrng {
	struct virtqueue *vq;     /* lock */
	struct spinlock lock;     /* LOCK_RANK_DEVICE; interrupts disabled */
	struct mutex read_lock;
	struct wait_queue done;
	u8 *data;                 /* a page: the device's while busy, else read_lock */
	u32 filled;               /* lock: bytes that the last request brought */
	bool busy, seeding;       /* lock */
} *the_rng; /* set once */

static void rng_interrupt(struct virtqueue *vq)
{
	struct vrng *r = virtqueue_ctx(vq);
	u64 flags = spin_lock_irqsave(&r->lock);
	u32 written;

	if (virtqueue_get(vq, &written)) {
		r->filled = MIN(written, (u32)PAGE_SIZE);
		r->busy = false;
		if (r->seeding) {
			random_add(r->data, r->filled);
			memset(r->data, 0, r->filled);
			r->seeding = false;
			r->filled = 0;
		}
	}
	spin_unlock_irqrestore(&r->lock, flags);
	wake_up(&r->done);
}

/* Asks for bytes unless a request is under way. 0 or -errno. */
static int rng_ask(struct vrng *r, u32 bytes, bool seeding)
{
	struct virtio_buf b = {virt_to_phys(r->data), bytes};
	u64 flags = spin_lock_irqsave(&r->lock);
	int err = 0;

	if (!r->busy) {
		r->filled = 0;
		err = virtqueue_add(r->vq, &b, 0, 1, r);
		r->busy = !err;
		r->seeding = seeding && !err;
		if (!err)
			virtqueue_kick(r->vq);
	}
	spin_unlock_irqrestore(&r->lock, flags);
	return err;
}

/* read_lock held. Waits for bytes; 0 when there are some. */
static int rng_fill(struct vrng *r, u32 bytes, bool nonblock)
{
	int err = 0;

	while (!err && !READ_ONCE(r->filled)) {
		bool seed = READ_ONCE(r->seeding);

		err = rng_ask(r, bytes, false);
		if (!err && nonblock && READ_ONCE(r->busy))
			return -EAGAIN;
		if (!err)
			err = wait_event_interruptible(&r->done, !READ_ONCE(r->busy));
		if (!err && !seed && !READ_ONCE(r->filled))
			err = -EIO; /* it answered with nothing */
	}
	return err;
}

static ssize_t rng_read_locked(struct vrng *r, struct io_iter *to, bool nonblock)
{
	ssize_t total = 0;

	while (io_count(to)) {
		u32 want = (u32)MIN(io_count(to), (u64)PAGE_SIZE), have;
		int err = rng_fill(r, want, nonblock);
		size_t n;

		if (err)
			return total ? total : err;
		have = r->filled;
		n = io_copy_to(to, r->data, MIN(have, want));
		memset(r->data, 0, have); /* nobody sees them twice */
		r->filled = 0;
		if (!n)
			return total ? total : -EFAULT;
		total += (ssize_t)n;
	}
	return total;
}

static ssize_t rng_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct vrng *r = the_rng;
	ssize_t n = mutex_lock_interruptible(&r->read_lock);

	(void)pos;
	if (n)
		return n;
	n = rng_read_locked(r, to, f->flags & O_NONBLOCK);
	mutex_unlock(&r->read_lock);
	return n;
}

static int rng_open(struct inode *inode, struct file *f)
{
	(void)inode;
	return (f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_READ ? 0 : -EINVAL;
}

static const struct file_ops rng_fops = {
	.name = "hwrng",
	.open = rng_open,
	.read = rng_read,
	.llseek = file_llseek_noop,
};

static int rng_probe(struct virtio_device *d)
{
	struct vrng *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int err;

	if (the_rng)
		return -EBUSY;
	if (!r || !(r->data = pages_alloc_virt(0, GFP_KERNEL)))
		return -ENOMEM;
	spin_init(&r->lock, LOCK_RANK_DEVICE);
	mutex_init(&r->read_lock, LOCK_RANK_READERS);
	wait_queue_init(&r->done);
	r->vq = virtqueue_create(d, 0, 2, rng_interrupt, r);
	if (!r->vq)
		return -ENOMEM;
	the_rng = r;
	virtio_device_ready(d);
	err = rng_ask(r, SEED_BYTES, true);
	if (!err)
		err = chrdev_register(MISC_MAJOR, HWRNG_MINOR, 1, "hwrng", &rng_fops);
	return err ? err : devtmpfs_add("hwrng", 0600, dev_make(MISC_MAJOR, HWRNG_MINOR));
}

static const struct virtio_driver rng_driver = {
	.device_id = VIRTIO_ID_RNG,
	.probe = rng_probe,
};

static int virtio_rng_init(void)
{
	virtio_driver_register(&rng_driver);
	return 0;
}
INIT_CALL(INIT_FS, virtio_rng_init);
