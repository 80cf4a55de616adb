/*
 * execve of set-id programs while somebody changes their names, and what was opened before it. (Owner and mode:
 * regress/set_id_of_the_owner_before.)
 */
#include "attack.h"

#include <sys/prctl.h>

#define USER  1000

static void copy_self(const char *path, uid_t owner, mode_t mode)
{
	char cmd[8192];

	snprintf(cmd, sizeof(cmd), "cp %s %s", test_self, path);
	CHECK_EQ(system(cmd), 0);
	CHECK_OK(chown(path, owner, owner));
	CHECK_OK(chmod(path, mode));
}

/* 1: without privilege, 2: as root. */
HELPER(whoami)
{
	return geteuid() == 0 ? 2 : 1;
}

/* 4: root, in a program that is not root's. The file's length tells which it is. */
HELPER(whose)
{
	struct stat st;

	if (stat("/proc/self/exe", &st) || geteuid() != 0)
		return 1;
	return st.st_size % 2 ? 4 : 2;
}

static int run_as_user(const char *path, const char *helper)
{
	pid_t pid = test_fork();

	if (!pid) {
		become(USER, USER);
		execl(path, path, "--helper", helper, NULL);
		_exit(errno == ETXTBSY || errno == EACCES || errno == ENOENT ? 1 : 9);
	}
	return test_reap(pid) >> 8;
}

/* A name that goes to and fro between root's set-id program and another one's: what runs as root is root's. */
TEST_LIMIT(a_name_that_changes_gives_nothing_away, 60)
{
	struct stat st;
	int fd, gained = 0;
	pid_t pid;

	if (!enter_setid_directory())
		SKIP("no file system with set-id bits");
	copy_self("roots", 0, 0755);
	copy_self("anybodys", USER, 0755);
	CHECK_OK(stat("roots", &st));
	if (st.st_size % 2) { /* an even length for root's, an odd one for the other */
		fd = CHECK_OK(open("roots", O_WRONLY | O_APPEND));
		CHECK_EQ(write(fd, "", 1), 1);
		close(fd);
	}
	if (st.st_size % 2 == 0) {
		fd = CHECK_OK(open("anybodys", O_WRONLY | O_APPEND));
		CHECK_EQ(write(fd, "", 1), 1);
		close(fd);
	}
	CHECK_OK(chmod("roots", 04755));
	CHECK_OK(symlink("roots", "name"));
	pid = test_fork();
	if (!pid)
		for (unsigned i = 0;; i++) {
			CHECK_OK(symlink(i % 2 ? "roots" : "anybodys", "next"));
			CHECK_OK(rename("next", "name"));
		}
	for (u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(500, 20000) * 1000000ull; now_ns(CLOCK_MONOTONIC) < end;) {
		int who = run_as_user("./name", "whose");

		CHECK(who == 1 || who == 2);
		gained += who == 2;
	}
	CHECK(gained);
	kill(pid, SIGKILL);
	test_reap(pid);
}

/* Whether root reads something that another has opened. */
HELPER(deputy)
{
	char c;

	return geteuid() == 0 && read(0, &c, 1) == 1 ? 4 : 2;
}

HELPER(stays)
{
	pause();
	return 0;
}

static void wait_until_named(pid_t pid, const char *wanted)
{
	char name[64], text[64];

	snprintf(name, sizeof(name), "/proc/%d/comm", pid);
	for (int i = 0; i < 5000; i++) {
		text[read_file(name, text, sizeof(text) - 1)] = '\0';
		if (!strncmp(text, wanted, strlen(wanted)))
			return;
		usleep(1000);
	}
	FAIL("it never became %s", wanted);
}

/* Opened while it was our program: they tell nothing of where the set-id program has what. */
TEST(files_opened_before_tell_nothing_of_the_next_program)
{
	static const char *const names[] = { "maps", "smaps", "environ", "pagemap", "syscall", "mem" };
	int fds[ARRAY_SIZE(names)], go[2];
	char text[8192];
	pid_t pid;

	if (!enter_setid_directory())
		SKIP("no file system with set-id bits");
	copy_self("gains", 0, 04755);
	CHECK_EQ(run_as_user("./gains", "whoami"), 2);
	IN_CHILD {
		become(USER, USER);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
		CHECK_OK(pipe(go));
		pid = test_fork();
		if (!pid) {
			CHECK_EQ(read(go[0], text, 1), 1);
			execl("./gains", "gains", "--helper", "stays", NULL);
			_exit(9);
		}
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			snprintf(text, sizeof(text), "/proc/%d/%s", pid, names[i]);
			fds[i] = (int)CHECK_OK(open(text, O_RDONLY));
		}
		CHECK_EQ(write(go[1], "x", 1), 1);
		wait_until_named(pid, "gains");
		usleep(20000);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			ssize_t n = read(fds[i], text, sizeof(text) - 1);

			if (n > 0) {
				text[n] = '\0';
				FAIL("%s: %zd bytes: %.600s", names[i], n, text);
			}
		}
		for (size_t i = 0; i < 3; i++) {
			pid_t deputy = test_fork();

			if (!deputy) {
				CHECK_OK(dup2(fds[i], 0));
				execl("./gains", "gains", "--helper", "deputy", NULL);
			}
			CHECK_EQ(test_reap(deputy) >> 8, 2);
		}
		kill(pid, SIGKILL);
		test_reap(pid);
	}
}
