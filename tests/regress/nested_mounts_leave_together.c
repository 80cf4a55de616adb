/*
 * A tree of mounts leaves the name space at once. Broke once: the file system that carried a place
 * was freed before the place itself, because the mounts were let go from the top.
 */
#include <sys/mount.h>

#include "test.h"

#define FILES SCALE(1500, 6000)

static void make(const char *form, int i)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), form, i);
	fd = open(name, O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0);
	close(fd);
}

static void mount_at(const char *dir)
{
	CHECK(mkdir(dir, 0755) == 0 || errno == EEXIST);
	CHECK_OK(mount("t", dir, "tmpfs", 0, NULL));
}

/* Enough names that what was freed is handed out again. */
static void use_names(void)
{
	struct stat st;
	char name[64];

	for (int i = 0; i < 2 * FILES; i++) {
		snprintf(name, sizeof(name), "absent%d", i);
		CHECK(stat(name, &st) < 0 && errno == ENOENT);
	}
}

TEST_LIMIT(places_go_before_their_file_system, 60)
{
	if (geteuid() != 0 || !getenv("TEST_VM"))
		SKIP("mounts: only as root in a virtual machine");
	for (int round = 0; round < SCALE(4, 20); round++) {
		mount_at("top");
		mount_at("top/a");
		for (int i = 0; i < FILES; i++)
			make("top/a/file%d", i);
		mount_at("top/a/b"); /* the newest name goes first, long before the last */
		mount_at("top/a/b/c");
		CHECK_OK(umount2("top", MNT_DETACH));
		use_names();
	}
	CHECK_OK(rmdir("top"));
}
