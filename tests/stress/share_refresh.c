/*
 * Files that are written, stored to through a mapping and synchronised while another process has
 * their attributes looked at: on a share (`tests/run -s`) each look is a request whose answer may be
 * older than what has been written meanwhile. What is written stays, and sizes never go back.
 */
#include <pthread.h>
#include "test.h"

#define FILES 24
#define PAGE  4096

static struct shared {
	pthread_barrier_t turn; /* both processes begin a file at the same time */
} *shared;

static void name_file(char *name, int i)
{
	snprintf(name, 32, "refreshed%d", i);
}

/* Looks, and opens and closes, as long as the other is at file i. */
static void look_at(int i)
{
	char name[32];
	struct stat st;

	name_file(name, i);
	for (int k = 0; k < 10; k++) {
		int fd;

		CHECK_OK(stat(name, &st));
		fd = open(name, O_RDONLY);
		CHECK(fd >= 0);
		close(fd);
	}
}

/* Round r: page r is appended with r in it, page 0 counts rounds through a mapping. */
static void change(int i, u32 r)
{
	u32 page[PAGE / sizeof(u32)] = {r, r}, got;
	struct stat st;
	char name[32];
	u32 *map;
	int fd;

	name_file(name, i);
	fd = open(name, O_RDWR);
	CHECK(fd >= 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[0], r - 1);
	CHECK_EQ(pwrite(fd, page, sizeof(page), (off_t)r * PAGE), sizeof(page));
	map[0] = r;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (r + 1) * PAGE);
	if (i & 1)
		CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, (r + 1) * PAGE);
	for (u32 k = 1; k <= r; k++) {
		CHECK_EQ(pread(fd, &got, sizeof(got), (off_t)k * PAGE), sizeof(got));
		CHECK_EQ(got, k);
	}
	CHECK_EQ(map[0], r);
	CHECK_OK(munmap(map, PAGE));
	CHECK_EQ(pread(fd, &got, sizeof(got), 0), sizeof(got));
	CHECK_EQ(got, r);
	close(fd);
}

static void make_shared(void)
{
	pthread_barrierattr_t attr;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK_EQ(pthread_barrierattr_init(&attr), 0);
	CHECK_EQ(pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_barrier_init(&shared->turn, &attr, 2), 0);
}

TEST_LIMIT(looking_at_a_file_never_undoes_a_write, 120)
{
	int rounds = SCALE(5, 60);
	pid_t looker;

	make_shared();
	for (int i = 0; i < FILES; i++) {
		char name[32];
		int fd;

		name_file(name, i);
		fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		CHECK(fd >= 0);
		CHECK_OK(ftruncate(fd, PAGE));
		close(fd);
	}
	looker = test_fork();
	for (int r = 1; r <= rounds; r++) {
		for (int i = 0; i < FILES; i++) {
			pthread_barrier_wait(&shared->turn);
			if (looker)
				change(i, (u32)r);
			else
				look_at(i);
		}
		sleep_ms(1100); /* what is known of a share's files is believed for a second */
	}
	if (!looker)
		_exit(0);
	test_join(looker);
}
