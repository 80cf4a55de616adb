/*
 * Synchronous transfers for kernel code: memory of the direct map, flush, discard, zeroing. Process
 * context; nothing is locked.
 */
#include <lib/log.h>
#include <mm/slab.h>
#include "internal.h"

#define PIECE_BYTES (1U << 30) /* a bio's vector has a 32-bit length */

static int transfer(struct block_device *b, enum bio_op op, u64 pos, void *buf, size_t len, u32 flags)
{
	while (len) {
		u32 n = (u32)MIN(len, (size_t)PIECE_BYTES);
		struct bio_vec vec = {
			.page = page_of(buf),
			.offset = (u32)((u64)buf & ~PAGE_MASK),
			.len = n,
		};
		struct bio bio = {.bdev = b, .op = op, .flags = flags, .vecs = &vec, .nr_vecs = 1};
		int err;

		if (pos & (SECTOR_SIZE - 1))
			return -EINVAL;
		bio.sector = pos >> SECTOR_SHIFT;
		err = bio_submit_wait(&bio);
		if (err)
			return err;
		pos += n;
		buf = (char *)buf + n;
		len -= n;
	}
	return 0;
}

int block_read(struct block_device *b, u64 pos, void *buf, size_t len)
{
	return transfer(b, BIO_READ, pos, buf, len, 0);
}

int block_write(struct block_device *b, u64 pos, const void *buf, size_t len, u32 flags)
{
	return transfer(b, BIO_WRITE, pos, (void *)buf, len, flags);
}

int block_flush(struct block_device *b)
{
	struct bio bio = {.bdev = b, .op = BIO_FLUSH};

	return bio_submit_wait(&bio);
}

static int range_op(struct block_device *b, enum bio_op op, u64 pos, u64 len, u32 flags)
{
	struct bio bio = {
		.bdev = b,
		.op = op,
		.flags = flags,
		.sector = pos >> SECTOR_SHIFT,
		.nr_sectors = len >> SECTOR_SHIFT,
	};

	return (pos | len) & (SECTOR_SIZE - 1) ? -EINVAL : bio_submit_wait(&bio);
}

int block_discard(struct block_device *b, u64 pos, u64 len)
{
	return range_op(b, BIO_DISCARD, pos, len, 0);
}

#define ZERO_VECS 128u

static int write_zeroes(struct block_device *b, u64 pos, u64 len)
{
	struct bio_vec *vecs = kmalloc_array(ZERO_VECS, sizeof(*vecs), GFP_KERNEL);
	int err = vecs ? 0 : -ENOMEM;

	if ((pos | len) & (SECTOR_SIZE - 1))
		err = -EINVAL;
	while (!err && len) {
		struct bio bio = {.bdev = b, .op = BIO_WRITE, .sector = pos >> SECTOR_SHIFT,
				  .vecs = vecs};
		u64 n = 0;

		while (bio.nr_vecs < ZERO_VECS && n < len) {
			u32 part = (u32)MIN(len - n, (u64)PAGE_SIZE);

			vecs[bio.nr_vecs++] = (struct bio_vec){.page = zero_page, .len = part};
			n += part;
		}
		err = bio_submit_wait(&bio);
		pos += n;
		len -= n;
	}
	kfree(vecs);
	return err;
}

int block_zero(struct block_device *b, u64 pos, u64 len, bool unmap, bool nofallback)
{
	int err = range_op(b, BIO_WRITE_ZEROES, pos, len, unmap ? BIO_UNMAP : 0);

	return err == -EOPNOTSUPP && !nofallback ? write_zeroes(b, pos, len) : err;
}
