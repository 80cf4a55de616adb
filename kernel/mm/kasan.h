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
#define KASAN_GLOBAL     0xf9
/* What the compiler writes below, between and above the variables of a frame. */
#define KASAN_STACK_LEFT  0xf1
#define KASAN_STACK_MID   0xf2
#define KASAN_STACK_RIGHT 0xf3

#ifdef CONFIG_KASAN
/* Bytes of shadow for the given number of frames. */
u64 kasan_shadow_size(u64 nr_frames);
/* Pages for the tables that make it reachable. */
u64 kasan_shadow_tables(u64 nr_frames);
/* Turns checking on. shadow and tables: zeroed direct-map memory for nr_frames frames. */
void kasan_init(u8 *shadow, struct pte *tables, u64 nr_frames);
/* addr is in the direct map or a mapped kernel stack, and a multiple of 8. */
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
