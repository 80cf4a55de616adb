/* unshare: descriptors and the working directory part, everything else is refused as Linux does. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static int results[2];
static char directory[2][256];
static pthread_barrier_t barrier;

static void *part(void *arg)
{
	int *fd = arg;

	results[0] = unshare(CLONE_FILES | CLONE_FS);
	close(*fd);
	results[1] = chdir("/");
	if (!getcwd(directory[0], sizeof(directory[0])))
		directory[0][0] = 0;
	pthread_barrier_wait(&barrier);
	return NULL;
}

TEST(a_thread_parts_with_descriptors_and_directory)
{
	int fd = CHECK_OK(open("/", O_RDONLY));
	char before[256];
	pthread_t t;

	CHECK(getcwd(before, sizeof(before)));
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(pthread_create(&t, NULL, part, &fd), 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(results[0], 0);
	CHECK_EQ(results[1], 0);
	CHECK(!strcmp(directory[0], "/"));
	CHECK_OK(fcntl(fd, F_GETFD));
	CHECK(getcwd(directory[1], sizeof(directory[1])));
	CHECK(!strcmp(directory[1], before));
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void *refused(void *arg)
{
	results[0] = unshare(CLONE_VM) == -1 ? errno : 0;
	results[1] = unshare(CLONE_THREAD) == -1 ? errno : 0;
	return arg;
}

TEST(threads_cannot_part_with_their_memory)
{
	pthread_t t;

	CHECK_OK(unshare(0));
	CHECK_OK(unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD));
	CHECK_ERR(unshare(CLONE_PARENT), EINVAL);
	CHECK_EQ(pthread_create(&t, NULL, refused, NULL), 0);
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_EQ(results[0], EINVAL);
	CHECK_EQ(results[1], EINVAL);
}
