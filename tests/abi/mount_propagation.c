/* Shared, slave, private and unbindable mounts, below a tmpfs of each claim's own. */
#include "test.h"

#include <sched.h>
#include <sys/mount.h>

static bool begin(void)
{
	if (geteuid())
		return false;
	/* Never in the namespace of a host; a kernel without namespaces is a test's own guest. */
	if (!unshare(CLONE_NEWNS))
		CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	else if (errno != EINVAL)
		return false;
	CHECK_OK(mkdir("w", 0755));
	CHECK_OK(mount("none", "w", "tmpfs", 0, NULL));
	CHECK_OK(chdir("w"));
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	CHECK_OK(mkdir("c", 0755));
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/d", 0755));
	CHECK_OK(mkdir("a/e", 0755));
	return true;
}

static void end(void)
{
	CHECK_OK(chdir(".."));
	CHECK_OK(umount2("w", MNT_DETACH));
}

#define NEEDS_ROOT                                                                                 \
	if (!begin())                                                                              \
	SKIP("needs root")

static void set(const char *where, unsigned long type)
{
	CHECK_OK(mount(NULL, where, NULL, type, NULL));
}

static void bind_to(const char *from, const char *to)
{
	CHECK_OK(mount(from, to, NULL, MS_BIND, NULL));
}

static void tmpfs_on(const char *where)
{
	CHECK_OK(mount("none", where, "tmpfs", 0, NULL));
}

/* Does where lie in another file system than its parent? */
static bool mounted(const char *where)
{
	char up[64];
	struct stat a, b;

	snprintf(up, sizeof(up), "%s/..", where);
	CHECK_OK(stat(where, &a));
	CHECK_OK(stat(up, &b));
	return a.st_dev != b.st_dev;
}

static int group(const char *where, const char *tag)
{
	char line[1024], point[256], end[64], *at;
	int found = 0;
	FILE *f = fopen("/proc/self/mountinfo", "r");

	CHECK(f);
	snprintf(end, sizeof(end), "/w/%s", where);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %*s %*s %255s", point) != 1 || strlen(point) < strlen(end) ||
		    strcmp(point + strlen(point) - strlen(end), end))
			continue;
		at = strstr(line, " - ");
		CHECK(at);
		*at = '\0';
		at = strstr(line, tag);
		found = at ? at[strlen(tag)] == ':' ? atoi(at + strlen(tag) + 1) : 1 : 0;
	}
	fclose(f);
	return found;
}

TEST(bad_types)
{
	NEEDS_ROOT;
	CHECK_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_RDONLY, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "a", NULL, MS_SLAVE | MS_UNBINDABLE | MS_REC, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "b", NULL, MS_SHARED, NULL), EINVAL);
	CHECK_OK(mount(NULL, "a", NULL, MS_SHARED | MS_SILENT | MS_REC, NULL));
	end();
}

TEST(peers_get_mounts_and_umounts)
{
	NEEDS_ROOT;
	set("a", MS_SHARED);
	bind_to("a", "b");
	CHECK(group("a", "shared") > 0);
	CHECK_EQ(group("a", "shared"), group("b", "shared"));
	tmpfs_on("a/d");
	CHECK(mounted("b/d"));
	CHECK(group("a/d", "shared") > 0);
	CHECK_EQ(group("a/d", "shared"), group("b/d", "shared"));
	tmpfs_on("b/e");
	CHECK(mounted("a/e"));
	CHECK_OK(umount("b/d"));
	CHECK(!mounted("a/d"));
	CHECK_OK(umount("a/e"));
	CHECK(!mounted("b/e"));
	end();
}

TEST(slaves_only_receive)
{
	NEEDS_ROOT;
	set("a", MS_SHARED);
	bind_to("a", "b");
	set("b", MS_SLAVE);
	CHECK_EQ(group("b", "master"), group("a", "shared"));
	CHECK_EQ(group("b", "shared"), 0);
	tmpfs_on("a/d");
	CHECK(mounted("b/d"));
	CHECK_EQ(group("b/d", "master"), group("a/d", "shared"));
	tmpfs_on("b/e");
	CHECK(!mounted("a/e"));
	/* A slave that is shared passes on what it gets. */
	set("b", MS_SHARED);
	bind_to("b", "c");
	CHECK_OK(umount("b/e"));
	tmpfs_on("a/e");
	CHECK(mounted("b/e") && mounted("c/e"));
	CHECK_EQ(group("b/e", "shared"), group("c/e", "shared"));
	CHECK_EQ(group("c/e", "master"), group("a/e", "shared"));
	CHECK_OK(umount("a/e"));
	CHECK(!mounted("b/e") && !mounted("c/e"));
	end();
}

TEST(the_group_survives_its_members)
{
	NEEDS_ROOT;
	set("a", MS_SHARED);
	bind_to("a", "b");
	bind_to("a", "c");
	set("c", MS_SLAVE);
	CHECK_OK(umount("b"));
	tmpfs_on("a/d");
	CHECK(mounted("c/d"));
	set("a", MS_PRIVATE);
	CHECK_EQ(group("a", "shared"), 0);
	CHECK_EQ(group("c", "master"), 0);
	tmpfs_on("a/e");
	CHECK(!mounted("c/e"));
	end();
}

