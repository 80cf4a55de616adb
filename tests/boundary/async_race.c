/*
 * Signals of files against their end: threads turn O_ASYNC on and off, change owner and signal,
 * take and break leases, and close, all on the same few descriptors, while others make the events
 * that are signalled. Tries to have a signal sent through memory that has been freed.
 */
#include <pthread.h>

#include "test.h"

#define SLOTS 4

static int reader[SLOTS], writer[SLOTS], leased[SLOTS]; /* torn-free; may be stale */
static volatile bool stop;

static u32 pick(u64 *seed, u32 n)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(*seed >> 33) % n;
}

static void renew(int slot)
{
	int p[2];

	close(reader[slot]);
	close(writer[slot]);
	close(leased[slot]);
	if (pipe2(p, O_NONBLOCK) == 0) {
		reader[slot] = p[0];
		writer[slot] = p[1];
	}
	leased[slot] = open("f", O_RDONLY | O_NONBLOCK);
}

static void change(u64 *seed)
{
	int slot = (int)pick(seed, SLOTS), fd = pick(seed, 2) ? reader[slot] : leased[slot], other;
	char c;

	switch (pick(seed, 12)) {
	case 0: renew(slot); break;
	case 1: fcntl(reader[slot], F_SETFL, O_ASYNC | O_NONBLOCK); break;
	case 2: fcntl(writer[slot], F_SETFL, O_ASYNC | O_NONBLOCK); break;
	case 3: fcntl(reader[slot], F_SETFL, O_NONBLOCK); break;
	case 4: fcntl(fd, F_SETOWN, pick(seed, 2) ? getpid() : -getpgrp()); break;
	case 5: fcntl(fd, F_SETSIG, pick(seed, 2) ? SIGURG : 0); break;
	case 6: (void)!write(writer[slot], "x", 1); break;
	case 7: (void)!read(reader[slot], &c, 1); break;
	case 8: fcntl(leased[slot], F_SETLEASE, pick(seed, 2) ? F_RDLCK : F_WRLCK); break;
	case 9: fcntl(leased[slot], F_SETLEASE, F_UNLCK); break;
	case 10:
		other = open("f", O_RDWR | O_NONBLOCK);
		if (other >= 0)
			close(other);
		break;
	case 11:
		other = dup(fd);
		if (other >= 0)
			close(other);
		break;
	}
}

static void *work(void *arg)
{
	u64 seed = (u64)(uintptr_t)arg;

	while (!stop)
		change(&seed);
	return NULL;
}

TEST_LIMIT(signals_of_files_that_close, 60)
{
	pthread_t t[4];

	signal(SIGIO, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	close((int)CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)));
	for (int i = 0; i < SLOTS; i++) {
		reader[i] = writer[i] = leased[i] = -1;
		renew(i);
	}
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, work, (void *)(uintptr_t)(i + 1)) == 0);
	sleep_ms(SCALE(3000, 30000));
	stop = true;
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}
