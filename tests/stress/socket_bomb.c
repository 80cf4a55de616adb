/* Sockets until something runs out; afterwards all memory is back. */
#include "exhaust.h"
#include "sockets.h"

static void raise_limit(void)
{
	struct rlimit r = { 100000, 100000 };

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
}

/* The memory that the block has used is free again, but for a little that caches keep. */
static void check_back(long before)
{
	for (int i = 0; i < 50 && available_kib() < before - 4096; i++)
		sleep_ms(100);
	CHECK(available_kib() >= before - 4096);
	check_alive();
}

TEST_LIMIT(ten_thousand_abstract_names, 60)
{
	long before;
	char name[32];
	int c;

	VM_ONLY;
	raise_limit();
	before = available_kib();
	IN_CHILD {
		for (int i = 0; i < 10000; i++) {
			snprintf(name, sizeof(name), "@bomb-%d", i);
			unix_listener(SOCK_STREAM, name, 1);
		}
		for (int i = 0; i < 10000; i += 100) {
			snprintf(name, sizeof(name), "@bomb-%d", i);
			c = unix_socket(SOCK_STREAM);
			CHECK_OK(unix_connect(c, name));
			close(c);
		}
	}
	check_back(before);
}

TEST_LIMIT(ten_thousand_pairs_full_of_data, 60)
{
	static char buf[4096];
	long before;
	int fd[2];

	VM_ONLY;
	raise_limit();
	before = available_kib();
	IN_CHILD {
		for (int i = 0; i < 10000; i++) {
			make_pair(i % 2 ? SOCK_STREAM : SOCK_DGRAM, fd);
			CHECK_EQ(write(fd[0], buf, sizeof(buf)), sizeof(buf));
			CHECK_EQ(write(fd[1], buf, 1), 1);
		}
	}
	check_back(before);
}

TEST_LIMIT(cycles_by_the_thousand, 60)
{
	long before;
	int fd[2];

	VM_ONLY;
	before = available_kib();
	for (int round = 0; round < SCALE(20000, 200000); round++) {
		make_pair(SOCK_STREAM, fd);
		CHECK_EQ(send_fds(fd[0], fd, 2), 1);
		CHECK_EQ(send_fds(fd[1], fd, 2), 1);
		close(fd[0]);
		close(fd[1]);
	}
	make_pair(SOCK_STREAM, fd);
	close(fd[0]);
	close(fd[1]);
	check_back(before);
}

