/* Deep directory trees, long symlink chains, many names. */
#include "exhaust.h"

static void remove_chain(const char *name)
{
	while (chdir(name) == 0)
		;
	while (chdir("..") == 0 && rmdir(name) == 0)
		;
}

TEST_LIMIT(deep_directories, 120)
{
	long before;
	int top, depth = SCALE(5000, 100000);
	char buf[8192];

	VM_ONLY;
	before = settle();
	top = CHECK_OK(open(".", O_RDONLY));
	for (int i = 0; i < depth; i++) {
		CHECK_OK(mkdir("d", 0755));
		CHECK_OK(chdir("d"));
	}
	write_file("bottom", "x");
	/* Longer than any path can be: getcwd says so and no more. */
	CHECK_ERR(syscall(SYS_getcwd, buf, sizeof(buf)), ENAMETOOLONG);
	CHECK_OK(unlink("bottom"));
	for (int i = 0; i < depth; i++) {
		CHECK_OK(chdir(".."));
		CHECK_OK(rmdir("d"));
	}
	CHECK_OK(fchdir(top));
	remove_chain("d");
	check_recovered(before);
}

/* Moving a directory below itself must be seen at any depth. */
TEST_LIMIT(rename_into_a_deep_descendant, 60)
{
	VM_ONLY;
	CHECK_OK(mkdir("r", 0755));
	int r = CHECK_OK(open("r", O_RDONLY)), deep = r;

	for (int i = 0; i < 500; i++) {
		CHECK_OK(mkdirat(deep, "d", 0755));
		deep = CHECK_OK(openat(deep, "d", O_RDONLY));
	}
	CHECK_ERR(renameat(AT_FDCWD, "r", deep, "x"), EINVAL);
	CHECK_ERR(renameat(r, "d", deep, "x"), EINVAL);
	check_alive();
}

TEST_LIMIT(symlink_chains, 60)
{
	long before;
	char a[40], b[40];
	struct stat st;
	int n = SCALE(2000, 50000);

	VM_ONLY;
	before = settle();
	for (int i = 0; i < n; i++) {
		snprintf(a, sizeof(a), "link-%d", i + 1);
		snprintf(b, sizeof(b), "link-%d", i);
		CHECK_OK(symlink(a, b));
	}
	CHECK_ERR(stat("link-0", &st), ELOOP);
	snprintf(a, sizeof(a), "link-%d", n);
	write_file(a, "");
	snprintf(b, sizeof(b), "link-%d", n - 40);
	CHECK_OK(stat(b, &st));
	snprintf(b, sizeof(b), "link-%d", n - 41);
	CHECK_ERR(stat(b, &st), ELOOP);
	for (int i = 0; i <= n; i++) {
		snprintf(b, sizeof(b), "link-%d", i);
		CHECK_OK(unlink(b));
	}
	check_recovered(before);
}

/* Symlinks whose expansion grows at each step. */
TEST(symlinks_that_multiply)
{
	struct stat st;

	VM_ONLY;
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("d/../d/../d/../d/..", "l0"));
	for (int i = 1; i < 30; i++) {
		char to[64], name[8];

		snprintf(name, sizeof(name), "l%d", i);
		snprintf(to, sizeof(to), "l%d/l%d/l%d", i - 1, i - 1, i - 1);
		CHECK_OK(symlink(to, name));
	}
	CHECK_ERR(stat("l29", &st), ELOOP);
	CHECK_OK(stat("l2", &st));
}

TEST_LIMIT(many_files_and_misses, 120)
{
	long before;
	char name[40];
	struct stat st;
	int n = SCALE(5000, 200000);

	VM_ONLY;
	before = settle();
	CHECK_OK(mkdir("many", 0755));
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		close(CHECK_OK(open(name, O_CREAT | O_WRONLY, 0600)));
		snprintf(name, sizeof(name), "many/no-%d", i);
		CHECK_ERR(stat(name, &st), ENOENT); /* remembered misses must not pile up */
	}
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		CHECK_OK(unlink(name));
	}
	CHECK_OK(rmdir("many"));
	check_recovered(before);
}
