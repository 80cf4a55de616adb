/* Compiler vocabulary: attributes, annotations and the few macros that every file needs. */
#pragma once

#include <stddef.h>

#define __must_check   __attribute__((warn_unused_result))
#define __noreturn     __attribute__((noreturn))
#define __packed       __attribute__((packed))
#define __aligned(n)   __attribute__((aligned(n)))
#define __section(s)   __attribute__((section(s), used))
#define __weak         __attribute__((weak))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __cold         __attribute__((cold))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline     __attribute__((noinline))
#define __uninit       __attribute__((uninitialized)) /* local: filled before it is read */
#define __maybe_unused __attribute__((unused))
#define __no_sanitize_address __attribute__((no_sanitize_address))

/* Code and data that are needed during boot only; freed or made unreachable afterwards. */
#define __init     __section(".init.text") __cold
#define __initdata __section(".init.data")
/* Written during boot, read-only once kernel protections are sealed. */
#define __ro_after_init __attribute__((section(".data.ro_after_init")))
/* The same for what is large and starts as zero: the image does not hold it. */
#define __ro_after_init_zero __attribute__((section(".bss.ro_after_init")))
/* Shared, often written: keeps its cache lines to itself. */
#define __cacheline_aligned __attribute__((aligned(64)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define static_assert _Static_assert
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* Each use has its own temporaries, so that uses may nest. */
#define MIN(a, b) MIN_(a, b, __COUNTER__)
#define MAX(a, b) MAX_(a, b, __COUNTER__)
#define MIN_(a, b, n) MIN_UNIQUE_(a, b, n)
#define MAX_(a, b, n) MAX_UNIQUE_(a, b, n)
#define MIN_UNIQUE_(a, b, n)                                                                       \
	({ __auto_type min_a_##n = (a); __auto_type min_b_##n = (b);                                    \
	   min_a_##n < min_b_##n ? min_a_##n : min_b_##n; })
#define MAX_UNIQUE_(a, b, n)                                                                       \
	({ __auto_type max_a_##n = (a); __auto_type max_b_##n = (b);                                    \
	   max_a_##n > max_b_##n ? max_a_##n : max_b_##n; })
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN_UP(x, a)   ALIGN_DOWN((x) + (__typeof__(x))(a) - 1, a)
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define BIT(n) (1ULL << (n))

/* One access, exactly as wide as the object: for data that another context changes meanwhile. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()        __asm__ __volatile__("" ::: "memory")

/* Scope-bound clean-up: AUTO(fn) calls fn(&variable) on every path out of the scope. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Clang's thread-safety analysis; GCC ignores it, debug flavours assert the same at run time. */
#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define CAPABILITY(name)   TSA(capability(name))
#define GUARDED_BY(l)      TSA(guarded_by(l))
#define REQUIRES(...)      TSA(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) TSA(requires_shared_capability(__VA_ARGS__))
#define ACQUIRES(...)      TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRES_SHARED(...) TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASES(...)      TSA(release_capability(__VA_ARGS__))
#define RELEASES_SHARED(...) TSA(release_shared_capability(__VA_ARGS__))
#define TRY_ACQUIRES(...)  TSA(try_acquire_capability(__VA_ARGS__))
#define ASSERTS_HELD(...)  TSA(assert_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY   TSA(no_thread_safety_analysis)
