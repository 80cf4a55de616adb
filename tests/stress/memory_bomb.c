/* Memory used up in every way a program has: it ends in an errno or in that program's death. */
#include "exhaust.h"

#include <sys/mount.h>

static void touch_for_ever(void)
{
	size_t chunk = 1 << 20;

	for (;;) {
		char *p = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(3);
		for (size_t i = 0; i < chunk; i += 4096)
			p[i] = 1;
	}
}

/* Being killed for lack of memory, or refused it, are both fine; nobody else may suffer. */
static void check_victim(pid_t pid)
{
	int status = test_reap(pid);

	CHECK((status & 0x7f) == SIGKILL || (status & 0x7f) == SIGSEGV || status == 3 << 8);
}

TEST_LIMIT(anonymous_memory, 60)
{
	long before;
	pid_t bystander, pid;

	VM_ONLY;
	before = settle();
	bystander = test_fork();
	if (bystander == 0)
		for (;;)
			pause();
	for (int i = 0; i < 2; i++) {
		pid = test_fork();
		if (pid == 0)
			touch_for_ever();
		check_victim(pid);
	}
	CHECK_EQ(waitpid(bystander, NULL, WNOHANG), 0);
	kill(bystander, SIGKILL);
	test_reap(bystander);
	check_recovered(before);
}

TEST_LIMIT(two_bombs_at_once, 90)
{
	long before;
	pid_t pid[2];

	VM_ONLY;
	before = settle();
	for (int i = 0; i < 2; i++) {
		pid[i] = test_fork();
		if (pid[i] == 0)
			touch_for_ever();
	}
	check_victim(pid[0]);
	check_victim(pid[1]);
	check_recovered(before);
}

TEST_LIMIT(deep_stack, 60)
{
	long before;
	pid_t pid;

	VM_ONLY;
	before = settle();
	pid = test_fork();
	if (pid == 0) {
		volatile char *sp = __builtin_frame_address(0);

		setrlimit(RLIMIT_STACK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
		for (;; sp -= 4096)
			*sp = 1;
	}
	check_victim(pid);
	check_recovered(before);
}

/* Copies made by writing to forked memory. */
TEST_LIMIT(copy_on_write, 60)
{
	long before;
	size_t size;
	char *p;

	VM_ONLY;
	before = settle();
	size = before * 1024 / 3;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, size);
	for (int i = 0; i < 4; i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			memset(p, 2, size);
			_exit(p[size / 2] == 2 ? 0 : 1);
		}
		CHECK_EXITS(pid, 0);
	}
	CHECK_EQ(p[size / 2], 1);
	munmap(p, size);
	check_recovered(before);
}

TEST_LIMIT(files_in_memory, 60)
{
	static char buf[1 << 16];
	long before;
	int fd;

	VM_ONLY;
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "size=50%"));
	before = settle();
	fd = CHECK_OK(open("m/f", O_WRONLY | O_CREAT, 0600));
	while (write(fd, buf, sizeof(buf)) > 0)
		;
	CHECK(errno == ENOSPC || errno == ENOMEM);
	check_alive();
	close(fd);
	CHECK_OK(unlink("m/f"));
	check_recovered(before);
	CHECK_OK(umount("m"));
}

/* Page tables: one page touched in each of very many regions. */
TEST_LIMIT(page_tables, 60)
{
	long before;
	pid_t pid;

	VM_ONLY;
	before = settle();
	pid = test_fork();
	if (pid == 0) {
		for (u64 at = 1ull << 32;; at += 1 << 21) {
			char *p = mmap((void *)at, 4096, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

			if (p == MAP_FAILED)
				_exit(3);
			*p = 1;
		}
	}
	check_victim(pid);
	check_recovered(before);
}

/* Areas: split by protection until the count is refused. */
TEST_LIMIT(areas, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		size_t n = 100000;
		char *p = mmap(NULL, n * 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
		size_t i;

		CHECK(p != MAP_FAILED);
		for (i = 0; i < n; i++)
			if (mprotect(p + i * 8192, 4096, PROT_NONE) < 0)
				break;
		CHECK_EQ(errno, ENOMEM);
		CHECK(i > 30000);
	}
	check_recovered(before);
}

TEST_LIMIT(queued_signals, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		sigset_t set;
		long n = 0;

		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		while (n < 1000000 && sigqueue(getpid(), 40, (union sigval){ 0 }) == 0)
			n++;
		CHECK_EQ(errno, EAGAIN);
	}
	check_recovered(before);
}

TEST_LIMIT(locks_on_one_file, 60)
{
	long before;

	VM_ONLY;
	before = settle();
	IN_CHILD {
		int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

		for (int i = 0; i < 3000; i++) {
			struct flock l = { .l_type = F_WRLCK, .l_start = i * 2, .l_len = 1 };

			if (fcntl(fd, F_SETLK, &l) < 0) {
				CHECK_EQ(errno, ENOLCK);
				break;
			}
		}
	}
	check_recovered(before);
}
