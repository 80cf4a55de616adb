/*
 * Hooks of the allocators into the address sanitizer; nothing outside CONFIG_KASAN. Freed memory
 * is poisoned in a shadow byte per 8 bytes, and each access that the compiler instrumented looks
 * there first.
 */
#pragma once

#include <mm/page.h>

#define KASAN_FREE_PAGE  0xff
#define KASAN_REDZONE    0xfc
#define KASAN_FREE_SLAB  0xfb

#ifdef CONFIG_KASAN
/* Bytes of shadow for the given number of frames. */
u64 kasan_shadow_size(u64 nr_frames);
/* Turns checking on; shadow is zeroed direct-map memory for nr_frames frames. */
void kasan_init(u8 *shadow, u64 nr_frames);
/* addr is in the direct map and a multiple of 8. */
void kasan_poison(const void *addr, size_t size, u8 why);
void kasan_unpoison(const void *addr, size_t size);
/* True when the first byte at p is poisoned. */
bool kasan_is_poisoned(const void *p);
/* Keeps p back from reuse for a while; returns an older object to free now, or NULL. */
void *kasan_quarantine(void *p);
#else
static inline void kasan_poison(const void *addr, size_t size, u8 why)
{
}
static inline void kasan_unpoison(const void *addr, size_t size)
{
}
#endif
