/*
 * The data-race detector of the race flavour. The compiler calls __tsan_* before each access to
 * memory; one in SKIP plain accesses of a CPU is watched: its address goes into a table, the CPU
 * waits a little, and whoever makes a conflicting access meanwhile finds it there. Conflicting: the
 * bytes overlap, one of the two writes, and neither both are marked (READ_ONCE, WRITE_ONCE,
 * atomics) nor one of them is a plain write of an aligned word that only marked reads meet. Only a
 * race that changed the value counts (with race=log also a write that somebody ran into before it
 * was made); it is a kernel bug and ends in a panic. What is meant is marked. Words of the command
 * line: with `race=log` each pair of places is reported once, with the way the watching CPU came,
 * and the kernel goes on; `race_skip=N` sets SKIP, `race_wait=N` the rounds of waiting (more for
 * virtual CPUs that do not run at the same time).
 *
 * A slot of the table is one word, changed with compare-and-swap. A watch belongs to the CPU that
 * set it; who runs into it leaves its place in the word itself, so nobody's place can end up in the
 * watch that follows. Nothing here is instrumented. Any context but NMIs and the earliest boot.
 */
#include <arch/cpu.h>
#include <arch/percpu.h>
#include <boot/boot_info.h>
#include <boot/init.h>
#include <dev/log.h>
#include <lib/log.h>
#include <lib/string.h>
#include <sync/preempt.h>
#include <sync/race.h>

#define SLOTS      64
#define SKIP       1000
#define WAIT_LOOPS 200
#define REPORTS    128

enum { READ = 0, WRITE = 1, MARKED = 2 };

/*
 * A watched access: address, size (1 to 8) and kind; CAUGHT: instead, the low half of the place that ran into
 * it (the image lies in the last 2 GiB) and its kind. 0: free.
 */
#define ADDR_MASK               ((1ULL << 48) - 1)
#define WATCH(addr, size, kind)                                                                    \
	(((u64)(addr) & ADDR_MASK) | (u64)(size) << 56 | (u64)((kind) & WRITE) << 55)
#define CAUGHT                  BIT(54)
#define CATCHER(ip, kind)       ((u64)(u32)(ip) | (u64)(kind) << 32 | CAUGHT)
#define CATCHER_IP(word)        ((word) & CAUGHT ? 0xffffffff00000000 | (u32)(word) : 0)
#define CATCHER_KIND(word)      ((word) & CAUGHT ? (u32)((word) >> 32 & 3) : WRITE)

static u64 watches[SLOTS];
static bool enabled;
static DEFINE_PER_CPU(s32, race_skip);
static DEFINE_PER_CPU(u32, race_busy);
static u64 reported[REPORTS]; /* pairs of places */
static u64 nr_reports;        /* atomic */
static u64 skip = SKIP, wait_loops = WAIT_LOOPS;
static bool expected, log_only;

static u64 *slot_of(uptr addr)
{
	return &watches[(addr >> 6) % SLOTS];
}

static void run_into(uptr addr, size_t size, u32 kind, uptr ip)
{
	u64 *slot = slot_of(addr), w = __atomic_load_n(slot, __ATOMIC_RELAXED);
	u64 at = w & ADDR_MASK, n = w >> 56 & 0x7f;

	if (likely(!w) || (w & CAUGHT))
		return;
	if ((addr & ADDR_MASK) >= at + n || at >= (addr & ADDR_MASK) + size)
		return;
	if (!(kind & WRITE) && !(w >> 55 & 1))
		return;
	/* The watched access is plain. */
	if ((kind & MARKED) && !(kind & WRITE) && n <= 8 && IS_ALIGNED(at, n))
		return;
	(void)__atomic_compare_exchange_n(slot, &w, CATCHER(ip, kind), false, __ATOMIC_SEQ_CST,
					  __ATOMIC_RELAXED);
}

static u64 value_at(uptr addr, size_t size)
{
	switch (size) {
	case 1:
		return *(const volatile u8 *)addr;
	case 2:
		return *(const volatile u16 *)addr;
	case 4:
		return *(const volatile u32 *)addr;
	default:
		return *(const volatile u64 *)addr;
	}
}

