/*
 * Files that have blocks: O_DIRECT beside the cache and mappings, ranges that are taken out and put in,
 * the map of blocks. Where the directory's file system has none (tmpfs), the claims are skipped.
 */
#include "test.h"

#include <pthread.h>

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <linux/stat.h>

#define BLOCK  4096
#define MAX    (64 * BLOCK)
#define EXT4_MAGIC 0xef53

static u8 *mem, *model; /* aligned */

static int make(int flags)
{
	struct statfs fs;

	CHECK_OK(statfs(".", &fs));
	if (fs.f_type != EXT4_MAGIC || !getenv("TEST_EXT4"))
		SKIP("not on ext4");
	CHECK(posix_memalign((void **)&mem, BLOCK, MAX) == 0);
	model = calloc(1, MAX);
	CHECK(model != NULL);
	return CHECK_OK(open("f", O_RDWR | O_CREAT | flags, 0644));
}

static void fill(u8 *p, size_t n, unsigned salt)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (u8)(i * 7 + (i >> 9) + salt);
}

static off_t size_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_size;
}

TEST(direct_alignment)
{
	int fd = make(O_DIRECT);

	fill(mem, MAX, 1);
	CHECK_ERR(pwrite(fd, mem, 100, 0), EINVAL);
	CHECK_ERR(pwrite(fd, mem + 8, BLOCK, 0), EINVAL);
	CHECK_ERR(pwrite(fd, mem, BLOCK, 100), EINVAL);
	CHECK_EQ(size_of(fd), 0);
	CHECK_EQ(pwrite(fd, mem, 2 * BLOCK, 0), 2 * BLOCK);
	CHECK_ERR(pread(fd, mem + 8, BLOCK, 0), EINVAL);
	CHECK_ERR(pread(fd, mem, 100, 0), EINVAL);
	CHECK_ERR(pread(fd, mem, BLOCK, 100), EINVAL);
	CHECK_EQ(pread(fd, mem, 100, 2 * BLOCK), 0);
	CHECK_EQ(pread(fd, mem, 512, 512), 512);
	CHECK_EQ(size_of(fd), 2 * BLOCK);
}

TEST(direct_reads_up_to_the_end)
{
	int fd = make(O_DIRECT), plain = CHECK_OK(open("f", O_RDWR));

	fill(model, 5000, 3);
	CHECK_EQ(pwrite(plain, model, 5000, 0), 5000);
	memset(mem, 0xee, MAX);
	CHECK_EQ(pread(fd, mem, 4 * BLOCK, 0), 5000);
	CHECK(memcmp(mem, model, 5000) == 0);
	CHECK_EQ(pread(fd, mem, BLOCK, BLOCK), 5000 - BLOCK);
	CHECK(memcmp(mem, model + BLOCK, 5000 - BLOCK) == 0);
	CHECK_EQ(pread(fd, mem, BLOCK, 2 * BLOCK), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(read(fd, mem, 2 * BLOCK), 5000);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5000);
}

TEST(direct_holes_read_as_zeroes)
{
	int fd = make(O_DIRECT);

	fill(mem, BLOCK, 9);
	memcpy(model, mem, BLOCK);
	CHECK_EQ(pwrite(fd, mem, BLOCK, 8 * BLOCK), BLOCK);
	CHECK_OK(fallocate(fd, 0, 2 * BLOCK, 2 * BLOCK));
	memset(mem, 0xee, MAX);
	CHECK_EQ(pread(fd, mem, 16 * BLOCK, 0), 9 * BLOCK);
	for (size_t i = 0; i < 8 * BLOCK; i++)
		CHECK(mem[i] == 0);
	CHECK(memcmp(mem + 8 * BLOCK, model, BLOCK) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 8 * BLOCK);
}

