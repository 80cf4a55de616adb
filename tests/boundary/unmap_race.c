/* Memory that another thread unmaps, protects and remaps in the middle of system calls. */
#include "attack.h"

#include <pthread.h>
#include <sys/uio.h>

static char *area;
static volatile bool stop;

enum { AREA = 16 * 4096 };

static void *flip(void *arg)
{
	while (!stop) {
		switch ((long)arg) {
		case 0:
			munmap(area + 4096, AREA - 8192);
			mmap(area + 4096, AREA - 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 1:
			mprotect(area, AREA, PROT_NONE);
			mprotect(area, AREA, PROT_READ | PROT_WRITE);
			break;
		case 2:
			madvise(area, AREA, MADV_DONTNEED);
			break;
		}
	}
	return NULL;
}

static bool good(long ret)
{
	return ret >= 0 || errno == EFAULT || errno == EAGAIN;
}

static void race(long how)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(300, 5000) * 1000000ull;
	int p[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY)), fd;
	pthread_t t;
	u64 served = 0;

	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	CHECK_OK(pipe2(p, O_NONBLOCK));
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	stop = false;
	CHECK_EQ(pthread_create(&t, NULL, flip, (void *)how), 0);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		struct iovec iov[2] = { { area + 100, 9000 }, { area + 30000, 9000 } };
		struct stat st;

		CHECK(good(read(zero, area, AREA)));
		CHECK(good(pwrite(fd, area, AREA, 0)));
		CHECK(good(pread(fd, area, AREA, 0)));
		CHECK(good(writev(p[1], iov, 2)));
		CHECK(good(readv(p[0], iov, 2)));
		CHECK(good(syscall(SYS_stat, "/", area + 2 * 4096 - 8)));
		CHECK(good(syscall(SYS_getrandom, area, AREA, 0)));
		CHECK(good(syscall(SYS_clock_gettime, 0, area + 4096)));
		CHECK_OK(fstat(fd, &st));
		CHECK(st.st_size <= AREA);
		served++;
	}
	stop = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK(served > 0);
}

TEST(unmapped_in_mid_call)
{
	race(0);
}

TEST(protected_in_mid_call)
{
	race(1);
}

TEST(emptied_in_mid_call)
{
	race(2);
}

static struct iovec *shared_iov;

static void *change_lengths(void *arg)
{
	static const u64 values[] = { 8, 1, 4096, ~0ull, INT64_MAX, 0xffffffff };

	for (unsigned i = 0; !stop; i++) {
		shared_iov[i % 4].iov_len = values[i % ARRAY_SIZE(values)];
		shared_iov[i % 4].iov_base = (void *)(i % 7 ? (u64)area : 0xffff888000000000);
	}
	return arg;
}

/* Each value is fetched once: a length that passed the check cannot grow afterwards. */
TEST(vector_changed_in_mid_call)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(300, 5000) * 1000000ull;
	int zero = CHECK_OK(open("/dev/zero", O_RDWR));
	pthread_t t;

	area = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared_iov = calloc(4, sizeof(*shared_iov));
	for (int i = 0; i < 4; i++)
		shared_iov[i] = (struct iovec){ area, 8 };
	CHECK_EQ(pthread_create(&t, NULL, change_lengths, NULL), 0);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		long ret = syscall(SYS_writev, zero, shared_iov, 4);

		CHECK(ret >= 0 || errno == EFAULT || errno == EINVAL);
		ret = syscall(SYS_readv, zero, shared_iov, 1);
		CHECK(ret >= 0 || errno == EFAULT || errno == EINVAL);
	}
	stop = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static char *shared_path;

static void *change_path(void *arg)
{
	for (unsigned i = 0; !stop; i++)
		shared_path[i % 8] = "/a\0./b/c"[i * 5 % 8];
	return arg;
}

TEST(path_changed_in_mid_call)
{
	u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(200, 5000) * 1000000ull;
	pthread_t t;

	shared_path = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stop = false;
	CHECK_EQ(pthread_create(&t, NULL, change_path, NULL), 0);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		struct stat st;
		int fd = open(shared_path, O_RDONLY);

		if (fd >= 0)
			close(fd);
		stat(shared_path, &st);
		access(shared_path, R_OK);
	}
	stop = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
}
