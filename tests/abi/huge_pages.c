/*
 * 2 MiB pages of anonymous memory: who asks for them gets them, and nothing that can be done to a part of
 * one, or to all of it, shows in what the memory holds.
 */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#define HUGE    (2u << 20)
#define PAGE    4096u
#define ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

static char mode_before[64];

static void mode_is(const char *mode)
{
	char *end;

	if (access(ENABLED, W_OK))
		SKIP("the kernel has none, or they are not ours to turn on");
	if (!mode_before[0]) {
		read_file(ENABLED, mode_before, sizeof(mode_before));
		memmove(mode_before, strchr(mode_before, '[') + 1, 20);
		end = strchr(mode_before, ']');
		*end = '\0';
	}
	write_file(ENABLED, mode);
}

static void mode_back(void)
{
	write_file(ENABLED, mode_before);
}

/* What smaps says of the area that begins there, and of all that follow up to size bytes. */
static long field_kib(const void *at, size_t size, const char *what)
{
	char line[256];
	long sum = 0, kib;
	u64 start = 0, first, end;
	FILE *f = fopen("/proc/self/smaps", "r");
	size_t n = strlen(what);

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			start = first;
		if (start >= (u64)at && start < (u64)at + size && !strncmp(line, what, n) && line[n] == ':') {
			CHECK_EQ(sscanf(line + n + 1, "%ld", &kib), 1);
			sum += kib;
		}
	}
	fclose(f);
	return sum;
}

static long huge_kib(const void *at, size_t size)
{
	return field_kib(at, size, "AnonHugePages");
}

