/*
 * The one cursor over bulk data: user vectors, kernel buffers, pages. Each file type has a single
 * read path (copies into the iterator) and a single write path (copies out of it).
 */
#pragma once

#include <arch/mmu.h>
#include <mm/user.h>

struct page;

struct iovec_abi {
	u64 base; /* user address */
	u64 len;
};
DEFINE_USER_PTR(iovec, struct iovec_abi);

enum io_kind { IO_USER, IO_KERNEL, IO_PAGES };

struct io_seg {
	union {
		u64 uaddr;          /* IO_USER */
		void *kaddr;        /* IO_KERNEL */
		struct page *page;  /* IO_PAGES */
	};
	u64 len;
	u32 offset;                 /* IO_PAGES: in the page */
};

#define IO_INLINE_SEGS 8
#define IO_MAX_SEGS    1024 /* UIO_MAXIOV */
#define IO_MAX_BYTES   0x7ffff000ULL /* MAX_RW_COUNT: one call moves no more */

/*
 * The piece that comes next is in `cur` and `left`; segs has the pieces behind it. That keeps the
 * common case, one buffer, down to a few words.
 */
struct io_iter {
	u8 kind;                   /* enum io_kind */
	bool nofault;              /* fail instead of sleeping on a page fault */
	bool append;               /* a write goes to the end whatever the position (RWF_APPEND) */
	bool nowait;               /* as if the file had O_NONBLOCK */
	u32 seg;                   /* index of the current segment */
	u64 cur;                   /* address of the next byte: the user's or the kernel's */
	u64 left;                  /* bytes left in the current segment */
	u64 count;                 /* bytes left in total: what ends the walk over segs */
	const struct io_seg *segs; /* NULL: one segment only; else inline_segs or an array */
	struct io_seg inline_segs[IO_INLINE_SEGS];
};

static inline void io_iter_init_(struct io_iter *it, enum io_kind kind, u64 addr, u64 len)
{
	it->kind = kind;
	it->nofault = it->append = it->nowait = false;
	it->seg = 0;
	it->cur = addr;
	it->left = len;
	it->count = len;
	it->segs = NULL;
}

/* The short form for the usual buffer: false when it needs the checks of io_iter_user. */
static __always_inline bool io_iter_user_plain(struct io_iter *it, struct user_bytes buf, u64 len)
{
	if (unlikely(len > IO_MAX_BYTES || buf.uaddr > USER_TOP - len))
		return false;
	io_iter_init_(it, IO_USER, buf.uaddr, len);
	return true;
}

/*
 * One buffer. len is cut to IO_MAX_BYTES. -EFAULT when the range leaves user space. Nothing to
 * io_iter_fini. Declare the iterator __uninit: only what one segment needs is set.
 */
static inline int __must_check io_iter_user(struct io_iter *it, struct user_bytes buf, u64 len)
{
	if (unlikely(len > USER_TOP || buf.uaddr > USER_TOP - len))
		return -EFAULT;
	io_iter_init_(it, IO_USER, buf.uaddr, MIN(len, IO_MAX_BYTES));
	return 0;
}
/* readv/writev: fetches and checks the vector. -EINVAL, -EFAULT, -ENOMEM. */
int io_iter_user_vec(struct io_iter *it, struct user_iovec vec, u64 nr) __must_check;
void io_iter_kernel(struct io_iter *it, void *buf, size_t len);
void io_iter_pages(struct io_iter *it, const struct io_seg *segs, u32 nr, u64 len);
void io_iter_fini(struct io_iter *it);

/* Copy into (a read) or out of (a write) what the iterator describes and advance. The number of
 * bytes done: short means a fault. */
size_t io_copy_to(struct io_iter *it, const void *src, size_t n);
size_t io_copy_from(struct io_iter *it, void *dst, size_t n);
size_t io_zero(struct io_iter *it, size_t n);
/* Same with a page as the other side. */
size_t io_copy_page_to(struct io_iter *it, struct page *p, size_t offset, size_t n);
size_t io_copy_page_from(struct io_iter *it, struct page *p, size_t offset, size_t n);
void io_advance(struct io_iter *it, size_t n);
/* Takes the last n consumed bytes back. */
void io_revert(struct io_iter *it, size_t n);
/*
 * Touches up to n bytes so that a nofault copy is likely to succeed. 0, or -EFAULT when not even
 * the first byte can be reached. write: the iterator is going to be written to.
 */
int io_fault_in(struct io_iter *it, size_t n, bool write) __must_check;

/* The next len bytes, at most io_count: do all their pieces begin and are they as long as the masks ask? */
bool io_aligned(const struct io_iter *it, u64 len, u64 address_mask, u64 length_mask);

static inline u64 io_count(const struct io_iter *it)
{
	return it->count;
}