TEST(direct_into_preallocated_blocks)
{
	int fd = make(O_DIRECT), plain = CHECK_OK(open("f", O_RDWR));

	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 * BLOCK));
	fill(mem, 4 * BLOCK, 5);
	CHECK_EQ(pwrite(fd, mem, 4 * BLOCK, 4 * BLOCK), 4 * BLOCK);
	CHECK_EQ(size_of(fd), 8 * BLOCK);
	CHECK_EQ(pread(plain, model, 8 * BLOCK, 0), 8 * BLOCK);
	for (size_t i = 0; i < 4 * BLOCK; i++)
		CHECK(model[i] == 0);
	CHECK(memcmp(model + 4 * BLOCK, mem, 4 * BLOCK) == 0);
}

/* Requests under way on the disk that the file lies on. */
static int in_flight(int fd)
{
	unsigned major_, minor_, nr;
	struct stat st;
	char line[512];
	FILE *f = fopen("/proc/diskstats", "r");

	CHECK(f != NULL);
	CHECK_OK(fstat(fd, &st));
	while (fgets(line, sizeof(line), f)) {
		CHECK_EQ(sscanf(line, "%u %u %*s %*u %*u %*u %*u %*u %*u %*u %*u %u", &major_, &minor_, &nr), 3);
		if (major_ == major(st.st_dev) && minor_ == minor(st.st_dev)) {
			fclose(f);
			return (int)nr;
		}
	}
	FAIL("no figures of the disk");
}

/* Each writer has 8 blocks of its own. */
TEST_LIMIT(direct_overwrites_run_side_by_side, 60)
{
	int fd = make(O_DIRECT), peak = 0;
	pid_t writers[8];

	for (int w = 0; w < 8; w++)
		memset(mem + w * 8 * BLOCK, 16 * w, 8 * BLOCK);
	CHECK_EQ(pwrite(fd, mem, MAX, 0), MAX);
	for (int w = 0; w < 8; w++) {
		writers[w] = test_fork();
		for (int n = 0; !writers[w]; n++) {
			memset(mem, 16 * w + n % 16, 8 * BLOCK);
			CHECK_EQ(pwrite(fd, mem, 8 * BLOCK, w * 8 * BLOCK), 8 * BLOCK);
		}
	}
	for (int now; peak < 3; peak = now > peak ? now : peak) {
		now = in_flight(fd);
		sched_yield();
	}
	for (int w = 0; w < 8; w++) {
		CHECK_OK(kill(writers[w], SIGKILL));
		CHECK_KILLED(writers[w], SIGKILL);
	}
	CHECK_EQ(pread(fd, mem, MAX, 0), MAX);
	for (int i = 0; i < MAX; i++) {
		CHECK_EQ(mem[i] >> 4, i / (8 * BLOCK));
		CHECK_EQ(mem[i], mem[i & ~(BLOCK - 1)]);
	}
}

/* What one way writes, the others see. */
TEST_LIMIT(direct_cached_and_mapped_agree, 60)
{
	int fd = make(O_DIRECT), plain = CHECK_OK(open("f", O_RDWR));
	unsigned seed = 12345;
	u8 *map;

	CHECK_OK(ftruncate(fd, MAX));
	map = mmap(NULL, MAX, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	CHECK(map != MAP_FAILED);
	for (int n = 0; n < 400; n++) {
		size_t at, len;

		seed = seed * 1103515245 + 12345;
		at = (seed >> 8) % 512 * 512;
		len = (1 + (seed >> 20) % 32) * (n % 4 ? 512 : BLOCK);
		if (!(n % 4))
			at &= ~(size_t)(BLOCK - 1);
		if (at + len > MAX)
			len = MAX - at;
		fill(mem, len, seed);
		switch ((seed >> 16) % 6) {
		case 0:
		case 1:
			CHECK_EQ(pwrite(fd, mem, len, (off_t)at), len);
			break;
		case 2:
			CHECK_EQ(pwrite(plain, mem, len, (off_t)at), len);
			break;
		case 3:
			memcpy(map + at, mem, len);
			break;
		case 4:
			memset(mem, 0, len);
			CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
					   (off_t)len));
			break;
		default:
			CHECK_EQ(pread(fd, mem, len, (off_t)at), len);
			CHECK(memcmp(mem, model + at, len) == 0);
		}
		memcpy(model + at, mem, len);
		switch ((seed >> 12) % 3) {
		case 0:
			CHECK_EQ(pread(fd, mem, MAX, 0), MAX);
			CHECK(memcmp(mem, model, MAX) == 0);
			break;
		case 1:
			CHECK_EQ(pread(plain, mem, MAX, 0), MAX);
			CHECK(memcmp(mem, model, MAX) == 0);
			break;
		default:
			CHECK(memcmp(map, model, MAX) == 0);
		}
	}
	CHECK_EQ(size_of(fd), MAX);
}

