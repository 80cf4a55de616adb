/*
 * The checked ways to user memory (mm/user.h). Thin: ranges, faults and speculation are arch's.
 * Process context; everything may sleep in a page fault unless pagefault_disable() is on.
 */
#include <arch/mmu.h>
#include <arch/usercopy.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/inject.h>
#include <mm/user.h>
#include <task/task.h>
#include "internal.h"

void user_span_check(const void *p, size_t n)
{
	const struct page *page;

	if ((uptr)p - DIRECT_MAP_START >= KERNEL_VMALLOC_START - DIRECT_MAP_START)
		return; /* a stack, the image, vmalloc memory */
	page = page_of(p);
	if (unlikely(page_test(page, PG_SLAB)) && unlikely(!slab_span_ok(page, p, n)))
		panic("copy of %zu bytes at %p leaves its object", n, p);
}

int user_copy_in_span(void *dst, u64 src, size_t n)
{
	user_span_check(dst, n);
	return user_copy_in(dst, src, n);
}

int user_copy_out_span(u64 dst, const void *src, size_t n)
{
	user_span_check(src, n);
	return user_copy_out(dst, src, n);
}

/*
 * In the debug flavours what goes out is looked through for what must not: addresses of kernel
 * objects and of kernel code, and memory that nobody has written since it was allocated. File data
 * moves through the io_iter and is the user's own. A finding is a kernel bug.
 */
#ifdef CONFIG_DEBUG
extern const char _text[], _end[];

static void check_leak(const void *src, size_t n)
{
	const u8 *p = src;
	u64 word, direct_map_end = DIRECT_MAP_START + nr_frames * PAGE_SIZE;

	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		if (likely(word < DIRECT_MAP_START))
			continue;
		if (word == POISON_WORD || word == UNWRITTEN_STACK)
			panic("user copy: uninitialised bytes at %p (+%zu)", src, (size_t)(p - (const u8 *)src));
		/* Page by page is how programs probe, and si_addr tells them their own numbers. */
		if (IS_ALIGNED(word, PAGE_SIZE))
			continue;
		if ((word > DIRECT_MAP_START && word < direct_map_end) ||
		    (word >= KERNEL_VMALLOC_START && word < KERNEL_VMALLOC_END) ||
		    (word >= (uptr)_text && word < (uptr)_end))
			panic("user copy: kernel address 0x%llx at %p (+%zu)", word, src,
			      (size_t)(p - (const u8 *)src));
	}
}
#else
static inline void check_leak(const void *src, size_t n)
{
}
#endif

int user_copy_in(void *dst, u64 src, size_t n)
{
	if (inject_failure())
		return -EFAULT;
	return unlikely(arch_copy_from_user(dst, src, n)) ? -EFAULT : 0;
}

int user_copy_out(u64 dst, const void *src, size_t n)
{
	if (inject_failure())
		return -EFAULT;
	check_leak(src, n);
	return unlikely(arch_copy_to_user(dst, src, n)) ? -EFAULT : 0;
}

bool user_range_ok(u64 addr, u64 n)
{
	return addr <= USER_TOP && n <= USER_TOP - addr;
}

int user_write_u16_members(u64 uaddr, const void *from, size_t member, size_t size, size_t n)
{
	return arch_put_user_u16_strided(uaddr + member, (const void *)((uptr)from + member), size, n);
}

int user_read_bytes(void *dst, struct user_bytes src, size_t n)
{
	return user_copy_in_span(dst, src.uaddr, n);
}

int user_write_own_bytes(struct user_bytes dst, const void *src, size_t n)
{
	if (inject_failure())
		return -EFAULT;
	return unlikely(arch_copy_to_user(dst.uaddr, src, n)) ? -EFAULT : 0;
}

int user_write_bytes(struct user_bytes dst, const void *src, size_t n)
{
	return user_copy_out_span(dst.uaddr, src, n);
}

int user_zero_bytes(struct user_bytes dst, size_t n)
{
	return arch_clear_user(dst.uaddr, n) ? -EFAULT : 0;
}

/* What lies beyond the structure this kernel knows must be zero. A set byte is found before a page that is missing. */
static int check_zeroed(u64 uaddr, size_t n)
{
	u8 chunk[64];

	while (n) {
		size_t part = MIN(MIN(n, sizeof(chunk)), PAGE_SIZE - (uaddr & (PAGE_SIZE - 1)));

		if (user_copy_in(chunk, uaddr, part))
			return -EFAULT;
		for (size_t i = 0; i < part; i++)
			if (chunk[i])
				return -E2BIG;
		uaddr += part;
		n -= part;
	}
	return 0;
}

int user_read_sized(void *dst, size_t ksize, struct user_bytes src, size_t usize)
{
	size_t n = MIN(ksize, usize);

	if (usize > ksize) {
		int err;

		if (usize > PAGE_SIZE)
			return -E2BIG;
		err = check_zeroed(src.uaddr + ksize, usize - ksize);
		if (err)
			return err;
	}
	if (user_copy_in_span(dst, src.uaddr, n))
		return -EFAULT;
	memset((char *)dst + n, 0, ksize - n);
	return 0;
}

ssize_t user_read_str(char *dst, struct user_str src, size_t size)
{
	ssize_t len = inject_failure() ? -EFAULT : arch_copy_str_from_user(dst, src.uaddr, size);

	if (len >= 0 && (size_t)len == size)
		return -ENAMETOOLONG;
	return len;
}

void pagefault_disable(void)
{
	current->pagefault_disabled++;
	barrier();
}

void pagefault_enable(void)
{
	barrier();
	current->pagefault_disabled--;
}