static bool known(u64 pair)
{
	for (u32 i = 0; i < REPORTS; i++) {
		u64 free = 0;

		if (__atomic_compare_exchange_n(&reported[i], &free, pair, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return false;
		if (free == pair)
			return true;
	}
	return true;
}

static void show(const char *what, uptr ip)
{
	char name[KSYM_NAME_LEN];
	u32 offset;

	if (ip && ksyms_lookup(ip - 1, name, &offset))
		log_write(LOG_ERR, "race:   %s by %s+0x%x (%p)", what, name, offset + 1, (void *)ip);
	else
		log_write(LOG_ERR, "race:   %s by someone unseen", what);
}

static const char *kind_name(u32 kind)
{
	if (!(kind & WRITE))
		return "read";
	return kind & MARKED ? "written (marked)" : "written";
}

static __noinline void report(uptr addr, size_t size, u32 kind, uptr ip, u64 caught)
{
	uptr other = CATCHER_IP(caught);

	__atomic_fetch_add(&nr_reports, 1, __ATOMIC_RELAXED);
	if (READ_ONCE(expected) || known((u64)(u32)ip << 32 | (u32)other))
		return;
	log_write(LOG_ERR, "race: %zu bytes at %p", size, (void *)addr);
	show(kind_name(kind), ip);
	show(kind_name(CATCHER_KIND(caught)), other);
	if (!log_only)
		panic("data race");
	arch_backtrace((uptr)__builtin_frame_address(0));
}

static __noinline void watch(uptr addr, size_t size, u32 kind, uptr ip)
{
	u64 *slot = slot_of(addr), free = 0, w, before, after;

	if (!__atomic_compare_exchange_n(slot, &free, WATCH(addr, size, kind), false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return;
	before = value_at(addr, size);
	for (u32 i = 0; i < wait_loops; i++)
		cpu_relax();
	after = value_at(addr, size);
	w = __atomic_exchange_n(slot, 0, __ATOMIC_SEQ_CST);
	/* What a watched write will change cannot be known; a reader it met may see it half done. */
	if (before != after || (log_only && (kind & WRITE) && (w & CAUGHT)))
		report(addr, size, kind, ip, w);
}

static __always_inline void check(uptr addr, size_t size, u32 kind, uptr ip)
{
	if (unlikely(!READ_ONCE(enabled)))
		return;
	run_into(addr, size, kind, ip);
	if ((kind & MARKED) || size > 8)
		return;
	this_cpu_add(race_skip, -1);
	if (likely(this_cpu_read(race_skip) > 0))
		return;
	/* The mark is this CPU's; an interrupt finds it set and does not watch. */
	this_cpu_add(preempt_count, 1);
	if (!this_cpu_read(race_busy)) {
		this_cpu_write(race_busy, 1);
		this_cpu_write(race_skip, (s32)skip + (s32)(ip % 97));
		watch(addr, size, kind, ip);
		this_cpu_write(race_busy, 0);
	}
	this_cpu_add(preempt_count, -1); /* a reschedule that became due waits for the next occasion */
}

u64 race_reports(void)
{
	return __atomic_load_n(&nr_reports, __ATOMIC_RELAXED);
}

void race_expect(bool on)
{
	WRITE_ONCE(expected, on);
}

static int race_init(void)
{
	char mode[8];

	log_only = boot_option_copy("race", mode, sizeof(mode)) > 0 && !strcmp(mode, "log");
	boot_option_u64("race_skip", &skip);
	boot_option_u64("race_wait", &wait_loops);
	skip = MIN(skip, 1000000);
	wait_loops = MIN(wait_loops, 1000000);
	WRITE_ONCE(enabled, true);
	return 0;
}
INIT_CALL(INIT_DEVICE, race_init);

/* ---- What the compiler calls; it knows the prototypes ---- */

#define CALLER ((uptr)__builtin_return_address(0))

void __tsan_init(void);
void __tsan_init(void)
{
}
void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
}
void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

#define DEFINE_ACCESS(name, size, kind)                                                            \
	void __tsan_##name(uptr addr);                                                             \
	void __tsan_##name(uptr addr)                                                              \
	{                                                                                          \
		check(addr, size, kind, CALLER);                                                   \
	}
#define DEFINE_ACCESSES(n)                                                                         \
	DEFINE_ACCESS(read##n, n, READ)                                                            \
	DEFINE_ACCESS(write##n, n, WRITE)                                                          \
	DEFINE_ACCESS(unaligned_read##n, n, READ)                                                  \
	DEFINE_ACCESS(unaligned_write##n, n, WRITE)                                                \
	DEFINE_ACCESS(volatile_read##n, n, READ | MARKED)                                          \
	DEFINE_ACCESS(volatile_write##n, n, WRITE | MARKED)                                        \
	DEFINE_ACCESS(unaligned_volatile_read##n, n, READ | MARKED)                                \
	DEFINE_ACCESS(unaligned_volatile_write##n, n, WRITE | MARKED)
DEFINE_ACCESSES(1)
DEFINE_ACCESSES(2)
DEFINE_ACCESSES(4)
DEFINE_ACCESSES(8)
DEFINE_ACCESSES(16)

void __tsan_read_range(uptr addr, size_t size);
void __tsan_read_range(uptr addr, size_t size)
{
	check(addr, size, READ, CALLER);
}
void __tsan_write_range(uptr addr, size_t size);
void __tsan_write_range(uptr addr, size_t size)
{
	check(addr, size, WRITE, CALLER);
}

/* Atomics become calls; the strongest order serves for all. */
#define DEFINE_RMW(bits, name)                                                                     \
	u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits v, int order);                    \
	u##bits __tsan_atomic##bits##_##name(u##bits *p, u##bits v, int order)                     \
	{                                                                                          \
		check((uptr)p, bits / 8, WRITE | MARKED, CALLER);                                  \
		return __atomic_##name##_n_(p, v);                                                 \
	}
#define __atomic_exchange_n_(p, v)  __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define __atomic_fetch_add_n_(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define __atomic_fetch_sub_n_(p, v) __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define __atomic_fetch_and_n_(p, v) __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)
#define __atomic_fetch_or_n_(p, v)  __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define __atomic_fetch_xor_n_(p, v) __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST)

#define DEFINE_ATOMICS(bits)                                                                       \
	u##bits __tsan_atomic##bits##_load(const u##bits *p, int order);                           \
	u##bits __tsan_atomic##bits##_load(const u##bits *p, int order)                            \
	{                                                                                          \
		check((uptr)p, bits / 8, READ | MARKED, CALLER);                                   \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                       \
	}                                                                                          \
	void __tsan_atomic##bits##_store(u##bits *p, u##bits v, int order);                        \
	void __tsan_atomic##bits##_store(u##bits *p, u##bits v, int order)                         \
	{                                                                                          \
		check((uptr)p, bits / 8, WRITE | MARKED, CALLER);                                  \
		if (order == __ATOMIC_SEQ_CST)                                                     \
			__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                  \
		else                                                                               \
			__atomic_store_n(p, v, __ATOMIC_RELEASE);                                  \
	}                                                                                          \
	DEFINE_RMW(bits, exchange)                                                                 \
	DEFINE_RMW(bits, fetch_add)                                                                \
	DEFINE_RMW(bits, fetch_sub)                                                                \
	DEFINE_RMW(bits, fetch_and)                                                                \
	DEFINE_RMW(bits, fetch_or)                                                                 \
	DEFINE_RMW(bits, fetch_xor)                                                                \
	DEFINE_CMPXCHG(bits, strong)                                                               \
	DEFINE_CMPXCHG(bits, weak)
#define DEFINE_CMPXCHG(bits, how)                                                                  \
	bool __tsan_atomic##bits##_compare_exchange_##how(u##bits *p, u##bits *old, u##bits v,     \
							  int success, int failure);               \
	bool __tsan_atomic##bits##_compare_exchange_##how(u##bits *p, u##bits *old, u##bits v,     \
							  int success, int failure)                \
	{                                                                                          \
		check((uptr)p, bits / 8, WRITE | MARKED, CALLER);                                  \
		return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST,             \
						   __ATOMIC_SEQ_CST);                              \
	}
DEFINE_ATOMICS(8)
DEFINE_ATOMICS(16)
DEFINE_ATOMICS(32)
DEFINE_ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
	barrier();
}
