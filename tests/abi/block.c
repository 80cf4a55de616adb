/* Disks as files: sizes, positions, the cache, O_DIRECT, ioctls, partitions, errors of the medium. */
#include "disk.h"

#include <linux/hdreg.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

TEST(block_node_and_sizes)
{
	int fd = disk_open(O_RDONLY), value = -1;
	struct hd_geometry geo;
	unsigned short word;
	unsigned u = 99;
	struct stat st;
	u64 bytes = 0;
	long l = 0;

	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISBLK(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(minor(st.st_rdev), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_OK(ioctl(fd, BLKGETSIZE64, &bytes));
	CHECK_EQ(bytes, DISK_BYTES);
	CHECK_OK(ioctl(fd, BLKGETSIZE, &l));
	CHECK_EQ(l, DISK_BYTES / 512);
	CHECK_OK(ioctl(fd, BLKSSZGET, &value));
	CHECK_EQ(value, 512);
	CHECK_OK(ioctl(fd, BLKPBSZGET, &u));
	CHECK_EQ(u, 512);
	CHECK_OK(ioctl(fd, BLKBSZGET, &value));
	CHECK_EQ(value, 4096);
	CHECK_OK(ioctl(fd, BLKIOMIN, &u));
	CHECK_EQ(u, 512);
	CHECK_OK(ioctl(fd, BLKIOOPT, &u));
	CHECK_EQ(u, 0);
	CHECK_OK(ioctl(fd, BLKALIGNOFF, &value));
	CHECK_EQ(value, 0);
	CHECK_OK(ioctl(fd, BLKROGET, &value));
	CHECK_EQ(value, 0);
	CHECK_OK(ioctl(fd, BLKSECTGET, &word));
	CHECK(word >= 8);
	CHECK_OK(ioctl(fd, HDIO_GETGEO, &geo));
	CHECK_EQ(geo.start, 0);
	CHECK_ERR(ioctl(fd, BLKGETSIZE64, (void *)8), EFAULT);
	CHECK_ERR(ioctl(fd, 0x1234, 0), ENOTTY);
}

TEST(block_positions)
{
	int fd = disk_open(O_RDWR);
	char c = 'x';

	CHECK_EQ(lseek(fd, 0, SEEK_END), DISK_BYTES);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_ERR(write(fd, &c, 1), ENOSPC);
	CHECK_EQ(write(fd, &c, 0), 0);
	CHECK_ERR(lseek(fd, 1, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(pwrite(fd, &c, 1, (off_t)DISK_BYTES + 4096), ENOSPC);
	CHECK_EQ(pread(fd, &c, 1, (off_t)DISK_BYTES + 4096), 0);
	CHECK_EQ(pwrite(fd, (char[8192]){ 1 }, 8192, (off_t)DISK_BYTES - 100), 100);
	CHECK_EQ(pread(fd, (char[8192]){ 1 }, 8192, (off_t)DISK_BYTES - 100), 100);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_OK(open(disk_path("TEST_DISK"), O_RDWR | O_TRUNC));
	CHECK_EQ(lseek(fd, 0, SEEK_END), DISK_BYTES);
}

TEST(block_cached_and_direct_see_each_other)
{
	int cached = disk_open(O_RDWR), direct = disk_open(O_RDWR | O_DIRECT);
	u8 *buf = disk_buffer(65536), *want = disk_buffer(65536);

	for (u32 round = 0; round < 8; round++) {
		off_t at = 1 << 20 | round << 16;

		disk_fill(want, 65536, round);
		CHECK_EQ(pwrite(cached, want, 65536, at), 65536);
		CHECK_EQ(pread(direct, buf, 65536, at), 65536);
		CHECK(memcmp(buf, want, 65536) == 0);
		disk_fill(want + 512, 1024, 100 + round);
		CHECK_EQ(pwrite(direct, want + 512, 1024, at + 512), 1024);
		CHECK_EQ(pread(cached, buf, 65536, at), 65536);
		CHECK(memcmp(buf, want, 65536) == 0);
	}
}

TEST(block_direct_wants_alignment)
{
	int fd = disk_open(O_RDWR | O_DIRECT);
	u8 *buf = disk_buffer(8192);
	struct iovec parts[2] = { { buf, 512 }, { buf + 4096, 1024 } };

	CHECK_EQ(pread(fd, buf, 512, 512), 512);
	CHECK_ERR(pread(fd, buf, 511, 0), EINVAL);
	CHECK_ERR(pread(fd, buf, 512, 1), EINVAL);
	CHECK_ERR(pread(fd, buf + 1, 512, 0), EINVAL);
	CHECK_ERR(pwrite(fd, buf + 8, 512, 0), EINVAL);
	CHECK_ERR(pwrite(fd, buf, 513, 0), EINVAL);
	CHECK_EQ(pwrite(fd, buf + 512, 1536, 1536), 1536);
	CHECK_EQ(preadv(fd, parts, 2, 1024), 1536);
	parts[0].iov_len = 500;
	parts[1].iov_len = 12;
	CHECK_ERR(preadv(fd, parts, 2, 1024), EINVAL);
	CHECK_EQ(pread(fd, buf, 0, 7), 0);
	CHECK_EQ(pread(fd, buf, 8192, (off_t)DISK_BYTES - 512), 512);
	CHECK_EQ(pread(fd, buf, 512, (off_t)DISK_BYTES), 0);
	CHECK_ERR(pwrite(fd, buf, 512, (off_t)DISK_BYTES), ENOSPC);
	CHECK_EQ(pwrite(fd, buf, 8192, (off_t)DISK_BYTES - 512), 512);
	CHECK_ERR(pread(fd, (void *)4096, 512, 0), EFAULT);
	CHECK_ERR(pwrite(fd, (void *)4096, 512, 0), EFAULT);
}

TEST(block_direct_flag)
{
	int fd = disk_open(O_RDWR), other;
	u8 *buf = disk_buffer(4096);

	CHECK_OK(fcntl(fd, F_SETFL, O_DIRECT));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_DIRECT, O_DIRECT);
	CHECK_ERR(pread(fd, buf + 1, 512, 0), EINVAL);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(pread(fd, buf + 1, 511, 3), 511);
	CHECK_ERR(open("/dev/null", O_RDWR | O_DIRECT), EINVAL);
	other = CHECK_OK(open("/dev/zero", O_RDONLY));
	CHECK_ERR(fcntl(other, F_SETFL, O_DIRECT), EINVAL);
}

TEST(block_direct_in_large_pieces)
{
	size_t size = 3 << 20;
	int fd = disk_open(O_RDWR | O_DIRECT);
	u8 *a = disk_buffer(size), *b = disk_buffer(size);
	struct iovec v[8];

	disk_fill(a, size, 77);
	CHECK_EQ(pwrite(fd, a, size, 8 << 20), size);
	CHECK_EQ(pread(fd, b, size, 8 << 20), size);
	CHECK(memcmp(a, b, size) == 0);
	memset(b, 0, size);
	for (int i = 0; i < 8; i++)
		v[i] = (struct iovec){ b + (7 - i) * 65536 + 512 * i, 32768 + 512 * i };
	CHECK_EQ(preadv(fd, v, 8, (8 << 20) + 512), 8 * 32768 + 512 * 28);
	for (size_t i = 0, at = 512; i < 8; at += v[i++].iov_len)
		CHECK(memcmp(v[i].iov_base, a + at, v[i].iov_len) == 0);
	/* The second half of the memory is not there. */
	CHECK_OK(munmap(b + 8192, 8192));
	CHECK(pread(fd, b, 16384, 8 << 20) != 16384);
}

TEST(block_mapped)
{
	int fd = disk_open(O_RDWR);
	u8 *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 12 << 20), c;

	CHECK(m != MAP_FAILED);
	memset(m, 0x5a, 16384);
	CHECK_EQ(pread(fd, &c, 1, (12 << 20) + 5000), 1);
	CHECK_EQ(c, 0x5a);
	CHECK_OK(msync(m, 16384, MS_SYNC));
	int direct = disk_open(O_RDWR | O_DIRECT);
	u8 *buf = disk_buffer(4096);

	CHECK_EQ(pread(direct, buf, 4096, (12 << 20) + 8192), 4096);
	CHECK_EQ(buf[4095], 0x5a);
	memset(buf, 0xa5, 4096);
	CHECK_EQ(pwrite(direct, buf, 4096, (12 << 20) + 8192), 4096);
	CHECK_EQ(m[8192], 0xa5);
	CHECK_EQ(m[8191], 0x5a);
}

TEST(block_data_is_there_after_close_and_flush)
{
	u8 *buf = disk_buffer(8192), want[5000];
	int fd = disk_open(O_RDWR);

	disk_fill(want, sizeof(want), 5);
	CHECK_EQ(pwrite(fd, want, sizeof(want), 5 << 20), sizeof(want));
	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	CHECK_OK(syncfs(fd));
	CHECK_OK(ioctl(fd, BLKFLSBUF, 0));
	CHECK_EQ(pread(fd, buf, sizeof(want), 5 << 20), sizeof(want));
	CHECK(memcmp(buf, want, sizeof(want)) == 0);
	want[0] ^= 1;
	CHECK_EQ(pwrite(fd, want, 1, 5 << 20), 1);
	close(fd);
	fd = disk_open(O_RDONLY | O_DIRECT);
	CHECK_EQ(pread(fd, buf, 8192, 5 << 20), 8192);
	CHECK(memcmp(buf, want, sizeof(want)) == 0);
}

TEST(block_zero_and_discard)
{
	int fd = disk_open(O_RDWR), ro = disk_open(O_RDONLY);
	u64 range[2] = { (6 << 20) + 512, 8192 }, odd[2] = { 6 << 20, 100 };
	u8 *buf = disk_buffer(16384);

	memset(buf, 1, 16384);
	CHECK_EQ(pwrite(fd, buf, 16384, 6 << 20), 16384);
	CHECK_OK(ioctl(fd, BLKZEROOUT, range));
	CHECK_EQ(pread(fd, buf, 16384, 6 << 20), 16384);
	for (int i = 0; i < 16384; i++)
		CHECK_EQ(buf[i], i < 512 || i >= 512 + 8192);
	CHECK_ERR(ioctl(fd, BLKZEROOUT, odd), EINVAL);
	CHECK_ERR(ioctl(fd, BLKZEROOUT, (u64[2]){ DISK_BYTES, 512 }), EINVAL);
	CHECK_ERR(ioctl(fd, BLKZEROOUT, (u64[2]){ -512ULL, 1024 }), EINVAL);
	CHECK_ERR(ioctl(fd, BLKZEROOUT, (u64[2]){ 0, 0 }), EINVAL);
	CHECK_ERR(ioctl(ro, BLKZEROOUT, range), EBADF);
	CHECK_ERR(ioctl(fd, BLKZEROOUT, (void *)8), EFAULT);
	CHECK_OK(ioctl(fd, BLKDISCARD, range));
	CHECK_ERR(ioctl(fd, BLKDISCARD, odd), EINVAL);
	CHECK_ERR(ioctl(fd, BLKDISCARD, (u64[2]){ DISK_BYTES, 512 }), EINVAL);
	CHECK_ERR(ioctl(ro, BLKDISCARD, range), EBADF);
}

TEST(block_exclusive_open)
{
	const char *path = disk_path("TEST_DISK");
	int one = CHECK_OK(open(path, O_RDWR | O_EXCL)), two;

	CHECK_ERR(open(path, O_RDWR | O_EXCL), EBUSY);
	CHECK_ERR(open(path, O_RDONLY | O_EXCL), EBUSY);
	two = CHECK_OK(open(path, O_RDWR));
	close(two);
	close(one);
	CHECK_OK(open(path, O_RDONLY | O_EXCL));
}

TEST(block_read_only_disk)
{
	const char *path = disk_path("TEST_DISK_RO");
	int fd = CHECK_OK(open(path, O_RDONLY)), value = 0;
	char text[8] = "";

	/* 6.1 lets everybody open it for writing and refuses the write. */
	CHECK_ERR(write(CHECK_OK(open(path, O_RDWR)), text, 1), EPERM);
	CHECK_ERR(write(CHECK_OK(open(path, O_WRONLY | O_DIRECT)), disk_buffer(512), 512), EPERM);
	CHECK_OK(ioctl(fd, BLKROGET, &value));
	CHECK_EQ(value, 1);
	CHECK_EQ(pread(fd, text, 7, 1023 * 512), 7);
	CHECK_STR(text, "0001023");
	CHECK_ERR(write(fd, text, 1), EBADF);
}

TEST(block_set_read_only)
{
	int fd = disk_open(O_RDWR), on = 1, off = 0, value;

	CHECK_OK(ioctl(fd, BLKROSET, &on));
	CHECK_OK(ioctl(fd, BLKROGET, &value));
	CHECK_EQ(value, 1);
	CHECK_ERR(pwrite(disk_open(O_RDWR), "x", 1, 0), EPERM);
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_OK(ioctl(fd, BLKROSET, &off));
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

TEST(block_needs_privilege)
{
	int fd = disk_open(O_RDWR), on = 0;

	IN_CHILD {
		CHECK_OK(setuid(1000));
		CHECK_ERR(open(disk_path("TEST_DISK"), O_RDONLY), EACCES);
		CHECK_ERR(ioctl(fd, BLKFLSBUF, 0), EACCES);
		CHECK_ERR(ioctl(fd, BLKRRPART, 0), EACCES);
		CHECK_ERR(ioctl(fd, BLKROSET, &on), EACCES);
		_exit(0);
	}
}

TEST(block_errors_of_the_medium)
{
	const char *path = disk_path("TEST_DISK_BAD");
	int fd = CHECK_OK(open(path, O_RDWR | O_DIRECT)), cached = CHECK_OK(open(path, O_RDWR));
	u8 *buf = disk_buffer(8192);

	CHECK_ERR(pread(fd, buf, 4096, 2048 * 512), EIO);
	CHECK_EQ(pread(fd, buf, 4096, 2056 * 512), 4096);
	CHECK_ERR(pwrite(fd, buf, 4096, 6144 * 512), EIO);
	CHECK_ERR(pread(cached, buf, 1, 4096 * 512 + 4000), EIO);
	CHECK_EQ(pread(cached, buf, 1, 4095 * 512), 1);
	CHECK_EQ(pread(cached, buf, 8192, 4088 * 512), 4096);
}

TEST(block_write_errors_are_told_once_to_each)
{
	const char *path = disk_path("TEST_DISK_BAD");
	int one = CHECK_OK(open(path, O_RDWR)), two = CHECK_OK(open(path, O_RDWR)), late;
	u8 *buf = disk_buffer(4096);

	CHECK_EQ(pwrite(one, buf, 4096, 6144 * 512), 4096);
	CHECK_ERR(fsync(one), EIO);
	CHECK_OK(fsync(one));
	late = CHECK_OK(open(path, O_RDWR));
	CHECK_ERR(fsync(two), EIO);
	CHECK_OK(fsync(two));
	CHECK_OK(fsync(late));
	CHECK_EQ(pwrite(one, buf, 4096, 6144 * 512), 4096);
	CHECK_ERR(sync_file_range(one, 6144 * 512, 4096,
				  SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER), EIO);
	close(one);
	CHECK_ERR(fsync(two), EIO);
	CHECK_ERR(fdatasync(late), EIO);
	CHECK_OK(fdatasync(late));
}

/* ---- Partitions ---- */

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
}

static void mbr_entry(u8 *sector, int i, u8 type, u32 start, u32 sectors)
{
	u8 *e = sector + 446 + 16 * i;

	e[4] = type;
	put32(e + 8, start);
	put32(e + 12, sectors);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

static const char *part_path(int n)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s%d", disk_path("TEST_DISK"), n);
	return path;
}

static u64 part_bytes(int n)
{
	int fd = CHECK_OK(open(part_path(n), O_RDONLY));
	u64 bytes;

	CHECK_OK(ioctl(fd, BLKGETSIZE64, &bytes));
	close(fd);
	return bytes;
}

static void read_sysfs(int n, const char *what, const char *want)
{
	const char *name = strrchr(disk_path("TEST_DISK"), '/') + 1;
	char path[128], text[64];

	snprintf(path, sizeof(path), "/sys/class/block/%s%d/%s", name, n, what);
	read_file(path, text, sizeof(text));
	CHECK_STR(text, want);
}

TEST(block_partitions_come_and_go)
{
	int fd = disk_open(O_RDWR), part;
	u8 table[512] = { 0 }, logical[512] = { 0 }, c = 0;
	char text[4096];

	mbr_entry(table, 0, 0x83, 2048, 8192);
	mbr_entry(table, 2, 0x05, 16384, 65536);
	mbr_entry(logical, 0, 0x83, 63, 1000);
	CHECK_EQ(pwrite(fd, logical, 512, 16384 * 512), 512);
	CHECK_EQ(pwrite(fd, table, 512, 0), 512);
	CHECK_OK(ioctl(fd, BLKRRPART, 0));
	CHECK_EQ(part_bytes(1), 8192 * 512);
	CHECK_EQ(part_bytes(3), 1024);
	CHECK_EQ(part_bytes(5), 1000 * 512);
	read_sysfs(5, "partition", "5\n");
	read_sysfs(5, "start", "16447\n");
	read_sysfs(5, "size", "1000\n");
	read_file("/proc/partitions", text, sizeof(text));
	CHECK(strstr(text, strrchr(part_path(5), '/') + 1));

	part = CHECK_OK(open(part_path(1), O_RDWR | O_DIRECT));
	u8 *buf = disk_buffer(4096);
	struct stat st;

	CHECK_OK(fstat(part, &st));
	CHECK_EQ(minor(st.st_rdev), 1);
	memset(buf, 0x77, 4096);
	CHECK_EQ(pwrite(part, buf, 4096, 8192 * 512 - 4096), 4096);
	CHECK_ERR(pwrite(part, buf, 4096, 8192 * 512), ENOSPC);
	CHECK_EQ(pread(part, buf, 4096, 8192 * 512), 0);
	CHECK_ERR(ioctl(part, BLKRRPART, 0), EINVAL);
	CHECK_ERR(ioctl(fd, BLKRRPART, 0), EBUSY);
	close(part);
	CHECK_OK(ioctl(fd, BLKFLSBUF, 0));
	CHECK_EQ(pread(fd, &c, 1, (2048 + 8192) * 512 - 1), 1);
	CHECK_EQ(c, 0x77);

	memset(table, 0, 512);
	CHECK_EQ(pwrite(fd, table, 512, 0), 512);
	CHECK_OK(ioctl(fd, BLKRRPART, 0));
	CHECK_ERR(open(part_path(1), O_RDONLY), ENOENT);
}

TEST(block_partition_held_and_disk_held)
{
	int fd = disk_open(O_RDWR), held;
	u8 table[512] = { 0 };

	mbr_entry(table, 0, 0x83, 2048, 8192);
	mbr_entry(table, 1, 0x83, 12288, 8192);
	CHECK_EQ(pwrite(fd, table, 512, 0), 512);
	CHECK_OK(ioctl(fd, BLKRRPART, 0));
	held = CHECK_OK(open(part_path(1), O_RDONLY | O_EXCL));
	CHECK_ERR(open(disk_path("TEST_DISK"), O_RDONLY | O_EXCL), EBUSY);
	close(CHECK_OK(open(part_path(2), O_RDONLY | O_EXCL)));
	close(held);
	held = CHECK_OK(open(disk_path("TEST_DISK"), O_RDONLY | O_EXCL));
	CHECK_ERR(open(part_path(1), O_RDONLY | O_EXCL), EBUSY);
	close(held);
	memset(table, 0, 512);
	CHECK_EQ(pwrite(fd, table, 512, 0), 512);
	CHECK_OK(ioctl(fd, BLKRRPART, 0));
}

TEST(block_figures)
{
	char text[8192], *line;
	int fd = disk_open(O_RDONLY | O_DIRECT);
	u8 *buf = disk_buffer(4096);
	u64 ios[2], sectors[2];

	for (int i = 0; i < 2; i++) {
		read_file("/proc/diskstats", text, sizeof(text));
		line = strstr(text, strrchr(disk_path("TEST_DISK"), '/') + 1);
		CHECK(line);
		CHECK_EQ(sscanf(line, "%*s %lu %*u %lu", &ios[i], &sectors[i]), 2);
		if (!i)
			CHECK_EQ(pread(fd, buf, 4096, 0), 4096);
	}
	CHECK_EQ(ios[1], ios[0] + 1);
	CHECK_EQ(sectors[1], sectors[0] + 8);
}

TEST(block_no_such_device)
{
	disk_path("TEST_DISK");
	unlink("/dev/test-node");
	CHECK_OK(mknod("/dev/test-node", S_IFBLK | 0600, makedev(254, 240)));
	CHECK_ERR(open("/dev/test-node", O_RDONLY), ENXIO);
	CHECK_OK(unlink("/dev/test-node"));
}
