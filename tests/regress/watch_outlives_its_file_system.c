/*
 * Somebody removes an inotify watch while its file system is unmounted. The unmount found the watch off
 * its inode already and went on to free the super block; the remover's last reference then put the
 * inode into it. The kernel died in tmpfs's evict.
 */
#include "test.h"

#include <pthread.h>
#include <sys/inotify.h>
#include <sys/mount.h>

enum { WATCHES = 8, REMOVERS = 3 };

static volatile int stop, newest;
static int in;

static void *remover(void *arg)
{
	for (unsigned i = (unsigned)(uintptr_t)arg; !stop; i++)
		inotify_rm_watch(in, newest - (int)(i % WATCHES));
	return NULL;
}

TEST_LIMIT(removal_against_unmount, 120)
{
	pthread_t t[REMOVERS];
	char buf[4096];

	CHECK_OK(mkdir("m", 0700));
	if (mount("x", "m", "tmpfs", 0, NULL))
		SKIP("no mount");
	CHECK_OK(umount("m"));
	in = (int)CHECK_OK(inotify_init1(IN_NONBLOCK));
	for (uintptr_t i = 0; i < REMOVERS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, remover, (void *)i), 0);
	for (int round = 0; round < SCALE(400, 10000); round++) {
		CHECK_OK(mount("x", "m", "tmpfs", 0, NULL));
		for (int i = 0; i < WATCHES; i++) {
			snprintf(buf, sizeof(buf), "m/%d", i);
			close((int)CHECK_OK(open(buf, O_CREAT | O_RDWR, 0600)));
			newest = (int)CHECK_OK(inotify_add_watch(in, buf, IN_ALL_EVENTS));
		}
		CHECK_OK(umount("m"));
		while (read(in, buf, sizeof(buf)) > 0)
			;
	}
	stop = 1;
	for (int i = 0; i < REMOVERS; i++)
		pthread_join(t[i], NULL);
}
