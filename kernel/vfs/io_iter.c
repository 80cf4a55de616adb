/*
 * The cursor over bulk data. An iterator belongs to one task; nothing here locks. User segments are
 * checked when the iterator is made and again by the copy itself, which may sleep on a page fault
 * unless `nofault` is set: then it stops short instead, so that callers may hold locks which a fault
 * could want.
 *
 * One loop (iterate) walks the segments; each operation is a step function over a piece that is
 * contiguous on the iterator's side.
 */
#include <arch/usercopy.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <vfs/io_iter.h>

enum direction { TO_ITER, FROM_ITER, ZERO_ITER };

/* Copies between mem and one piece of user memory; the bytes done. */
static __always_inline size_t copy_user(u64 uaddr, void *mem, size_t n, enum direction dir)
{
	if (dir != ZERO_ITER)
		user_span_check(mem, n);
	switch (dir) {
	case TO_ITER:
		return n - arch_copy_to_user(uaddr, mem, n);
	case FROM_ITER:
		return n - arch_copy_from_user(mem, uaddr, n);
	default:
		return n - arch_clear_user(uaddr, n);
	}
}

static size_t copy_kernel(void *kaddr, void *mem, size_t n, enum direction dir)
{
	switch (dir) {
	case TO_ITER:
		memcpy(kaddr, mem, n);
		break;
	case FROM_ITER:
		memcpy(mem, kaddr, n);
		break;
	default:
		memset(kaddr, 0, n);
		break;
	}
	return n;
}

static u64 seg_address(const struct io_iter *it, const struct io_seg *seg)
{
	if (it->kind == IO_PAGES)
		return (u64)page_address(seg->page) + seg->offset;
	return seg->uaddr; /* or kaddr */
}

/* Goes to the next segment that is not empty; there is one, as count is not 0. */
static __noinline void next_segment(struct io_iter *it)
{
	do {
		it->seg++;
		it->left = it->segs[it->seg].len;
	} while (!it->left);
	it->cur = seg_address(it, &it->segs[it->seg]);
}

static __always_inline void consume(struct io_iter *it, size_t n)
{
	it->cur += n;
	it->left -= n;
	it->count -= n;
	if (unlikely(!it->left && it->count))
		next_segment(it);
}

static __noinline size_t iterate(struct io_iter *it, void *mem, size_t n, enum direction dir)
{
	size_t total = 0;

	n = MIN(n, it->count);
	while (n) {
		size_t piece = MIN(n, it->left);
		size_t done = it->kind == IO_USER ? copy_user(it->cur, mem, piece, dir) :
						    copy_kernel((void *)it->cur, mem, piece, dir);

		consume(it, done);
		total += done;
		n -= done;
		mem = (u8 *)mem + done;
		if (done < piece)
			break;
	}
	return total;
}

static __noinline size_t iterate_nofault(struct io_iter *it, void *mem, size_t n,
					 enum direction dir)
{
	size_t done;

	pagefault_disable();
	done = iterate(it, mem, n, dir);
	pagefault_enable();
	return done;
}

/* The common case, user memory in one piece, goes straight to the copy. */
static __always_inline size_t transfer(struct io_iter *it, void *mem, size_t n, enum direction dir)
{
	if (unlikely(it->nofault))
		return iterate_nofault(it, mem, n, dir);
	if (unlikely(it->kind != IO_USER || n > it->left))
		return iterate(it, mem, n, dir);
	n = copy_user(it->cur, mem, n, dir);
	consume(it, n);
	return n;
}

size_t io_copy_to(struct io_iter *it, const void *src, size_t n)
{
	return transfer(it, (void *)src, n, TO_ITER);
}

size_t io_copy_from(struct io_iter *it, void *dst, size_t n)
{
	return transfer(it, dst, n, FROM_ITER);
}

size_t io_zero(struct io_iter *it, size_t n)
{
	return transfer(it, NULL, n, ZERO_ITER);
}

size_t io_copy_page_to(struct io_iter *it, struct page *p, size_t offset, size_t n)
{
	return transfer(it, (u8 *)page_address(p) + offset, n, TO_ITER);
}

size_t io_copy_page_from(struct io_iter *it, struct page *p, size_t offset, size_t n)
{
	return transfer(it, (u8 *)page_address(p) + offset, n, FROM_ITER);
}

void io_advance(struct io_iter *it, size_t n)
{
	n = MIN(n, it->count);
	while (n) {
		size_t piece = MIN(n, it->left);

		consume(it, piece);
		n -= piece;
	}
}