/* n aligned blocks in a mapping with something unmapped on both sides. */
static char *blocks(int n)
{
	char *p = mmap(NULL, (size_t)(n + 2) * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;

	CHECK(p != MAP_FAILED);
	at = (char *)(((u64)p + HUGE) / HUGE * HUGE);
	CHECK_OK(munmap(p, (size_t)(n + 2) * HUGE));
	p = mmap(at, (size_t)n * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(p == at);
	CHECK_OK(madvise(p, (size_t)n * HUGE, MADV_HUGEPAGE));
	return p;
}

static void fill(char *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		*(u64 *)(p + i) = (u64)(p + i) ^ 0x5555;
}

/* What fill wrote when the memory was at `was`, but for zero pages from `from` to `to`. */
static void check(const char *p, const char *was, size_t size, size_t from, size_t to)
{
	for (size_t i = 0; i < size; i += PAGE)
		CHECK_EQ(*(const u64 *)(p + i), i >= from && i < to ? 0 : (u64)(was + i) ^ 0x5555);
}

TEST(who_asks_gets_them)
{
	char *p;

	mode_is("madvise");
	p = blocks(3);
	CHECK_EQ(huge_kib(p, 3 * HUGE), 0);
	p[HUGE + 5 * PAGE] = 1;
	CHECK_EQ(huge_kib(p, 3 * HUGE), 2048);
	CHECK_EQ(field_kib(p, 3 * HUGE, "Rss"), 2048);
	CHECK_EQ(p[HUGE], 0);
	CHECK_EQ(p[2 * HUGE - 1], 0);
	fill(p, 3 * HUGE);
	CHECK_EQ(huge_kib(p, 3 * HUGE), 3 * 2048);
	check(p, p, 3 * HUGE, 0, 0);
	CHECK_OK(munmap(p, 3 * HUGE));
	/* Nobody asked. */
	p = blocks(2);
	CHECK_OK(madvise(p, 2 * HUGE, MADV_NOHUGEPAGE));
	fill(p, 2 * HUGE);
	CHECK_EQ(huge_kib(p, 2 * HUGE), 0);
	CHECK_OK(munmap(p, 2 * HUGE));
	mode_back();
}

TEST(modes_and_the_wish_of_a_process_count)
{
	char *p, text[64];

	mode_is("never");
	p = blocks(1);
	fill(p, HUGE);
	CHECK_EQ(huge_kib(p, HUGE), 0);
	mode_is("always");
	read_file(ENABLED, text, sizeof(text));
	CHECK_STR(text, "[always] madvise never\n");
	p = blocks(1);
	fill(p, HUGE);
	CHECK_EQ(huge_kib(p, HUGE), 2048);
	CHECK_EQ(field_kib(p, HUGE, "THPeligible"), 1);
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	IN_CHILD {
		CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
		p = blocks(1);
		fill(p, HUGE);
		CHECK_EQ(huge_kib(p, HUGE), 0);
	}
	CHECK_OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	mode_back();
}

/* One change of a part, then what is there. */
static void part(void (*change)(char *), size_t from, size_t to)
{
	char *p = blocks(2);

	fill(p, 2 * HUGE);
	CHECK_EQ(huge_kib(p, 2 * HUGE), 4096);
	change(p);
	check(p, p, 2 * HUGE, from, to);
	fill(p, 2 * HUGE);
	check(p, p, 2 * HUGE, 0, 0);
	CHECK_OK(munmap(p, 2 * HUGE));
}

static void forget_some(char *p)
{
	CHECK_OK(madvise(p + HUGE - 3 * PAGE, 5 * PAGE, MADV_DONTNEED));
	CHECK_EQ(field_kib(p, 2 * HUGE, "Rss"), 4096 - 20);
}

static void forget_one(char *p)
{
	CHECK_OK(madvise(p + HUGE, HUGE, MADV_DONTNEED));
	CHECK_EQ(huge_kib(p, 2 * HUGE), 2048);
	CHECK_EQ(field_kib(p, 2 * HUGE, "Rss"), 2048);
}

static void replace_some(char *p)
{
	CHECK(mmap(p + 7 * PAGE, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      p + 7 * PAGE);
}

static void protect_some(char *p)
{
	CHECK_OK(mprotect(p + HUGE / 2, HUGE, PROT_READ));
	CHECK_OK(mprotect(p + HUGE / 2, HUGE, PROT_NONE));
	CHECK_OK(mprotect(p + HUGE / 2, HUGE, PROT_READ | PROT_WRITE));
}

static void protect_all(char *p)
{
	CHECK_OK(mprotect(p, 2 * HUGE, PROT_READ));
	CHECK_OK(mprotect(p, 2 * HUGE, PROT_NONE));
	CHECK_OK(mprotect(p, 2 * HUGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(huge_kib(p, 2 * HUGE), 4096);
}

static void lock_some(char *p)
{
	CHECK_OK(mlock(p + PAGE, HUGE));
	CHECK_OK(munlock(p + PAGE, HUGE));
}

/* What the child writes is its own, and what the parent writes, too. */
static void share(char *p)
{
	IN_CHILD {
		check(p, p, 2 * HUGE, 0, 0);
		memset(p + HUGE / 2, 7, HUGE);
		CHECK_EQ(p[0], (char)((u64)p ^ 0x5555));
	}
	check(p, p, 2 * HUGE, 0, 0);
}

static void read_from_outside(char *p)
{
	u64 word = 0;
	struct iovec to = { &word, 8 }, from = { p + HUGE + 9 * PAGE, 8 };

	CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), 8);
	CHECK_EQ(word, (u64)(p + HUGE + 9 * PAGE) ^ 0x5555);
}

static void look(char *p)
{
	u8 there[2 * HUGE / PAGE];
	u64 words[2] = { 0 };
	int fd = open("/proc/self/pagemap", O_RDONLY);

	CHECK_OK(mincore(p, 2 * HUGE, there));
	for (u32 i = 0; i < sizeof(there); i++)
		CHECK_EQ(there[i] & 1, 1);
	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, words, 16, (off_t)((u64)(p + HUGE - PAGE) / PAGE * 8)), 16);
	CHECK(words[0] >> 63 && words[1] >> 63);
	close(fd);
	CHECK_EQ(huge_kib(p, 2 * HUGE), 4096);
}

TEST_LIMIT(parts_behave_like_pages, 60)
{
	mode_is("always");
	part(forget_some, HUGE - 3 * PAGE, HUGE + 2 * PAGE);
	part(forget_one, HUGE, 2 * HUGE);
	part(replace_some, 7 * PAGE, HUGE + 7 * PAGE);
	part(protect_some, 0, 0);
	part(protect_all, 0, 0);
	part(lock_some, 0, 0);
	part(share, 0, 0);
	part(read_from_outside, 0, 0);
	part(look, 0, 0);
	mode_back();
}

TEST(areas_move_with_them)
{
	char *p, *q, *to;

	mode_is("always");
	p = blocks(2);
	fill(p, 2 * HUGE);
	to = blocks(2);
	CHECK_OK(munmap(to, 2 * HUGE));
	CHECK(mremap(p, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check(to, p, 2 * HUGE, 0, 0);
	CHECK_EQ(huge_kib(to, 2 * HUGE), 4096);
	/* To a place that is not aligned. */
	q = blocks(3);
	CHECK(mremap(to, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 3 * PAGE) == q + 3 * PAGE);
	check(q + 3 * PAGE, p, 2 * HUGE, 0, 0);
	CHECK_OK(munmap(q, 3 * HUGE));
	mode_back();
}

static char *shared_blocks;
static volatile bool stop;

static void *write_all(void *arg)
{
	while (!stop) {
		for (size_t i = 0; i < 2 * HUGE; i += 64 * PAGE)
			shared_blocks[i + (size_t)arg] = 1;
	}
	return NULL;
}

/* Writers in pages that another thread splits, drops, protects and shares. What is left is theirs or zero. */
TEST_LIMIT(threads_meet_in_them, 60)
{
	pthread_t t[3];

	mode_is("always");
	shared_blocks = blocks(2);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		CHECK_EQ(pthread_create(&t[i], NULL, write_all, (void *)i), 0);
	for (int i = 0; i < SCALE(60, 3000); i++) {
		char *at = shared_blocks + (size_t)(i * 7 % 1024) * PAGE;
		pid_t pid;

		switch (i % 5) {
		case 0:
			CHECK_OK(madvise(shared_blocks, 2 * HUGE, MADV_DONTNEED));
			break;
		case 1:
			CHECK_OK(madvise(at, PAGE, MADV_DONTNEED));
			break;
		case 2:
			CHECK_OK(madvise(shared_blocks + HUGE, HUGE, MADV_DONTNEED));
			break;
		case 3:
			pid = test_fork();
			if (!pid) {
				shared_blocks[0] = 2;
				_exit(0);
			}
			CHECK_EXITS(pid, 0);
			break;
		case 4:
			huge_kib(shared_blocks, 2 * HUGE);
			break;
		}
	}
	stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (size_t i = 0; i < 2 * HUGE; i++)
		CHECK(shared_blocks[i] == 0 || (shared_blocks[i] == 1 && i % (64 * PAGE) < ARRAY_SIZE(t)));
	CHECK_OK(munmap(shared_blocks, 2 * HUGE));
	mode_back();
}
