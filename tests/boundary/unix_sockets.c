/* AF_UNIX under attack: cycles, nesting, hostile headers, everything closed under everybody. */
#include "attack.h"
#include "sockets.h"

#include <pthread.h>
#include <stdatomic.h>

/* A pipe whose writing end is given away; it must come back. */
static int marker[2];

static void check_marker_comes_back(void)
{
	struct pollfd p = { .fd = marker[0], .events = POLLIN };
	int extra[2];

	close(marker[1]);
	for (int i = 0; i < 100; i++) {
		make_pair(SOCK_STREAM, extra); /* Linux collects when a socket dies */
		close(extra[0]);
		close(extra[1]);
		CHECK_OK(poll(&p, 1, 100));
		if (p.revents & POLLHUP)
			return;
	}
	FAIL("something still holds the pipe");
}

/* Each socket lies in the queue of the next; only the last one has a descriptor. */
static int nest(int depth)
{
	int inner[2], outer[2];

	make_pair(SOCK_STREAM, inner);
	CHECK_EQ(send_fds(inner[0], &marker[1], 1), 1);
	for (int i = 0; i < depth; i++) {
		make_pair(SOCK_STREAM, outer);
		CHECK_EQ(send_fds(outer[0], &inner[1], 1), 1);
		close(inner[0]);
		close(inner[1]);
		memcpy(inner, outer, sizeof(inner));
	}
	close(inner[0]);
	return inner[1];
}

TEST_LIMIT(deep_nesting_unwinds_without_a_stack, 60)
{
	CHECK_OK(pipe(marker));
	close(nest(SCALE(3000, 20000)));
	check_marker_comes_back();
}

TEST_LIMIT(deep_nesting_behind_a_cycle_is_collected, 60)
{
	int fd[2], top;

	CHECK_OK(pipe(marker));
	make_pair(SOCK_STREAM, fd);
	top = nest(SCALE(500, 2000)); /* Linux takes a tick for each */;
	CHECK_EQ(send_fds(fd[0], (int[]){ fd[1], top }, 2), 1);
	close(top);
	close(fd[0]);
	close(fd[1]);
	check_marker_comes_back();
}

TEST_LIMIT(a_long_ring_is_collected, 60)
{
	int first[2], prev[2], next[2];

	CHECK_OK(pipe(marker));
	make_pair(SOCK_STREAM, first);
	memcpy(prev, first, sizeof(prev));
	for (int i = 0; i < SCALE(2000, 20000); i++) {
		make_pair(SOCK_STREAM, next);
		CHECK_EQ(send_fds(next[0], &prev[1], 1), 1);
		if (prev[0] != first[0]) {
			close(prev[0]);
			close(prev[1]);
		}
		memcpy(prev, next, sizeof(prev));
	}
	CHECK_EQ(send_fds(first[0], (int[]){ prev[1], marker[1] }, 2), 1);
	close(prev[0]);
	close(prev[1]);
	close(first[0]);
	close(first[1]);
	check_marker_comes_back();
}

/* ---- Races ---- */

enum { SLOTS = 32 };
static _Atomic int slot[SLOTS];
static atomic_bool stop;
/* Linux 6.18, unlike 6.1, never collects a cycle that was peeked at in the wrong moment. */
static bool may_peek;

static int get_slot(u64 *seed)
{
	return slot[next_random(seed) % SLOTS];
}

static void put_slot(u64 *seed, int fd)
{
	int old = atomic_exchange(&slot[next_random(seed) % SLOTS], fd);

	if (old > 0)
		close(old);
}

static void one_step(u64 *seed)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8)));
	int pair[2], fds[3] = { get_slot(seed), get_slot(seed), marker[1] };
	struct iovec iov = { .iov_base = control, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = (void *)control;

	switch (next_random(seed) % 8) {
	case 0:
		if (!socketpair(AF_UNIX, types[next_random(seed) % 3] | SOCK_NONBLOCK, 0, pair)) {
			put_slot(seed, pair[0]);
			put_slot(seed, pair[1]);
		}
		break;
	case 1:
	case 2:
	case 3:
		send_fds(get_slot(seed), fds, 1 + next_random(seed) % 3);
		break;
	case 4:
	case 5:
		memset(control, 0, sizeof(control));
		if (syscall(SYS_recvmsg, get_slot(seed), &m,
			    MSG_DONTWAIT | (may_peek && next_random(seed) % 4 == 0 ? MSG_PEEK : 0)) < 0)
			break;
		if (m.msg_controllen >= sizeof(*c) && c->cmsg_type == SCM_RIGHTS) {
			int *got = (int *)CMSG_DATA(c);

			for (size_t i = 0; i < (c->cmsg_len - sizeof(*c)) / sizeof(int); i++)
				put_slot(seed, got[i]);
		}
		break;
	case 6:
		put_slot(seed, -1);
		break;
	case 7:
		shutdown(get_slot(seed), (int)(next_random(seed) % 3));
		break;
	}
}