TEST(direct_append_and_vectors)
{
	int fd = make(O_DIRECT | O_APPEND), plain = CHECK_OK(open("f", O_RDONLY));
	struct iovec v[3];

	fill(mem, MAX, 2);
	for (int n = 0; n < 8; n++)
		CHECK_EQ(write(fd, mem + n * 1536, 1536), 1536);
	CHECK_EQ(size_of(fd), 8 * 1536);
	v[0] = (struct iovec){mem + BLOCK, 512};
	v[1] = (struct iovec){mem, BLOCK};
	v[2] = (struct iovec){mem + 3 * BLOCK, 3584};
	CHECK_EQ(writev(fd, v, 3), 2 * BLOCK);
	CHECK_EQ(size_of(fd), 8 * 1536 + 2 * BLOCK);
	CHECK_EQ(pread(plain, model, MAX, 0), size_of(fd));
	CHECK(memcmp(model + 3 * BLOCK, mem + BLOCK, 512) == 0);
	CHECK(memcmp(model + 3 * BLOCK + 512, mem, BLOCK) == 0);
}

TEST(direct_into_a_mapping_of_the_same_file)
{
	int fd = make(O_DIRECT);
	u8 *map;

	fill(mem, 8 * BLOCK, 4);
	CHECK_EQ(pwrite(fd, mem, 8 * BLOCK, 0), 8 * BLOCK);
	map = mmap(NULL, 8 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(pread(fd, map + 4 * BLOCK, 2 * BLOCK, 0), 2 * BLOCK);
	CHECK(memcmp(map + 4 * BLOCK, mem, 2 * BLOCK) == 0);
	CHECK_EQ(pread(fd, mem + 8 * BLOCK, 8 * BLOCK, 0), 8 * BLOCK);
	CHECK(memcmp(mem + 12 * BLOCK, mem, 2 * BLOCK) == 0);
}

/* ---- Ranges that are taken out and put in ---- */

static off_t model_size;

static void check_file(int fd)
{
	CHECK_EQ(size_of(fd), model_size);
	CHECK_EQ(pread(fd, mem, MAX, 0), model_size);
	CHECK(memcmp(mem, model, (size_t)model_size) == 0);
}

static void collapse(int fd, size_t at, size_t len)
{
	CHECK_OK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, (off_t)at, (off_t)len));
	memmove(model + at, model + at + len, (size_t)model_size - at - len);
	model_size -= (off_t)len;
}

static void insert(int fd, size_t at, size_t len)
{
	CHECK_OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, (off_t)at, (off_t)len));
	memmove(model + at + len, model + at, (size_t)model_size - at);
	memset(model + at, 0, len);
	model_size += (off_t)len;
}

TEST(collapse_and_insert_errors)
{
	int fd = make(0), ro = CHECK_OK(open("f", O_RDONLY));
	struct statfs fs;

	CHECK_OK(ftruncate(fd, 8 * BLOCK + 5));
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 100, BLOCK), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, BLOCK, 100), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, BLOCK, 8 * BLOCK), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, BLOCK), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 9 * BLOCK, BLOCK), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, 100), EINVAL);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE | FALLOC_FL_PUNCH_HOLE, 0, BLOCK), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, 0xffffffffll * BLOCK), EFBIG);
	CHECK_ERR(fallocate(ro, FALLOC_FL_INSERT_RANGE, 0, BLOCK), EBADF);
	CHECK_EQ(size_of(fd), 8 * BLOCK + 5);
	CHECK_OK(fstatfs(fd, &fs));
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0xfffffff0ll * fs.f_bsize, fs.f_bsize));
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 16 * BLOCK), EINVAL);
}

