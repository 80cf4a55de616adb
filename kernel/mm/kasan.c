/*
 * The kernel address sanitizer: the compiler calls __asan_loadN / __asan_storeN before each access
 * (outline mode), and these look up one shadow byte per 8 bytes of the direct map:
 *
 *     0            all 8 bytes may be accessed
 *     1..7         the first n bytes may
 *     >= 0x80      none: a KASAN_* reason
 *
 * The shadow is an ordinary array over all frames, found through the address's offset in the
 * direct map, so no shadow address range has to be mapped. Addresses outside the direct map are
 * not checked: vmalloc memory and stacks have guard pages, and freed ones are unmapped.
 *
 * Nothing here or in the allocators is instrumented. Any context; no locks but the quarantine's.
 */
#include "kasan.h"

#ifdef CONFIG_KASAN

#include <lib/log.h>
#include <lib/string.h>
#include <sync/spinlock.h>

#define GRANULE 8

static u8 *shadow; /* writable: a report turns the checks off */
static u64 checked_bytes __ro_after_init; /* of the direct map */

u64 kasan_shadow_size(u64 nr_frames)
{
	return nr_frames * PAGE_SIZE / GRANULE;
}

void kasan_init(u8 *memory, u64 nr_frames)
{
	checked_bytes = nr_frames * PAGE_SIZE;
	shadow = memory;
}

void kasan_poison(const void *addr, size_t size, u8 why)
{
	if (shadow)
		memset(shadow + ((uptr)addr - DIRECT_MAP_START) / GRANULE, why, size / GRANULE);
}

void kasan_unpoison(const void *addr, size_t size)
{
	u8 *s;

	if (!shadow)
		return;
	s = shadow + ((uptr)addr - DIRECT_MAP_START) / GRANULE;
	memset(s, 0, size / GRANULE);
	if (size % GRANULE)
		s[size / GRANULE] = size % GRANULE;
}

static bool byte_poisoned(uptr offset)
{
	s8 s = (s8)shadow[offset / GRANULE];

	return s && (s < 0 || (s8)(offset % GRANULE) >= s);
}

bool kasan_is_poisoned(const void *p)
{
	uptr offset = (uptr)p - DIRECT_MAP_START;

	return shadow && offset < checked_bytes && byte_poisoned(offset);
}

static const char *reason(u8 code)
{
	switch (code) {
	case KASAN_FREE_PAGE:
		return "freed page";
	case KASAN_FREE_SLAB:
		return "freed object or its red zone";
	default:
		return "end of an object";
	}
}

static __noinline void report(uptr addr, size_t size, bool write, uptr ip)
{
	u8 code = shadow[(addr - DIRECT_MAP_START) / GRANULE];

	shadow = NULL; /* the report itself is not checked */
	panic("kasan: %s of %zu bytes at %p by %p: %s", write ? "write" : "read", size,
	      (void *)addr, (void *)ip, reason(code));
}

/* The first poisoned byte of [offset, offset + size), or U64_MAX. */
static u64 first_poisoned(uptr offset, size_t size)
{
	for (uptr o = offset; o < offset + size; o = ALIGN_DOWN(o, GRANULE) + GRANULE) {
		uptr last = MIN(ALIGN_DOWN(o, GRANULE) + GRANULE, offset + size) - 1;

		if (shadow[o / GRANULE] && (byte_poisoned(o) || byte_poisoned(last)))
			return byte_poisoned(o) ? o : last;
	}
	return U64_MAX;
}

static __always_inline void check(uptr addr, size_t size, bool write, uptr ip)
{
	uptr offset = addr - DIRECT_MAP_START;
	u64 bad;

	if (unlikely(!shadow) || offset >= checked_bytes || size > checked_bytes - offset || !size)
		return;
	if (likely(!shadow[offset / GRANULE] && (offset % GRANULE) + size <= GRANULE))
		return;
	bad = first_poisoned(offset, size);
	if (unlikely(bad != U64_MAX))
		report(DIRECT_MAP_START + bad, size, write, ip);
}

#define CALLER ((uptr)__builtin_return_address(0))

/* Called by instrumented code only: the compiler knows the prototypes. */
#define DEFINE_CHECKS(n)                                                                           \
	void __asan_load##n##_noabort(uptr addr);                                                  \
	void __asan_load##n##_noabort(uptr addr)                                                   \
	{                                                                                          \
		check(addr, n, false, CALLER);                                                     \
	}                                                                                          \
	void __asan_store##n##_noabort(uptr addr);                                                 \
	void __asan_store##n##_noabort(uptr addr)                                                  \
	{                                                                                          \
		check(addr, n, true, CALLER);                                                      \
	}
DEFINE_CHECKS(1)
DEFINE_CHECKS(2)
DEFINE_CHECKS(4)
DEFINE_CHECKS(8)
DEFINE_CHECKS(16)

void __asan_loadN_noabort(uptr addr, size_t size);
void __asan_loadN_noabort(uptr addr, size_t size)
{
	check(addr, size, false, CALLER);
}

void __asan_storeN_noabort(uptr addr, size_t size);
void __asan_storeN_noabort(uptr addr, size_t size)
{
	check(addr, size, true, CALLER);
}

void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}

void *__asan_memcpy(void *dst, const void *src, size_t n);
void *__asan_memcpy(void *dst, const void *src, size_t n)
{
	check((uptr)src, n, false, CALLER);
	check((uptr)dst, n, true, CALLER);
	return memcpy(dst, src, n);
}

void *__asan_memmove(void *dst, const void *src, size_t n);
void *__asan_memmove(void *dst, const void *src, size_t n)
{
	check((uptr)src, n, false, CALLER);
	check((uptr)dst, n, true, CALLER);
	return memmove(dst, src, n);
}

void *__asan_memset(void *dst, int c, size_t n);
void *__asan_memset(void *dst, int c, size_t n)
{
	check((uptr)dst, n, true, CALLER);
	return memset(dst, c, n);
}

/* Freed objects wait here, poisoned, so that a late access hits the poison and not a new owner. */
#define QUARANTINE 2048
static DEFINE_SPINLOCK(quarantine_lock, LOCK_RANK_SLAB);
static void *quarantine[QUARANTINE]; /* quarantine_lock */
static u32 quarantine_next;          /* quarantine_lock */

void *kasan_quarantine(void *p)
{
	u64 flags = spin_lock_irqsave(&quarantine_lock);
	void *oldest = quarantine[quarantine_next];

	quarantine[quarantine_next] = p;
	quarantine_next = (quarantine_next + 1) % QUARANTINE;
	spin_unlock_irqrestore(&quarantine_lock, flags);
	return oldest;
}

#endif