void io_revert(struct io_iter *it, size_t n)
{
	it->count += n;
	if (it->segs) {
		u64 done = it->segs[it->seg].len - it->left;

		while (n > done) {
			n -= done;
			it->seg--;
			done = it->segs[it->seg].len;
			it->left = 0;
			it->cur = seg_address(it, &it->segs[it->seg]) + done;
		}
	}
	it->cur -= n;
	it->left += n;
}

/* One byte of each page in [uaddr, uaddr + n). The bytes that can be reached. */
static size_t fault_in_range(u64 uaddr, size_t n, bool write)
{
	u64 end = uaddr + n;
	u64 byte;

	for (u64 at = uaddr; at < end; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE) {
		u32 old;
		bool bad;

		/* Adding 0 to the aligned word around it is a write that changes nothing. */
		if (write)
			bad = arch_atomic_user_u32(ALIGN_DOWN(at, 4), USER_ADD, 0, &old);
		else
			bad = arch_get_user(at, 1, &byte);
		if (bad)
			return at - uaddr;
	}
	return n;
}

int io_fault_in(struct io_iter *it, size_t n, bool write)
{
	u64 at = it->cur, piece = MIN(n, it->left);
	bool reached = false;
	u32 seg = it->seg;
	size_t done;

	if (it->kind != IO_USER)
		return 0;
	n = MIN(n, it->count);
	for (;;) {
		done = fault_in_range(at, piece, write);
		reached |= done > 0;
		if (done < piece)
			return reached ? 0 : -EFAULT;
		n -= piece;
		if (!n)
			return 0;
		seg++;
		at = it->segs[seg].uaddr;
		piece = MIN(n, it->segs[seg].len);
	}
}

/*
 * Fetches the vector into the end of the storage for segs, with one copy, and spreads it out from
 * the front: entry i is read before the growing segments reach it. The total length, or -errno.
 */
static s64 fetch_vec(struct io_seg *segs, struct user_iovec vec, u32 nr)
{
	struct iovec_abi *raw = (void *)((u64 *)segs + nr);
	u64 total = 0;

	static_assert(sizeof(*segs) == sizeof(*raw) + sizeof(u64), "see above");
	if (user_read_array(raw, vec, nr))
		return -EFAULT;
	for (u32 i = 0; i < nr; i++) {
		struct iovec_abi v = raw[i];

		if ((s64)v.len < 0)
			return -EINVAL;
		if (v.len > USER_TOP || v.base > USER_TOP - v.len)
			return -EFAULT;
		v.len = MIN(v.len, IO_MAX_BYTES - total);
		segs[i].uaddr = v.base;
		segs[i].len = v.len;
		total += v.len;
	}
	return (s64)total;
}

static void init_segs(struct io_iter *it, enum io_kind kind, const struct io_seg *segs, u64 count)
{
	io_iter_init_(it, kind, 0, 0);
	it->segs = segs;
	it->count = count;
	if (count) {
		it->left = segs[0].len;
		it->cur = seg_address(it, segs);
		if (!it->left)
			next_segment(it);
	}
}

int io_iter_user_vec(struct io_iter *it, struct user_iovec vec, u64 nr)
{
	struct io_seg *segs = it->inline_segs;
	s64 total;

	if (nr > IO_MAX_SEGS)
		return -EINVAL;
	if (nr > IO_INLINE_SEGS) {
		segs = kmalloc_array(nr, sizeof(*segs), GFP_KERNEL);
		if (!segs)
			return -ENOMEM;
	}
	total = fetch_vec(segs, vec, (u32)nr);
	if (total < 0) {
		if (segs != it->inline_segs)
			kfree(segs);
		return (int)total;
	}
	init_segs(it, IO_USER, segs, (u64)total);
	return 0;
}

void io_iter_kernel(struct io_iter *it, void *buf, size_t len)
{
	io_iter_init_(it, IO_KERNEL, (u64)buf, len);
}

void io_iter_pages(struct io_iter *it, const struct io_seg *segs, u32 nr, u64 len)
{
	init_segs(it, IO_PAGES, segs, len);
}

void io_iter_fini(struct io_iter *it)
{
	if (it->kind == IO_USER && it->segs && it->segs != it->inline_segs)
		kfree(it->segs);
}

bool io_aligned(const struct io_iter *it, u64 len, u64 address_mask, u64 length_mask)
{
	u64 cur = it->cur, left = MIN(it->left, len);
	u32 seg = it->seg;

	for (;;) {
		if (cur & address_mask || left & length_mask)
			return false;
		len -= left;
		if (!len)
			return true;
		seg++;
		cur = seg_address(it, &it->segs[seg]);
		left = MIN(it->segs[seg].len, len);
	}
}
