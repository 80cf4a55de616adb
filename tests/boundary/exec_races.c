/* execve of set-id programs while somebody changes what they are: their owner, their mode, their name. */
#include "attack.h"

#define USER  1000
#define OTHER 1001

static void copy_self(const char *path, uid_t owner, mode_t mode)
{
	char cmd[8192];

	snprintf(cmd, sizeof(cmd), "cp %s %s", test_self, path);
	CHECK_EQ(system(cmd), 0);
	CHECK_OK(chown(path, owner, owner));
	CHECK_OK(chmod(path, mode));
}

/* 1: without privilege, 2: as root, 3: as the other user. */
HELPER(whoami)
{
	return geteuid() == 0 ? 2 : geteuid() == OTHER ? 3 : 1;
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

/*
 * The other user's set-id program becomes root's, which takes the bit away: owner and bit are one thing
 * to execve. Who reads the old bit and the new owner gives root away.
 */
TEST_LIMIT(owner_and_mode_are_read_together, 60)
{
	pid_t pid;

	SKIP_ON_SHARE("owners of its own");
	CHECK_OK(chmod(".", 0755));
	copy_self("prog", OTHER, 04755);
	pid = test_fork();
	if (!pid)
		for (;;) {
			CHECK_OK(chown("prog", 0, 0));
			CHECK_OK(chown("prog", OTHER, OTHER));
			CHECK_OK(chmod("prog", 04755));
		}
	for (int i = 0; i < SCALE(80, 3000); i++) {
		int who = run_as_user("./prog", "whoami");

		CHECK(who == 1 || who == 3);
	}
	kill(pid, SIGKILL);
	test_reap(pid);
}

/* A name that goes to and fro between root's set-id program and another one's: what runs as root is root's. */
TEST_LIMIT(a_name_that_changes_gives_nothing_away, 60)
{
	struct stat st;
	int fd;
	pid_t pid;

	SKIP_ON_SHARE("owners of its own");
	CHECK_OK(chmod(".", 0755));
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
	for (int i = 0; i < SCALE(80, 3000); i++) {
		int who = run_as_user("./name", "whose");

		CHECK(who == 1 || who == 2);
	}
	kill(pid, SIGKILL);
	test_reap(pid);
}