static void *racer(void *arg)
{
	u64 seed = (u64)arg * 0x9e3779b97f4a7c15 + 1;

	while (!stop)
		one_step(&seed);
	return NULL;
}

TEST_LIMIT(close_send_receive_and_collection_race, 60)
{
	pthread_t t[4];

	CHECK_OK(pipe(marker));
	signal(SIGPIPE, SIG_IGN);
	may_peek = getenv("TEST_VM");
	for (u64 i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, racer, (void *)(i + 7)), 0);
	sleep_ms(SCALE(1500, 20000));
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK_OK(syscall(SYS_close_range, marker[1] + 1, -1, 0));
	check_marker_comes_back();
}

static int victim[2];

static void *closer(void *unused)
{
	(void)unused;
	while (!stop) {
		int fd = victim[0];

		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		sched_yield();
	}
	return NULL;
}

TEST_LIMIT(sockets_end_under_blocked_callers, 30)
{
	static char buf[300000];
	pthread_t t;

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(pthread_create(&t, NULL, closer, NULL), 0);
	for (int i = 0; i < SCALE(300, 3000); i++) {
		make_pair(i % 2 ? SOCK_STREAM : SOCK_DGRAM, victim);
		if (i % 3)
			send(victim[0], buf, sizeof(buf), 0);
		else
			recv(victim[0], buf, sizeof(buf), 0);
		close(victim[1]);
		close(victim[0]);
	}
	stop = true;
	pthread_join(t, NULL);
}

/* ---- Hostile arguments ---- */

static u64 hostile_number(u64 *seed)
{
	static const u64 values[] = { 0, 1, 15, 16, 17, 24, 64, 4095, 4096, 20480, 20481, 1 << 20,
				      0x7fffffff, 0x80000000, 0xffffffff, 1ull << 40, 1ull << 63,
				      -1ull, -16ull, -4096ull };

	return values[next_random(seed) % ARRAY_SIZE(values)];
}

TEST_LIMIT(hostile_message_headers, 30)
{
	struct { u64 name, namelen, iov, iovlen, control, controllen, flags; } h;
	struct { u64 base, len; } iov[4];
	static u8 area[65536] __attribute__((aligned(4096)));
	u64 seed = 4242, ptrs[] = { 0, 8, (u64)area, (u64)area + 65536 - 8, (u64)area + 3,
				    0x800000000000, 0xffff800000000000, -4096ull };
	int fd[2];

	make_pair(SOCK_DGRAM, fd);
	set_option(fd[1], SO_PASSCRED, 1);
	set_nonblocking(fd[0]);
	set_nonblocking(fd[1]);
	for (int i = 0; i < SCALE(20000, 500000); i++) {
		for (int k = 0; k < 4; k++) {
			iov[k].base = ptrs[next_random(&seed) % ARRAY_SIZE(ptrs)];
			iov[k].len = hostile_number(&seed);
		}
		for (size_t k = 0; k < 64; k += 8)
			*(u64 *)(area + k) = hostile_number(&seed);
		h.name = ptrs[next_random(&seed) % ARRAY_SIZE(ptrs)];
		h.namelen = hostile_number(&seed);
		h.iov = next_random(&seed) % 4 ? (u64)iov : ptrs[next_random(&seed) % 8];
		h.iovlen = next_random(&seed) % 4 ? next_random(&seed) % 5 : hostile_number(&seed);
		h.control = ptrs[next_random(&seed) % ARRAY_SIZE(ptrs)];
		h.controllen = hostile_number(&seed);
		h.flags = hostile_number(&seed);
		if (next_random(&seed) % 2)
			syscall(SYS_sendmsg, fd[0], &h, (u32)hostile_number(&seed) | MSG_NOSIGNAL);
		else
			syscall(SYS_recvmsg, fd[1], &h, (u32)hostile_number(&seed) | MSG_DONTWAIT);
	}
}

