/*
 * A socket that lies in its own queue was never collected when its last descriptor was closed while
 * another thread was inside a call on it: the reference of that call was the last one outside of the
 * queue, and nobody looked when it went.
 */
#include "sockets.h"

#include <poll.h>
#include <pthread.h>

static int fd[2];

static void *poller(void *unused)
{
	struct pollfd p = { .fd = fd[0], .events = POLLPRI };

	(void)unused;
	poll(&p, 1, 300);
	return NULL;
}

TEST(cycle_is_collected_after_the_last_call_on_it)
{
	struct pollfd hangup;
	pthread_t t;
	int marker[2], extra[2];

	CHECK_OK(pipe(marker));
	make_pair(SOCK_STREAM, fd);
	CHECK_EQ(send_fds(fd[1], (int[]){ fd[0], marker[1] }, 2), 1);
	close(marker[1]);
	CHECK_EQ(pthread_create(&t, NULL, poller, NULL), 0);
	sleep_ms(100);
	close(fd[0]);
	pthread_join(t, NULL);
	close(fd[1]);
	hangup = (struct pollfd){ .fd = marker[0], .events = POLLIN };
	for (int i = 0; i < 50 && !(hangup.revents & POLLHUP); i++) {
		make_pair(SOCK_STREAM, extra); /* Linux collects when a socket dies */
		close(extra[0]);
		close(extra[1]);
		CHECK_OK(poll(&hangup, 1, 100));
	}
	CHECK(hangup.revents & POLLHUP);
}
