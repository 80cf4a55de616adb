/* Descriptors, pipes with full buffers and terminals to the limits. */
#include "exhaust.h"

TEST_LIMIT(open_files_to_the_limit, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		int n = 0, fd, last = -1;

		CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 20000, 20000 }));
		while ((fd = open("/dev/zero", O_RDONLY)) >= 0)
			n++, last = fd;
		CHECK_EQ(errno, EMFILE);
		CHECK(n > 19900 && last == 19999);
		CHECK_OK(close(last));
		CHECK_OK(open("/dev/null", O_RDONLY));
	}
	check_recovered(before);
}

/* Each pipe keeps 64 KiB of kernel memory until memory, the user's share or the table ends. */
TEST_LIMIT(full_pipes, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		static char buf[65536];
		int p[2], n = 0;

		become(2003, 2003);
		while (pipe2(p, O_NONBLOCK) == 0) {
			CHECK(write(p[1], buf, sizeof(buf)) > 0);
			n++;
		}
		CHECK(errno == EMFILE || errno == ENFILE || errno == ENOMEM);
		CHECK(n > 100);
	}
	check_recovered(before);
}

TEST_LIMIT(terminals, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		int n = 0;

		while (n < 500 && open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0)
			n++;
		CHECK(n >= 64);
	}
	check_recovered(before);
}

/* A descriptor table grown large is copied by fork and freed with each child. */
TEST_LIMIT(large_tables_across_fork, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 50000, 50000 }));
		CHECK_EQ(fcntl(1, F_DUPFD, 49999), 49999);
		for (int i = 0; i < 50; i++)
			IN_CHILD CHECK_OK(fcntl(49999, F_GETFD));
	}
	check_recovered(before);
}
