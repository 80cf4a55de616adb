/* Character devices that every program expects. */
#include "test.h"

#include <sys/sysmacros.h>

static char buf[1 << 16];

TEST(null_swallows_and_is_empty)
{
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	CHECK_EQ(read(fd, buf, 1), 0);
	CHECK_EQ(lseek(fd, 100, SEEK_SET), 0);
	CHECK_EQ(write(fd, (void *)8, 10), 10);
}

TEST(zero_gives_zeroes)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(read(fd, buf, sizeof(buf)), sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(write(fd, buf, 10), 10);
}

TEST(full_is_full)
{
	int fd = CHECK_OK(open("/dev/full", O_RDWR));

	CHECK_ERR(write(fd, "x", 1), ENOSPC);
	buf[0] = 1;
	CHECK_EQ(read(fd, buf, 1), 1);
	CHECK_EQ(buf[0], 0);
}

TEST(random_is_random)
{
	static const char *const names[] = { "/dev/random", "/dev/urandom" };
	u8 a[256], b[256];

	for (int i = 0; i < 2; i++) {
		int fd = CHECK_OK(open(names[i], O_RDWR)), ones = 0;

		CHECK_EQ(read(fd, a, 256), 256);
		CHECK_EQ(read(fd, b, 256), 256);
		CHECK(memcmp(a, b, 256));
		for (int k = 0; k < 256; k++)
			ones += __builtin_popcount(a[k]);
		CHECK(ones > 800 && ones < 1250);
		CHECK_EQ(write(fd, "seed", 4), 4);
	}
}

TEST(nodes_have_linux_numbers)
{
	static const struct {
		const char *name;
		int major, minor;
	} t[] = { { "null", 1, 3 }, { "zero", 1, 5 },	 { "full", 1, 7 }, { "random", 1, 8 },
		  { "urandom", 1, 9 }, { "tty", 5, 0 }, { "console", 5, 1 }, { "ptmx", 5, 2 } };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		char path[40];

		snprintf(path, sizeof(path), "/dev/%s", t[i].name);
		CHECK_OK(stat(path, &st));
		CHECK(S_ISCHR(st.st_mode));
		CHECK_EQ(major(st.st_rdev), t[i].major);
		CHECK_EQ(minor(st.st_rdev), t[i].minor);
	}
}