TEST(collapse_and_insert_move_data)
{
	int fd = make(0);
	u8 *map;

	model_size = 20 * BLOCK + 77;
	fill(model, (size_t)model_size, 6);
	CHECK_EQ(write(fd, model, (size_t)model_size), model_size);
	map = mmap(NULL, MAX, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && map[5 * BLOCK] == model[5 * BLOCK]);
	collapse(fd, 3 * BLOCK, 4 * BLOCK);
	CHECK(map[5 * BLOCK] == model[5 * BLOCK]);
	check_file(fd);
	insert(fd, 2 * BLOCK, 3 * BLOCK);
	CHECK(map[2 * BLOCK] == 0 && map[6 * BLOCK] == model[6 * BLOCK]);
	check_file(fd);
	CHECK_OK(fsync(fd));
	insert(fd, 0, BLOCK);
	collapse(fd, 0, 2 * BLOCK);
	check_file(fd);
}

/* So many runs that their tree has levels. */
TEST_LIMIT(collapse_and_insert_at_random, 60)
{
	int fd = make(0);
	unsigned seed = 99;

	for (size_t at = 0; at < 48 * BLOCK; at += BLOCK)
		if (at / BLOCK % 3) {
			fill(model + at, BLOCK, (unsigned)at);
			CHECK_EQ(pwrite(fd, model + at, BLOCK, (off_t)at), BLOCK);
		}
	model_size = size_of(fd);
	for (int n = 0; n < SCALE(150, 1500); n++) {
		size_t at, len, blocks = (size_t)model_size / BLOCK;

		seed = seed * 1103515245 + 12345;
		len = 1 + (seed >> 8) % 5;
		at = (seed >> 16) % blocks;
		if (blocks + len <= 64 && (seed >> 28) % 2)
			insert(fd, at * BLOCK, len * BLOCK);
		else if (blocks > 20 && at + len < blocks)
			collapse(fd, at * BLOCK, len * BLOCK);
		at = (seed >> 12) % ((size_t)model_size / BLOCK);
		fill(model + at * BLOCK, BLOCK, seed);
		CHECK_EQ(pwrite(fd, model + at * BLOCK, BLOCK, (off_t)(at * BLOCK)), BLOCK);
		if (n % 16 == 0)
			CHECK_OK(fsync(fd));
		check_file(fd);
	}
}

TEST_LIMIT(collapse_and_insert_in_a_deep_tree, 60)
{
	int fd = make(0);
	u32 word, blocks = SCALE(2000, 20000);

	for (u32 n = 0; n < blocks; n++) /* a run for each */
		CHECK_EQ(pwrite(fd, &n, 4, (off_t)n * 2 * BLOCK), 4);
	CHECK_OK(fsync(fd));
	CHECK_OK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 100 * 2 * BLOCK, 50 * 2 * BLOCK));
	CHECK_OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, 10 * 2 * BLOCK, 500 * 2 * BLOCK));
	for (u32 n = 0; n < blocks; n++) {
		u32 at = n < 10 ? n : n < 100 ? n + 500 : n < 150 ? 0 : n + 450;

		if (n >= 100 && n < 150)
			continue;
		CHECK_EQ(pread(fd, &word, 4, (off_t)at * 2 * BLOCK), 4);
		CHECK_EQ(word, n);
	}
	CHECK_EQ(pread(fd, &word, 4, (off_t)300 * 2 * BLOCK), 4);
	CHECK_EQ(word, 0);
}

/* ---- The map of blocks ---- */

static struct {
	struct fiemap f;
	struct fiemap_extent e[16];
} map;

static int get_map(int fd, u64 start, u64 len, u32 flags, u32 count)
{
	memset(&map, 0, sizeof(map));
	map.f = (struct fiemap){.fm_start = start, .fm_length = len, .fm_flags = flags,
				.fm_extent_count = count};
	return ioctl(fd, FS_IOC_FIEMAP, &map);
}