TEST(peers_of_another_directory)
{
	NEEDS_ROOT;
	CHECK_OK(mkdir("a/d/x", 0755));
	set("a", MS_SHARED);
	bind_to("a/d", "b");
	CHECK_EQ(group("a", "shared"), group("b", "shared"));
	tmpfs_on("a/d/x");
	CHECK(mounted("b/x"));
	tmpfs_on("a/e");
	CHECK_OK(umount("b/x"));
	CHECK(!mounted("a/d/x"));
	end();
}

TEST(unbindable_mounts)
{
	NEEDS_ROOT;
	tmpfs_on("a/d");
	tmpfs_on("a/e");
	set("a/d", MS_UNBINDABLE);
	CHECK_EQ(group("a/d", "unbindable"), 1);
	CHECK_ERR(mount("a/d", "b", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	CHECK(!mounted("b/d"));
	CHECK(mounted("b/e"));
	set("a/d", MS_SLAVE);
	CHECK_EQ(group("a/d", "unbindable"), 1);
	set("a/d", MS_PRIVATE);
	bind_to("a/d", "c");
	end();
}

TEST(moves)
{
	NEEDS_ROOT;
	tmpfs_on("b");
	CHECK_OK(mkdir("b/x", 0755));
	tmpfs_on("b/x");
	set("b/x", MS_UNBINDABLE);
	set("a", MS_SHARED);
	bind_to("a", "c");
	CHECK_ERR(mount("b", "a/d", NULL, MS_MOVE, NULL), EINVAL);
	set("b/x", MS_PRIVATE);
	CHECK_OK(mount("b", "a/d", NULL, MS_MOVE, NULL));
	CHECK(mounted("c/d") && mounted("c/d/x"));
	CHECK(group("a/d/x", "shared") > 0);
	CHECK_EQ(group("a/d/x", "shared"), group("c/d/x", "shared"));
	CHECK_ERR(mount("a/d", "b", NULL, MS_MOVE, NULL), EINVAL);
	end();
}

TEST(busy_copies)
{
	int fd;

	NEEDS_ROOT;
	set("a", MS_SHARED);
	bind_to("a", "b");
	tmpfs_on("a/d");
	write_file("b/d/f", "");
	fd = CHECK_OK(open("b/d/f", O_RDONLY));
	CHECK_ERR(umount("a/d"), EBUSY);
	CHECK(mounted("a/d") && mounted("b/d"));
	CHECK_OK(close(fd));
	CHECK_OK(umount("a/d"));
	CHECK(!mounted("b/d"));
	end();
}

TEST(a_copy_with_a_mount_below_stays)
{
	NEEDS_ROOT;
	set("a", MS_SHARED);
	bind_to("a", "b");
	tmpfs_on("a/d");
	set("b/d", MS_PRIVATE);
	CHECK_OK(mkdir("b/d/x", 0755));
	tmpfs_on("b/d/x");
	CHECK(!mounted("a/d/x"));
	CHECK_OK(umount("a/d"));
	CHECK(!mounted("a/d"));
	CHECK(mounted("b/d"));
	end();
}

TEST(a_copy_goes_below_what_is_there)
{
	NEEDS_ROOT;
	set("a", MS_SHARED);
	bind_to("a", "b");
	set("b", MS_SLAVE);
	tmpfs_on("b/d");
	write_file("b/d/own", "");
	tmpfs_on("a/d");
	CHECK_OK(access("b/d/own", F_OK));
	CHECK_OK(umount("a/d"));
	CHECK_OK(access("b/d/own", F_OK));
	CHECK(mounted("b/d"));
	CHECK_OK(umount("b/d"));
	CHECK(!mounted("b/d"));
	end();
}

TEST(recursive_types)
{
	NEEDS_ROOT;
	tmpfs_on("a/d");
	set("a", MS_SHARED | MS_REC);
	CHECK(group("a/d", "shared") > 0 && group("a/d", "shared") != group("a", "shared"));
	set("a", MS_PRIVATE);
	CHECK(group("a/d", "shared") > 0);
	CHECK_EQ(group("a", "shared"), 0);
	set("a", MS_UNBINDABLE | MS_REC);
	CHECK_EQ(group("a/d", "shared"), 0);
	CHECK_EQ(group("a/d", "unbindable"), 1);
	end();
}

/*
 * Each bind doubles the mounts. In a full run, until there are too many; what was refused leaves
 * nothing.
 */
TEST(copies_double_up_to_the_limit)
{
	int i, steps = SCALE(10, 24);
	char name[16];

	NEEDS_ROOT;
	set("a", MS_SHARED);
	for (i = 0; i < steps; i++) {
		snprintf(name, sizeof(name), "a/%d", i);
		CHECK_OK(mkdir(name, 0755));
		if (mount("a", name, NULL, MS_BIND, NULL))
			break;
	}
	if (i == steps) {
		CHECK(steps == 10);
	} else {
		CHECK_EQ(errno, ENOSPC);
		CHECK(i > 10 && i < 20);
		CHECK_ERR(mount("a", name, NULL, MS_BIND, NULL), ENOSPC);
		CHECK_OK(rmdir(name));
	}
	CHECK_ERR(umount("a/0"), EBUSY);
	end();
}
