/*
 * The vDSO: clocks and the CPU's number without a system call. This is user-mode code, a shared
 * object that exec maps behind the pages of time. It has no data of its own, no relocations and
 * nothing to initialise; what it cannot answer it asks the kernel, which gives every errno.
 *
 * The page of time tells which counter to read (time/clock_page.h has the arithmetic). A reader that
 * finds its sequence count odd or changed starts over.
 */
#include <arch_impl/cpu.h>
#include <asm/unistd.h>
#include <lib/types.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <time/clock_page.h>
#include <x86/gdt.h>
#include <x86/kvmclock.h>

/* Placed by vdso.lds, in front of the image. Not const: the compiler would take them not to change. */
extern struct clock_page time_page __attribute__((visibility("hidden")));
extern struct kvmclock_time kvmclock_page __attribute__((visibility("hidden")));

#define EXPORT(name, type, ...)                                                                    \
	type __vdso_##name(__VA_ARGS__) __attribute__((visibility("default")));                        \
	type name(__VA_ARGS__) __attribute__((weak, alias("__vdso_" #name), visibility("default")));    \
	type __vdso_##name(__VA_ARGS__)

#define NO_TIME U64_MAX

static long syscall2(long nr, long a, long b)
{
	long res;

	__asm__ __volatile__("syscall" : "=a"(res) : "0"(nr), "D"(a), "S"(b)
			     : "rcx", "r11", "memory");
	return res;
}

static __always_inline u64 rdtscp(void)
{
	u32 lo, hi;

	__asm__ __volatile__("rdtscp" : "=a"(lo), "=d"(hi) : : "ecx", "memory");
	return (u64)hi << 32 | lo;
}

/* Cycles, by the counter that the page names; NO_TIME: only the kernel can read it. */
static __always_inline u64 read_counter(u32 counter)
{
	u64 ns;

	if (counter == CLOCK_COUNTER_RDTSCP)
		return rdtscp();
	if (counter == CLOCK_COUNTER_RDTSC)
		return rdtsc_ordered();
	if (counter == CLOCK_COUNTER_PVCLOCK && kvmclock_time_read(&kvmclock_page, &ns))
		return ns;
	return NO_TIME;
}

static __always_inline u64 read_clock_with(u32 counter, u32 id, bool raw)
{
	const struct clock_page *p = &time_page;

	for (;;) {
		u32 seq = __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE);
		u64 cycles = read_counter(counter), ns;

		if (counter != CLOCK_COUNTER_RDTSCP && cycles == NO_TIME)
			return NO_TIME;
		cycles -= p->base_cycles;
		if (unlikely((s64)cycles < 0))
			cycles = 0;
		ns = (u64)((unsigned __int128)cycles * (raw ? p->raw_mult : p->mult) >> CLOCK_SHIFT);
		ns += (raw ? p->raw_ns : p->base_ns) + (u64)p->offset_ns[id];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (likely(!(seq & 1) && READ_ONCE(p->seq) == seq))
			return ns;
		cpu_relax();
	}
}

static __noinline u64 read_clock_slow(u32 counter, u32 id, bool raw)
{
	return read_clock_with(counter, id, raw);
}

/* The clock's time; raw: of MONOTONIC_RAW. NO_TIME: only the kernel can tell. */
static __always_inline u64 read_clock(u32 id, bool raw)
{
	u32 counter = READ_ONCE(time_page.counter);

	if (likely(counter == CLOCK_COUNTER_RDTSCP))
		return read_clock_with(CLOCK_COUNTER_RDTSCP, id, raw);
	return read_clock_slow(counter, id, raw);
}

static __always_inline void put_time(struct __kernel_timespec *ts, u64 ns)
{
	u64 seconds = ns / NSEC_PER_SEC;

	ts->tv_sec = (s64)seconds;
	ts->tv_nsec = (s64)(ns - seconds * NSEC_PER_SEC);
}

static __noinline int other_clock(u32 id, struct __kernel_timespec *ts)
{
	u64 bit = id < CLOCK_PAGE_IDS ? BIT(id) : 0, ns = NO_TIME;

	if (bit & CLOCKS_FINE)
		ns = read_clock(id, false);
	else if (bit & CLOCKS_RAW)
		ns = read_clock(id, true);
	else if (bit & CLOCKS_COARSE)
		ns = read_clock(CLOCK_MONOTONIC, false);
	if (ns == NO_TIME)
		return (int)syscall2(__NR_clock_gettime, (int)id, (long)ts);
	if (bit & CLOCKS_COARSE)
		ns = ns - ns % CLOCK_COARSE_NS + (u64)READ_ONCE(time_page.offset_ns[id]);
	put_time(ts, ns);
	return 0;
}

EXPORT(clock_gettime, int, u32 id, struct __kernel_timespec *ts)
{
	if (unlikely(id >= CLOCK_PAGE_IDS || !(CLOCKS_FINE >> id & 1) ||
		     READ_ONCE(time_page.counter) != CLOCK_COUNTER_RDTSCP))
		return other_clock(id, ts);
	put_time(ts, read_clock_with(CLOCK_COUNTER_RDTSCP, id, false));
	return 0;
}

EXPORT(gettimeofday, int, struct __kernel_old_timeval *tv, struct timezone *tz)
{
	if (tv) {
		u64 ns = read_clock(CLOCK_REALTIME, false);
		struct __kernel_timespec ts;

		if (unlikely(ns == NO_TIME))
			return (int)syscall2(__NR_gettimeofday, (long)tv, (long)tz);
		put_time(&ts, ns);
		tv->tv_sec = ts.tv_sec;
		tv->tv_usec = (u32)ts.tv_nsec / 1000;
	}
	if (unlikely(tz)) {
		tz->tz_minuteswest = READ_ONCE(time_page.timezone.tz_minuteswest);
		tz->tz_dsttime = READ_ONCE(time_page.timezone.tz_dsttime);
	}
	return 0;
}

EXPORT(time, __kernel_old_time_t, __kernel_old_time_t *t)
{
	u64 ns = read_clock(CLOCK_REALTIME, false);
	__kernel_old_time_t now;

	if (unlikely(ns == NO_TIME))
		return syscall2(__NR_time, (long)t, 0);
	now = (__kernel_old_time_t)(ns / NSEC_PER_SEC);
	if (t)
		*t = now;
	return now;
}

EXPORT(clock_getres, int, u32 id, struct __kernel_timespec *res)
{
	u64 bit = id < CLOCK_PAGE_IDS ? BIT(id) : 0;

	if (!(bit & (CLOCKS_FINE | CLOCKS_RAW | CLOCKS_COARSE)))
		return (int)syscall2(__NR_clock_getres, (int)id, (long)res);
	if (res) {
		res->tv_sec = 0;
		res->tv_nsec = bit & CLOCKS_COARSE ? (s64)CLOCK_COARSE_NS : 1;
	}
	return 0;
}

/* There is one memory node. The third argument has had no meaning since Linux 2.6.24. */
EXPORT(getcpu, int, u32 *cpu, u32 *node, void *unused __maybe_unused)
{
	u64 number;

	if (time_page.has_rdpid)
		__asm__ __volatile__("rdpid %0" : "=r"(number));
	else
		__asm__ __volatile__("lsl %k1, %k0" : "=r"(number) : "r"(CPU_NUMBER_SEL));
	if (cpu)
		*cpu = (u32)number & 0xfff;
	if (node)
		*node = 0;
	return 0;
}
