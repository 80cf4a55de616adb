/*
 * Executes mutated ELF files (10 000 with TEST_FULL), small ones and a real static program: each is refused with an
 * errno, runs to some end, or dies by a signal. Afterwards no memory is missing, and an unspoilt
 * program still runs.
 */
#include "test.h"

#include "elf_image.h"
#include "exhaust.h"

#define NOBODY  54321
#define REFUSED 99

static const u8 exit_0[] = { 0x31, 0xff, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05 };

static u64 state = 0x853c49e6748fea9b;

static u64 random_below(u64 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

/* Values that are at the edge of something, or anything. */
static u64 random_value(void)
{
	static const u64 edges[] = {
		0, 1, 2, 3, 4095, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff, 0x400000,
		0x7ffffffff000, 0x7fffffffefff, 0x800000000000, 0xffff800000000000,
		0xffffffff80000000, 0x8000000000000000, 0x7fffffffffffffff, ~0ULL, -4096ULL,
	};

	return random_below(2) ? edges[random_below(ARRAY_SIZE(edges))] :
				 state >> random_below(64);
}

static void limit(int resource, rlim_t v)
{
	struct rlimit r = { v, v };

	CHECK_OK(setrlimit(resource, &r));
}

static int run(const char *path)
{
	pid_t pid = test_fork();

	if (!pid) {
		limit(RLIMIT_CORE, 0);
		limit(RLIMIT_AS, 64 << 20);
		limit(RLIMIT_CPU, 1);
		limit(RLIMIT_FSIZE, 0);
		limit(RLIMIT_NOFILE, 3);
		close(1); /* whatever it prints */
		close(2);
		if (!geteuid())
			become(NOBODY, NOBODY);
		limit(RLIMIT_NPROC, 1);
		alarm(2);
		execl(path, path, "--helper", "fine", NULL);
		_exit(REFUSED);
	}
	return test_reap(pid);
}

HELPER(fine)
{
	return 7;
}

/* A private copy of this very program. */
static void copy_self(const char *path)
{
	int from = (int)CHECK_OK(open(test_self, O_RDONLY)), to;
	char buf[65536];
	ssize_t n;

	to = (int)CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755));
	while ((n = read(from, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(to, buf, (size_t)n), n);
	CHECK_OK(fchmod(to, 0755));
	close(from);
	close(to);
}

/* Changes one to four places among the first `span` bytes, runs, and puts them back. */
static void mutate_and_run(const char *path, size_t span, u32 *refused, u32 *killed)
{
	int fd = (int)CHECK_OK(open(path, O_RDWR)), status;
	u8 head[1024];
	u64 changes = 1 + random_below(4);

	CHECK(span <= sizeof(head) - 8);
	CHECK_EQ(pread(fd, head, sizeof(head), 0), sizeof(head));
	while (changes--) {
		static const u8 widths[] = { 1, 2, 4, 8 };
		u64 v = random_value();

		/* The magic stays most of the time, or nothing else would be seen. */
		u64 at = random_below(16) ? 16 + random_below(span - 16) : random_below(16);

		CHECK(pwrite(fd, &v, widths[random_below(4)], (off_t)(at & ~1ULL)) > 0);
	}
	close(fd);
	status = run(path);
	*refused += status == REFUSED << 8;
	*killed += (status & 0x7f) != 0;
	fd = (int)CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	close(fd);
}

TEST_LIMIT(mutated_programs, 600)
{
	u32 refused = 0, killed = 0, rounds = SCALE(2500, 10000);
	long before;

	if (!getenv("TEST_VM"))
		rounds = 500; /* what a spoilt program does on this machine is not our business */
	CHECK_OK(chmod(".", 0755));
	elf_write("small", ET_EXEC, 0x400000, exit_0, sizeof(exit_0), NULL);
	elf_write("pie", ET_DYN, 0, exit_0, sizeof(exit_0), NULL);
	copy_self("real");
	elf_write("dynamic", ET_DYN, 0, exit_0, sizeof(exit_0), "./small");
	CHECK_EQ(run("small"), 0);
	CHECK_EQ(run("real"), 7 << 8);
	for (int i = 0; i < 200; i++) /* caches fill up */
		mutate_and_run("small", 176, &refused, &killed);
	before = available_kib();
	refused = killed = 0;
	for (u32 i = 0; i < rounds; i++)
		switch (i % 4) {
		case 0:
			mutate_and_run("small", 176, &refused, &killed);
			break;
		case 1:
			mutate_and_run("pie", 176, &refused, &killed);
			break;
		case 2:
			mutate_and_run("dynamic", 300, &refused, &killed);
			break;
		default:
			mutate_and_run("real", 64 + 6 * 56, &refused, &killed);
		}
	CHECK(refused > rounds / 50);
	CHECK(killed > rounds / 50);
	CHECK_EQ(run("small"), 0);
	CHECK_EQ(run("pie"), 0);
	CHECK_EQ(run("real"), 7 << 8);
	if (getenv("TEST_VM"))
		check_recovered(before);
}