static void check_extent(int n, u64 at, u64 len, u32 flags)
{
	CHECK_EQ(map.e[n].fe_logical, at);
	CHECK_EQ(map.e[n].fe_length, len);
	CHECK_EQ(map.e[n].fe_flags, flags);
	CHECK(map.e[n].fe_flags & FIEMAP_EXTENT_DELALLOC ? !map.e[n].fe_physical
							 : map.e[n].fe_physical > 0);
}

TEST(fiemap_tells_the_runs)
{
	int fd = make(0), other;

	fill(mem, MAX, 1);
	CHECK_OK(get_map(fd, 0, ~0ull, 0, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 0);
	CHECK_EQ(pwrite(fd, mem, 2 * BLOCK, 0), 2 * BLOCK);
	CHECK_OK(get_map(fd, 0, ~0ull, 0, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 1);
	check_extent(0, 0, 2 * BLOCK, FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN);
	CHECK_OK(get_map(fd, 0, ~0ull, FIEMAP_FLAG_SYNC, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 1);
	CHECK_EQ(map.f.fm_flags, FIEMAP_FLAG_SYNC);
	check_extent(0, 0, 2 * BLOCK, FIEMAP_EXTENT_LAST);
	CHECK_OK(fallocate(fd, 0, 4 * BLOCK, 2 * BLOCK));
	other = CHECK_OK(open("g", O_RDWR | O_CREAT, 0644)); /* so that the next run is not behind it */
	CHECK_EQ(pwrite(other, mem, BLOCK, 0), BLOCK);
	CHECK_OK(fsync(other));
	CHECK_EQ(pwrite(fd, mem, 100, 10 * BLOCK), 100);
	CHECK_OK(fsync(fd));
	CHECK_OK(get_map(fd, 0, ~0ull, 0, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 3);
	check_extent(0, 0, 2 * BLOCK, 0);
	check_extent(1, 4 * BLOCK, 2 * BLOCK, FIEMAP_EXTENT_UNWRITTEN);
	check_extent(2, 10 * BLOCK, BLOCK, FIEMAP_EXTENT_LAST);
	CHECK_OK(get_map(fd, 0, ~0ull, 0, 0));
	CHECK_EQ(map.f.fm_mapped_extents, 3);
	CHECK_OK(get_map(fd, 0, ~0ull, 0, 2));
	CHECK_EQ(map.f.fm_mapped_extents, 2);
	check_extent(1, 4 * BLOCK, 2 * BLOCK, FIEMAP_EXTENT_UNWRITTEN);
	CHECK_OK(get_map(fd, BLOCK + 5, 10, 0, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 1);
	check_extent(0, BLOCK, BLOCK, FIEMAP_EXTENT_LAST);
}

/* Small ones lie in the inode; FIEMAP_FLAG_XATTR and CACHE are not told back. */
TEST(fiemap_tells_the_attributes)
{
	static const char value[2000];
	int fd = make(0);

	CHECK_EQ(pwrite(fd, mem, BLOCK, 0), BLOCK);
	CHECK_OK(get_map(fd, 0, ~0ull, FIEMAP_FLAG_XATTR, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 0);
	CHECK_OK(fsetxattr(fd, "user.small", "1", 1, 0));
	CHECK_OK(get_map(fd, 0, ~0ull, FIEMAP_FLAG_XATTR | FIEMAP_FLAG_CACHE, 16));
	CHECK_EQ(map.f.fm_flags, 0);
	CHECK_EQ(map.f.fm_mapped_extents, 1);
	check_extent(0, 0, 96, FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED);
	CHECK_EQ(map.e[0].fe_physical % BLOCK, 160);
	CHECK_OK(get_map(fd, 95, 1, FIEMAP_FLAG_XATTR, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 1);
	CHECK_OK(get_map(fd, 96, 1, FIEMAP_FLAG_XATTR, 16));
	CHECK_EQ(map.f.fm_mapped_extents, 0);
	CHECK_OK(fremovexattr(fd, "user.small"));
	CHECK_OK(fsetxattr(fd, "user.large", value, sizeof(value), 0));
	CHECK_OK(get_map(fd, 0, ~0ull, FIEMAP_FLAG_XATTR | FIEMAP_FLAG_SYNC, 0));
	CHECK_EQ(map.f.fm_mapped_extents, 1);
	CHECK_EQ(map.f.fm_flags, FIEMAP_FLAG_SYNC);
	CHECK_OK(get_map(fd, 0, ~0ull, FIEMAP_FLAG_XATTR, 16));
	check_extent(0, 0, BLOCK, FIEMAP_EXTENT_LAST);
	CHECK_EQ(map.e[0].fe_physical % BLOCK, 0);
}

TEST(statx_tells_how_to_align)
{
	int fd = make(0);
	struct stat st;
	struct statx x;
	char path[64];

	CHECK_OK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x));
	CHECK_EQ(x.stx_mask & STATX_DIOALIGN, STATX_DIOALIGN);
	CHECK_EQ(x.stx_dio_mem_align, 512);
	CHECK_EQ(x.stx_dio_offset_align, 512);
	CHECK_OK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_mask & STATX_DIOALIGN, 0);
	CHECK_EQ(x.stx_dio_offset_align, 0);
	CHECK_OK(syscall(SYS_statx, AT_FDCWD, ".", 0, STATX_DIOALIGN, &x));
	CHECK_EQ(x.stx_mask & STATX_DIOALIGN, 0);
	CHECK_OK(syscall(SYS_statx, AT_FDCWD, "/proc/self/stat", 0, STATX_DIOALIGN, &x));
	CHECK_EQ(x.stx_mask & STATX_DIOALIGN, 0);
	CHECK_OK(fstat(fd, &st));
	snprintf(path, sizeof(path), "%s", getenv("TEST_DISK"));
	CHECK_OK(syscall(SYS_statx, AT_FDCWD, path, 0, STATX_DIOALIGN, &x));
	CHECK_EQ(x.stx_mask & STATX_DIOALIGN, STATX_DIOALIGN);
	CHECK_EQ(x.stx_dio_mem_align, 512);
	CHECK_EQ(x.stx_dio_offset_align, 512);
}

/* Writes two blocks that have no place yet: again if the writer in the background was faster. */
static int write_delayed(const char *name, int flags)
{
	for (int tries = 0; tries < 50; tries++) {
		int fd = CHECK_OK(open(name, O_RDWR | O_CREAT | flags, 0644));

		CHECK_EQ(pwrite(fd, mem, 2 * BLOCK, 0), 2 * BLOCK);
		CHECK_OK(get_map(fd, 0, ~0ull, 0, 16));
		if (map.e[0].fe_flags & FIEMAP_EXTENT_DELALLOC)
			return fd;
		CHECK_OK(ftruncate(fd, 0));
		CHECK_OK(close(fd));
	}
	FAIL("allocation is not delayed");
}

/* What takes another file's place has its blocks then; otherwise they wait for the writer. */
TEST(replacing_a_file_writes_the_data)
{
	int fd = make(0), other;

	CHECK_OK(close(CHECK_OK(open("old", O_RDWR | O_CREAT, 0644))));
	other = write_delayed("new", 0);
	CHECK_OK(rename("new", "old"));
	CHECK_OK(get_map(other, 0, ~0ull, 0, 16));
	CHECK(!(map.e[0].fe_flags & FIEMAP_EXTENT_DELALLOC));
	CHECK(map.e[0].fe_physical);

	CHECK_EQ(pwrite(fd, mem, BLOCK, 0), BLOCK);
	other = write_delayed("f", O_TRUNC);
	CHECK_OK(close(other));
	CHECK_OK(get_map(fd, 0, ~0ull, 0, 16));
	CHECK(!(map.e[0].fe_flags & FIEMAP_EXTENT_DELALLOC));
	CHECK(map.e[0].fe_physical);
}

TEST(fiemap_errors)
{
	int fd = make(0), pipes[2];

	CHECK_ERR(get_map(fd, 0, 0, 0, 16), EINVAL);
	CHECK_ERR(get_map(fd, 0, 1, 0, 0xffffffff), EINVAL);
	CHECK_ERR(get_map(fd, 1ull << 62, 1, 0, 1), EFBIG);
	CHECK_ERR(get_map(fd, 0, 1, 0x80, 1), EBADR);
	CHECK_EQ(map.f.fm_flags, 0x80);
	CHECK_ERR(ioctl(fd, FS_IOC_FIEMAP, (void *)8), EFAULT);
	CHECK_OK(pipe(pipes));
	CHECK_ERR(get_map(pipes[0], 0, 1, 0, 1), EOPNOTSUPP);
}

/* ---- Free blocks ---- */

static u64 trim(int fd, u64 start, u64 len, u64 least)
{
	struct fstrim_range r = {start, len, least};

	CHECK_OK(ioctl(fd, FITRIM, &r));
	return r.len;
}

static u64 discarded(const char *disk)
{
	char line[512], name[32];
	unsigned long sectors;
	u64 found = ~0ull;
	FILE *f = fopen("/proc/diskstats", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		CHECK_EQ(sscanf(line, "%*u %*u %31s %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %lu",
				name, &sectors), 2);
		if (!strcmp(name, disk))
			found = sectors;
	}
	fclose(f);
	return found * 512;
}

TEST(trim_tells_what_it_has_discarded)
{
	int fd = make(0), dir = CHECK_OK(open(".", O_RDONLY)), file;
	u64 before = discarded("vdd"), n, free;
	struct statfs fs;

	CHECK_OK(fallocate(fd, 0, 0, 8 << 20));
	CHECK_OK(syncfs(fd)); /* what waits for its blocks counts as used, whoever has written it */
	CHECK_OK(fstatfs(fd, &fs));
	free = fs.f_bfree * fs.f_bsize;
	n = trim(dir, 0, ~0ull, 0);
	CHECK(n <= free && n >= free / 100 * 95);
	CHECK_EQ(discarded("vdd") - before, n);
	CHECK_EQ(trim(dir, 0, ~0ull, 0), 0); /* nothing was freed since */
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(syncfs(fd));
	n = trim(fd, 0, ~0ull, 4096);
	CHECK(n >= 8 << 20 && n <= free);
	CHECK_EQ(trim(dir, 0, ~0ull, 1 << 20), 0);
	file = CHECK_OK(open("other", O_RDWR | O_CREAT, 0644));
	CHECK_EQ(pwrite(file, mem, BLOCK, 0), BLOCK);
	CHECK_OK(fsync(file));
	CHECK(trim(dir, 0, 1 << 20, 0) <= 1 << 20);
}

TEST(trim_errors)
{
	int fd = make(0);
	struct fstrim_range r = {0, ~0ull, ~0ull};
	pid_t child;

	CHECK_ERR(ioctl(fd, FITRIM, &r), EINVAL);
	r = (struct fstrim_range){1ull << 50, ~0ull, 0};
	CHECK_ERR(ioctl(fd, FITRIM, &r), EINVAL);
	r = (struct fstrim_range){0, 100, 0};
	CHECK_ERR(ioctl(fd, FITRIM, &r), EINVAL);
	CHECK_ERR(ioctl(fd, FITRIM, (void *)8), EFAULT);
	child = test_fork();
	if (!child) {
		CHECK_OK(setuid(1000));
		CHECK_ERR(ioctl(fd, FITRIM, &r), EPERM);
		_exit(0);
	}
	test_join(child);
}

/* With the option, what a commit frees is discarded at once. */
TEST(mount_option_discard)
{
	int fd = make(0);
	u64 before;

	CHECK_OK(mount("", "/tmp", NULL, MS_REMOUNT, "discard"));
	CHECK_OK(fallocate(fd, 0, 0, 4 << 20));
	CHECK_OK(fsync(fd));
	before = discarded("vdd");
	CHECK_OK(ftruncate(fd, 0));
	CHECK_OK(fsync(fd));
	for (int i = 0; i < 500 && discarded("vdd") - before < 4 << 20; i++)
		usleep(10000);
	CHECK(discarded("vdd") - before >= 4 << 20);
	CHECK_OK(mount("", "/tmp", NULL, MS_REMOUNT, "nodiscard"));
}

/* ---- Advice ---- */

static volatile bool append_over;

static void *write_back_all_the_time(void *arg)
{
	while (!append_over)
		CHECK_OK(sync_file_range(*(int *)arg, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	return NULL;
}

/* Writing the page with the end of a file back cleared what lay behind the end, also what was just being added. */
TEST_LIMIT(appending_beside_writing_back, 60)
{
	int fd = make(0), n = SCALE(20000, 500000);
	char line[64], want[64];
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, write_back_all_the_time, &fd), 0);
	for (int i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "line %08d %0*d\n", i, i % 40, 0);
		CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
	}
	append_over = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	for (int i = 0; i < n; i++) {
		snprintf(want, sizeof(want), "line %08d %0*d\n", i, i % 40, 0);
		CHECK_EQ(read(fd, line, strlen(want)), strlen(want));
		line[strlen(want)] = '\0';
		CHECK_STR(line, want);
	}
}

static void grow_by_truncation(int fd)
{
	CHECK_OK(ftruncate(fd, 500));
}

static void grow_by_writing(int fd)
{
	CHECK_EQ(pwrite(fd, "", 1, 499), 1);
}

static void grow_by_allocation(int fd)
{
	CHECK_OK(fallocate(fd, 0, 200, 300));
}

static void grow_directly(int fd)
{
	int direct = CHECK_OK(open("f", O_RDWR | O_DIRECT));

	(void)fd;
	fill(mem, BLOCK, 1);
	CHECK_EQ(pwrite(direct, mem, BLOCK, 4 * BLOCK), BLOCK);
	close(direct);
}

/* What a mapping wrote behind the end is not there when the file grows. */
TEST(bytes_behind_the_end_do_not_appear)
{
	void (*const grow[])(int) = { grow_by_truncation, grow_by_writing, grow_by_allocation, grow_directly };
	u8 *m, there[BLOCK];

	for (size_t k = 0; k < ARRAY_SIZE(grow); k++) {
		int fd = make(O_TRUNC);

		fill(mem, 100, 1);
		CHECK_EQ(pwrite(fd, mem, 100, 0), 100);
		m = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(m != MAP_FAILED);
		memset(m + 50, 'x', 1000);
		CHECK_OK(msync(m, BLOCK, MS_SYNC));
		grow[k](fd);
		CHECK(pread(fd, there, BLOCK, 0) >= 500);
		fill(mem, 100, 1);
		for (int i = 0; i < 500; i++)
			CHECK_EQ(there[i], i < 50 ? mem[i] : i < 100 ? 'x' : 0);
		close(fd);
	}
}

TEST(drop_caches_drops_what_is_clean)
{
	int fd = make(0);
	u8 in_core[16];
	u8 *m;

	fill(mem, 16 * BLOCK, 1);
	CHECK_EQ(pwrite(fd, mem, 16 * BLOCK, 0), 16 * BLOCK);
	CHECK_OK(fsync(fd));
	m = mmap(NULL, 16 * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	CHECK_OK(mincore(m, 16 * BLOCK, in_core));
	CHECK_EQ(in_core[3] & 1, 1);
	write_file("/proc/sys/vm/drop_caches", "3");
	CHECK_OK(mincore(m, 16 * BLOCK, in_core));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(in_core[i] & 1, 0);
	CHECK(!memcmp(m, mem, 16 * BLOCK));
}

TEST(fadvise_dontneed_leaves_the_cache)
{
	int fd = make(0);
	u8 in_core[16];
	u8 *m;

	fill(mem, 16 * BLOCK, 1);
	CHECK_EQ(pwrite(fd, mem, 16 * BLOCK, 0), 16 * BLOCK);
	CHECK_OK(fsync(fd));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	m = mmap(NULL, 16 * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	CHECK_OK(mincore(m, 16 * BLOCK, in_core));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(in_core[i] & 1, 0);
	CHECK(m[BLOCK] == mem[BLOCK]);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0); /* a mapped page stays */
	CHECK_OK(mincore(m, 16 * BLOCK, in_core));
	CHECK_EQ(in_core[1] & 1, 1);
}
