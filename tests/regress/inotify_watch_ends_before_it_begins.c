/*
 * inotify_rm_watch with a number that another thread's inotify_add_watch was just giving out took the
 * watch off before it was on its inode: it was freed, and put on the inode's list all the same. The
 * next event in that directory called through freed memory.
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/inotify.h>

static int ino;
static atomic_int next_wd = 1;
static atomic_bool stop;

static void *remover(void *unused)
{
	(void)unused;
	while (!stop)
		inotify_rm_watch(ino, next_wd);
	return NULL;
}

TEST_LIMIT(a_number_is_guessed_while_it_is_given_out, 60)
{
	pthread_t t;
	int fd;

	CHECK_OK(mkdir("d", 0755));
	ino = (int)CHECK_OK(inotify_init1(IN_NONBLOCK));
	CHECK_EQ(pthread_create(&t, NULL, remover, NULL), 0);
	for (int i = 0; i < SCALE(3000, 100000); i++) {
		int wd = (int)CHECK_OK(inotify_add_watch(ino, "d", IN_CREATE));

		next_wd = wd + 1;
		fd = open("d/f", O_CREAT | O_RDWR, 0600);
		CHECK(fd >= 0);
		close(fd);
		CHECK_OK(unlink("d/f"));
		inotify_rm_watch(ino, wd);
	}
	stop = true;
	pthread_join(t, NULL);
	close(ino);
}
