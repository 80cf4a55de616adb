/*
 * Attacks on inotify's life cycle: files, directories, watches and instances vanish under each other
 * on several CPUs, with one-shot watches and unmounts among them.
 */
#include "test.h"

#include <pthread.h>
#include <sys/inotify.h>
#include <sys/mount.h>

static int instance[4];
static volatile int stop;

static u32 next(u32 *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void play(u32 *seed)
{
	static const char *const names[] = { "a", "b", "d", "d/a", "d/b", "e", "e/a", "." };
	const char *one = names[next(seed) % 8], *two = names[next(seed) % 8];
	int in = instance[next(seed) % 4], fd;
	char buf[256];

	switch (next(seed) % 12) {
	case 0:
	case 1:
		inotify_add_watch(in, one, IN_ALL_EVENTS | (next(seed) % 3 ? 0 : IN_ONESHOT) |
						   (next(seed) % 3 ? 0 : IN_EXCL_UNLINK));
		break;
	case 2:
		inotify_rm_watch(in, 1 + next(seed) % 50);
		break;
	case 3:
		unlink(one);
		break;
	case 4:
		rename(one, two);
		break;
	case 5:
		mkdir(one, 0700);
		break;
	case 6:
		rmdir(one);
		break;
	case 7:
		link(one, two);
		break;
	case 8:
		if (read(in, buf, sizeof(buf)) < 0)
			break;
		break;
	case 9: {
		int i = next(seed) % 4;

		fd = __atomic_exchange_n(&instance[i], inotify_init1(IN_NONBLOCK), __ATOMIC_SEQ_CST);
		if (fd >= 0)
			close(fd);
		break;
	}
	default:
		fd = open(one, O_CREAT | O_RDWR, 0600);
		if (fd < 0)
			break;
		if (write(fd, "x", 1) == 1 && pread(fd, buf, 1, 0) < 0)
			break;
		if (next(seed) % 2)
			unlink(one);
		close(fd);
	}
}

static void *player(void *arg)
{
	u32 seed = (u32)(uintptr_t)arg;

	while (!stop)
		play(&seed);
	return NULL;
}

TEST_LIMIT(everything_vanishes_under_everybody, 60)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		instance[i] = CHECK_OK(inotify_init1(IN_NONBLOCK));
	for (uintptr_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, player, (void *)(i * 7919 + 1)), 0);
	sleep(2);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void *remover(void *arg)
{
	u32 seed = 5;

	while (!stop)
		inotify_rm_watch(*(int *)arg, 1 + next(&seed) % 400);
	return NULL;
}

TEST_LIMIT(unmount_against_removal, 60)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));
	pthread_t t;
	char buf[4096];

	CHECK_OK(mkdir("m", 0700));
	if (mount("x", "m", "tmpfs", 0, NULL))
		SKIP("no mount");
	CHECK_EQ(pthread_create(&t, NULL, remover, &in), 0);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 10; i++) {
			snprintf(buf, sizeof(buf), "m/%d", i);
			close(CHECK_OK(open(buf, O_CREAT | O_RDWR, 0600)));
			CHECK_OK(inotify_add_watch(in, buf, IN_ALL_EVENTS));
		}
		CHECK_OK(umount("m"));
		while (read(in, buf, sizeof(buf)) > 0)
			;
		CHECK_OK(mount("x", "m", "tmpfs", 0, NULL));
	}
	stop = 1;
	pthread_join(t, NULL);
	CHECK_OK(umount("m"));
}
