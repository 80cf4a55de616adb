/*
 * The kernel address sanitizer: the compiler calls __asan_loadN / __asan_storeN before each access
 * (outline mode), and these look up one shadow byte per 8 bytes:
 *
 *     0            all 8 bytes may be accessed
 *     1..7         the first n bytes may
 *     >= 0x80      none: a KASAN_* reason
 *
 * The shadow lies at a constant plus an eighth of the address, because the compiler writes the red zones
 * of a frame's variables by itself. It is mapped for the direct map (one array over all frames), for the
 * image with its variables, and for each kernel stack with the stack; other addresses are not checked:
 * the rest of the vmalloc area has guard pages, and what is freed is unmapped.
 *
 * Nothing here or in the allocators is instrumented. Any context; no locks but the quarantine's.
 */
#include "kasan.h"

#ifdef CONFIG_KASAN

#include <lib/log.h>
#include <lib/string.h>
#include <sync/spinlock.h>
#include <task/task.h>
#include "vmalloc.h"

#define GRANULE 8

static bool checking; /* a report turns it off */
static u64 checked_bytes __ro_after_init; /* of the direct map */

static u8 *shadow_of(uptr addr)
{
	return (u8 *)kasan_shadow_of(addr);
}

static bool has_shadow(uptr addr)
{
	if (addr - DIRECT_MAP_START < checked_bytes || arch_in_image(addr))
		return true;
	if (addr < STACK_REGION_START || addr >= KERNEL_VMALLOC_END)
		return false;
	return (addr - STACK_REGION_START) % STACK_SLOT >= STACK_SLOT - KERNEL_STACK_SIZE;
}

u64 kasan_shadow_size(u64 nr_frames)
{
	return nr_frames * PAGE_SIZE / GRANULE;
}

u64 kasan_shadow_tables(u64 nr_frames)
{
	return arch_shadow_tables(kasan_shadow_size(nr_frames));
}

void kasan_init(u8 *shadow, struct pte *tables, u64 nr_frames)
{
	arch_shadow_map_direct(shadow, kasan_shadow_size(nr_frames), tables);
	checked_bytes = nr_frames * PAGE_SIZE;
	arch_register_globals();
	checking = true;
}

void kasan_poison(const void *addr, size_t size, u8 why)
{
	if (checking)
		memset(shadow_of((uptr)addr), why, size / GRANULE);
}

void kasan_unpoison(const void *addr, size_t size)
{
	u8 *s = shadow_of((uptr)addr);

	if (!checking)
		return;
	memset(s, 0, size / GRANULE);
	if (size % GRANULE)
		s[size / GRANULE] = size % GRANULE;
}

static bool byte_poisoned(uptr addr)
{
	s8 s = (s8)*shadow_of(addr);

	return s && (s < 0 || (s8)(addr % GRANULE) >= s);
}

bool kasan_is_poisoned(const void *p)
{
	return checking && has_shadow((uptr)p) && byte_poisoned((uptr)p);
}

static const char *reason(u8 code)
{
	switch (code) {
	case KASAN_FREE_PAGE:
		return "freed page";
	case KASAN_FREE_SLAB:
		return "freed object or its red zone";
	case KASAN_GLOBAL:
		return "behind a global variable";
	case KASAN_STACK_LEFT:
	case KASAN_STACK_MID:
	case KASAN_STACK_RIGHT:
		return "outside of a variable on the stack";
	default:
		return "end of an object";
	}
}

static __noinline void report(uptr addr, size_t size, bool write, uptr ip)
{
	u8 code = *shadow_of(addr);

	checking = false; /* the report itself is not checked */
	panic("kasan: %s of %zu bytes at %p by %p: %s", write ? "write" : "read", size,
	      (void *)addr, (void *)ip, reason(code));
}

/* The first poisoned byte of [addr, addr + size), or 0. */
static uptr first_poisoned(uptr addr, size_t size)
{
	for (uptr a = addr; a < addr + size; a = ALIGN_DOWN(a, GRANULE) + GRANULE) {
		uptr last = MIN(ALIGN_DOWN(a, GRANULE) + GRANULE, addr + size) - 1;

		if (*shadow_of(a) && (byte_poisoned(a) || byte_poisoned(last)))
			return byte_poisoned(a) ? a : last;
	}
	return 0;
}

static __always_inline void check(uptr addr, size_t size, bool write, uptr ip)
{
	uptr bad;

	if (unlikely(!checking) || !size || !has_shadow(addr) || !has_shadow(addr + size - 1))
		return;
	if (likely(!*shadow_of(addr) && (addr % GRANULE) + size <= GRANULE))
		return;
	bad = first_poisoned(addr, size);
	if (unlikely(bad))
		report(bad, size, write, ip);
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

/* The frames from here to the top of the stack will not clear their red zones: nothing returns there. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
	uptr sp = ALIGN_DOWN((uptr)__builtin_frame_address(0), GRANULE), low;

	if (!checking)
		return;
	low = current->kernel_stack;
	if (sp - low < KERNEL_STACK_SIZE)
		kasan_unpoison((void *)sp, low + KERNEL_STACK_SIZE - sp);
}

/* As the compiler lays it out. */
struct asan_global {
	uptr start;
	size_t size, padded;
	const char *name, *file;
	uptr has_initialiser, place, indicator;
};

void __asan_register_globals(struct asan_global *g, size_t n);
void __asan_register_globals(struct asan_global *g, size_t n)
{
	for (; n--; g++) {
		size_t whole = ALIGN_UP(g->size, GRANULE);

		if (g->size % GRANULE)
			*shadow_of(g->start + g->size) = g->size % GRANULE;
		memset(shadow_of(g->start + whole), KASAN_GLOBAL, (g->padded - whole) / GRANULE);
	}
}

void __asan_unregister_globals(struct asan_global *g, size_t n);
void __asan_unregister_globals(struct asan_global *g, size_t n)
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
