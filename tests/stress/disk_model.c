/*
 * A disk under random work against a model in memory: four processes, each with a part of the disk of its
 * own, write through the cache, with O_DIRECT and through mappings, zero, discard, flush, and compare
 * all they read, whichever way they read it. Their parts are not aligned to pages, so neighbours meet in
 * pages; there nobody uses O_DIRECT, which Linux does not keep coherent against writers in the same page.
 */
#include "disk.h"
#include "rnd.h"

#define WORKERS 4
#define PART    (2u << 20)
#define SECTOR  512u
#define EDGE    4096u

static u8 *model, *buf;
static int cached, direct;
static off_t base;

static u32 some_length(void)
{
	return rnd(rnd(8) ? 9000 : 300000) + 1;
}

/* A range of whole sectors away from the edges. */
static void sectors(u32 *at, u32 *len)
{
	*at = EDGE + rnd(PART - 2 * EDGE) / SECTOR * SECTOR;
	*len = (some_length() + SECTOR - 1) / SECTOR * SECTOR;
	if (*len > PART - EDGE - *at)
		*len = PART - EDGE - *at;
}

static void compare(void)
{
	u32 at, len;
	int fd = rnd(2) ? cached : direct;

	sectors(&at, &len);
	if (!len)
		return;
	CHECK_EQ(pread(fd, buf, len, base + at), len);
	for (u32 i = 0; i < len; i++)
		if (buf[i] != model[at + i])
			FAIL("byte %u of part %lld is %u, not %u (%s)", at + i,
			     (long long)base / PART, buf[i], model[at + i],
			     fd == direct ? "direct" : "cached");
}

static void step_cached(void)
{
	u32 at = rnd(PART), len = some_length();

	if (len > PART - at)
		len = PART - at;
	disk_fill(buf, len, rnd(1 << 30));
	CHECK_EQ(pwrite(cached, buf, len, base + at), len);
	memcpy(model + at, buf, len);
}

static void step_direct(void)
{
	u32 at, len;

	sectors(&at, &len);
	if (!len)
		return;
	disk_fill(buf, len, rnd(1 << 30));
	CHECK_EQ(pwrite(direct, buf, len, base + at), len);
	memcpy(model + at, buf, len);
}

static void step_mapped(void)
{
	off_t from = base & ~4095;
	size_t size = (size_t)(base - from) + PART;
	u8 *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cached, from);

	CHECK(map != MAP_FAILED);
	for (int i = 0; i < 4; i++) {
		u32 at = rnd(PART), len = rnd(5000) + 1;

		if (len > PART - at)
			len = PART - at;
		memset(map + (base - from) + at, (int)rnd(256), len);
		memcpy(model + at, map + (base - from) + at, len);
	}
	if (rnd(2))
		CHECK_OK(msync(map, size, MS_SYNC));
	CHECK_OK(munmap(map, size));
}

static void step_zero(void)
{
	u32 at, len;

	sectors(&at, &len);
	if (!len)
		return;
	CHECK_OK(ioctl(cached, BLKZEROOUT, (u64[2]){ (u64)base + at, len }));
	memset(model + at, 0, len);
}

static void work(int nr, u32 steps)
{
	seed = 88172645463325252ULL + (u64)nr * 7919;
	base = (off_t)nr * PART + 1536;
	model = disk_buffer(PART);
	buf = disk_buffer(1 << 20);
	CHECK_EQ(pwrite(cached, model, PART, base), PART);
	for (u32 i = 0; i < steps; i++) {
		switch (rnd(8)) {
		case 0:
		case 1:
			step_cached();
			break;
		case 2:
		case 3:
			step_direct();
			break;
		case 4:
			step_mapped();
			break;
		case 5:
			step_zero();
			break;
		case 6:
			CHECK_OK(rnd(2) ? fsync(cached) : fdatasync(direct));
			break;
		default:
			if (!rnd(20))
				CHECK_OK(ioctl(cached, BLKFLSBUF, 0));
		}
		compare();
	}
	CHECK_OK(fsync(cached));
	_exit(0);
}

TEST_LIMIT(disk_behaves_as_modelled, 600)
{
	pid_t pid[WORKERS];

	cached = disk_open(O_RDWR);
	direct = disk_open(O_RDWR | O_DIRECT);
	for (int i = 0; i < WORKERS; i++) {
		pid[i] = test_fork();
		if (!pid[i])
			work(i, (u32)SCALE(400, 20000));
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EXITS(pid[i], 0);
}
