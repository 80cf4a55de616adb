/*
 * Several processes make, move, link, mount over and remove the same few names at random. Broke
 * once: an unlink in a lazily detached mount freed the file system before the inode, and a mount
 * got onto a name that rmdir was just removing.
 */
#include <ftw.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "test.h"

#define WORKERS 4
#define RENAME_SWAP 2

/*
 * Renames move subtrees below each other, so the tree grows deeper than any name used here. musl's
 * nftw does not look into directories for which it has no descriptor left.
 */
#define MAX_DEPTH 512

static u64 seed;

static u32 pick(u32 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

static void pick_name(char *name)
{
	static const char *const last[] = {"f", "g", "a", "b", "l", "m",
					   "a-name-that-does-not-fit-into-an-inline-buffer"};

	strcpy(name, "top");
	for (u32 depth = pick(4); depth; depth--)
		sprintf(name + strlen(name), "/%c", 'a' + pick(3));
	sprintf(name + strlen(name), "/%s", last[pick(ARRAY_SIZE(last))]);
}

static void use_file(const char *name)
{
	static char data[6000];
	int fd = open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0644);

	if (fd < 0)
		return;
	if (write(fd, data, pick(sizeof(data))) < 0)
		CHECK(errno == ENOSPC || errno == EINVAL);
	close(fd);
}

static void use_dir(const char *name)
{
	char buf[300];
	int fd = open(name, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return;
	while (syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void use_mount(const char *a, const char *b)
{
	switch (pick(5)) {
	case 0:
		mount("t", a, "tmpfs", 0, "size=100k");
		break;
	case 1:
		mount(a, b, NULL, MS_BIND | (pick(2) ? MS_REC : 0), NULL);
		break;
	case 2:
		umount2(a, 0);
		break;
	default:
		umount2(a, MNT_DETACH);
	}
}

static void one_change(const char *a, const char *b)
{
	struct stat st;

	switch (pick(13)) {
	case 0:
	case 1: mkdir(a, 0755); break;
	case 2: rmdir(a); break;
	case 3: unlink(a); break;
	case 4: rename(a, b); break;
	case 5: syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_SWAP); break;
	case 6: link(a, b); break;
	case 7: symlink("../a", a); break;
	case 8: use_file(a); break;
	case 9: use_dir(a); break;
	case 10: setxattr(a, "trusted.x", "value", 5, 0); break;
	case 11: use_mount(a, b); break;
	case 12: stat(a, &st); break;
	}
}

static void work(u64 start)
{
	char a[128], b[128];

	seed = start;
	for (int i = 0, n = SCALE(15000, 300000); i < n; i++) {
		pick_name(a);
		pick_name(b);
		one_change(a, b);
	}
}

static void detach_all(const char *dir)
{
	char line[4096], at[2048];
	bool found = true;

	for (int round = 0; found && round < 500; round++) {
		FILE *f = fopen("/proc/mounts", "r");

		CHECK(f);
		found = false;
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%*s %2047s", at) == 1 && strstr(at, dir))
				found = umount2(at, MNT_DETACH) == 0 || found;
		fclose(f);
	}
}

static int remove_one(const char *name, const struct stat *st __attribute__((unused)),
		      int kind __attribute__((unused)),
		      struct FTW *where __attribute__((unused)))
{
	return remove(name); /* a failure ends the walk, and the claim */
}

TEST_LIMIT(names_change_under_everybody, 120)
{
	char cwd[1024];
	struct stat st;
	pid_t pid[WORKERS];

	if (geteuid() != 0 || !getenv("TEST_VM"))
		SKIP("mounts on the root file system: only in a virtual machine");
	CHECK_OK(mkdir("top", 0755));
	for (int i = 0; i < WORKERS; i++) {
		pid[i] = test_fork();
		if (pid[i] == 0) {
			work((u64)i + 1);
			_exit(0);
		}
	}
	for (int i = 0; i < WORKERS; i++)
		test_join(pid[i]);
	CHECK(getcwd(cwd, sizeof(cwd)));
	strcat(cwd, "/top");
	detach_all(cwd);
	CHECK_OK(nftw("top", remove_one, MAX_DEPTH, FTW_DEPTH | FTW_PHYS));
	CHECK_ERR(stat("top", &st), ENOENT);
}
