/*
 * File capabilities (security.capability): who may set them, what execve makes of them, when they
 * go; and the second look at RLIMIT_NPROC in execve.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "test.h"

#define CAPS "security.capability"
#define BIT_OF(cap) (1U << (cap))
#define NET_RAW BIT_OF(CAP_NET_RAW)
#define CHOWN	BIT_OF(CAP_CHOWN)

#define ROOT_ONLY                                                                                  \
	if (geteuid())                                                                             \
	SKIP("needs root")

static int capget(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return (int)syscall(SYS_capget, &h, data);
}

static int capset(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return (int)syscall(SYS_capset, &h, data);
}

/* "--helper show PERMITTED EFFECTIVE AMBIENT SECURE": the program has exactly these. */
HELPER(show)
{
	struct __user_cap_data_struct d[2];
	u32 want[4], ambient = 0;

	if (argc != 4)
		return 10;
	for (int i = 0; i < 4; i++)
		want[i] = (u32)strtoul(argv[i], NULL, 0);
	if (capget(d))
		return 11;
	for (unsigned int c = 0; c < 32; c++)
		ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 1 ? 1U << c : 0;
	if (d[0].permitted != want[0])
		return 12;
	if (d[0].effective != want[1])
		return 13;
	if (ambient != want[2])
		return 14;
	return (getauxval(AT_SECURE) != 0) == want[3] ? 0 : 15;
}

/* init mounts /tmp with nosuid, under which nothing here has any effect. */
static void allow_suid(void)
{
	if (getenv("TEST_VM"))
		CHECK_OK(mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND, NULL));
}

static void make_program(const char *name)
{
	static char buf[65536];
	int from = (int)CHECK_OK(open(test_self, O_RDONLY));
	int to = (int)CHECK_OK(open(name, O_CREAT | O_WRONLY | O_TRUNC, 0755));
	ssize_t n;

	while ((n = CHECK_OK(read(from, buf, sizeof(buf)))) > 0)
		CHECK_EQ(write(to, buf, (size_t)n), n);
	close(from);
	close(to);
	CHECK_OK(chmod(name, 0755));
	CHECK_OK(chmod(".", 0755));
	allow_suid();
}

static int give(const char *name, u32 permitted, u32 inheritable, bool effective)
{
	struct vfs_cap_data v = {
		.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		.data[0] = { permitted, inheritable },
	};

	return setxattr(name, CAPS, &v, sizeof(v), 0);
}

static void as_user(void)
{
	CHECK_OK(setgid(1000));
	CHECK_OK(setuid(1000));
}

/* Runs ./prog, which must show these sets. */
#define CHECK_SHOWS(permitted, effective, ambient, secure)                                         \
	CHECK_EQ(shows(permitted, effective, ambient, secure), 0)

static int shows(u32 permitted, u32 effective, u32 ambient, bool secure)
{
	char p[12], e[12], a[12];
	pid_t pid;

	sprintf(p, "%u", permitted);
	sprintf(e, "%u", effective);
	sprintf(a, "%u", ambient);
	pid = test_fork();
	if (pid == 0) {
		execl("./prog", "prog", "--helper", "show", p, e, a, secure ? "1" : "0", NULL);
		_exit(errno == EPERM ? 101 : errno == EINVAL ? 102 : 100);
	}
	return test_reap(pid) >> 8;
}

TEST(file_caps_give_a_user_capabilities)
{
	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW | CHOWN, 0, true));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(NET_RAW | CHOWN, NET_RAW | CHOWN, 0, true);
		_exit(0);
	}
	CHECK_OK(give("prog", NET_RAW, 0, false));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(NET_RAW, 0, 0, true);
		_exit(0);
	}
	CHECK_OK(removexattr("prog", CAPS));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(0, 0, 0, false);
		_exit(0);
	}
}

TEST(file_caps_inheritable_needs_both_sides)
{
	struct __user_cap_data_struct d[2];

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", 0, NET_RAW | CHOWN, true));
	IN_CHILD {
		CHECK_OK(capget(d));
		d[0].inheritable = NET_RAW;
		d[1].inheritable = 0;
		CHECK_OK(capset(d));
		as_user();
		CHECK_SHOWS(NET_RAW, NET_RAW, 0, true);
		_exit(0);
	}
}

TEST(file_caps_bounding_set_withholds)
{
	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW | CHOWN, 0, true));
	IN_CHILD {
		CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
		as_user();
		CHECK_EQ(shows(0, 0, 0, false), 101); /* EPERM: it would not notice */
		_exit(0);
	}
	CHECK_OK(give("prog", NET_RAW | CHOWN, 0, false));
	IN_CHILD {
		CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
		as_user();
		CHECK_SHOWS(NET_RAW, 0, 0, true);
		_exit(0);
	}
}

TEST(file_caps_clear_ambient)
{
	struct __user_cap_data_struct d[2];

	ROOT_ONLY;
	make_program("prog");
	IN_CHILD {
		CHECK_OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
		as_user();
		CHECK_OK(capget(d));
		d[0].inheritable = CHOWN;
		CHECK_OK(capset(d));
		CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
		CHECK_SHOWS(CHOWN, CHOWN, CHOWN, false);
		_exit(0);
	}
	CHECK_OK(give("prog", NET_RAW, 0, false));
	IN_CHILD {
		CHECK_OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
		as_user();
		CHECK_OK(capget(d));
		d[0].inheritable = CHOWN;
		CHECK_OK(capset(d));
		CHECK_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
		CHECK_SHOWS(NET_RAW, 0, 0, true);
		_exit(0);
	}
}

TEST(file_caps_no_new_privs)
{
	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW, 0, true));
	IN_CHILD {
		as_user();
		CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		CHECK_EQ(shows(0, 0, 0, true), 0);
		_exit(0);
	}
}

TEST(file_caps_shared_fs_gains_nothing)
{
	pid_t pid, other;
	int p[2];

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW, 0, false));
	CHECK_OK(pipe(p));
	pid = test_fork();
	if (pid == 0) {
		char c;

		as_user();
		/* A process that shares root and working directory, and stays while we exec. */
		other = (pid_t)CHECK_OK(syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0));
		if (other == 0) {
			close(p[1]);
			_exit(read(p[0], &c, 1) != 0);
		}
		execl("./prog", "prog", "--helper", "show", "0", "0", "0", "0", NULL);
		_exit(100);
	}
	CHECK_EXITS(pid, 0);
	close(p[1]);
}

TEST(file_caps_nosuid_mount)
{
	ROOT_ONLY;
	if (!getenv("TEST_VM"))
		SKIP("mounts: only in a virtual machine");
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("t", "m", "tmpfs", MS_NOSUID, "mode=755"));
	CHECK_OK(chdir("m"));
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW, 0, true));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(0, 0, 0, false);
		_exit(0);
	}
	CHECK_OK(chdir(".."));
	CHECK_OK(umount2("m", MNT_DETACH));
}

TEST(file_caps_setuid_root_gets_only_them)
{
	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(chmod("prog", 04755));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(NET_RAW, NET_RAW, 0, true);
		_exit(0);
	}
}

TEST(file_caps_who_may_set)
{
	struct vfs_cap_data v = { .magic_etc = VFS_CAP_REVISION_2 };
	struct vfs_ns_cap_data v3 = { .magic_etc = VFS_CAP_REVISION_3 };
	char buf[64];

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(chown("prog", 1000, 1000));
	CHECK_ERR(setxattr("prog", CAPS, &v, 12, 0), EINVAL);
	CHECK_ERR(setxattr("prog", CAPS, &v, 3, 0), EINVAL);
	CHECK_ERR(setxattr("prog", CAPS, &v3, sizeof(v), 0), EINVAL);
	v.magic_etc |= 2;
	CHECK_ERR(setxattr("prog", CAPS, &v, sizeof(v), 0), EINVAL);
	v.magic_etc = VFS_CAP_REVISION_1;
	CHECK_ERR(setxattr("prog", CAPS, &v, 12, 0), EINVAL);
	CHECK_OK(setxattr("prog", CAPS, &v3, sizeof(v3), 0));
	CHECK_EQ(getxattr("prog", CAPS, buf, sizeof(buf)), 20); /* for our root: as revision 2 */
	v3.rootid = 1000;
	CHECK_OK(setxattr("prog", CAPS, &v3, sizeof(v3), 0));
	CHECK_EQ(getxattr("prog", CAPS, buf, sizeof(buf)), 24);
	CHECK_OK(give("prog", CHOWN, 0, false));
	CHECK_EQ(getxattr("prog", CAPS, buf, sizeof(buf)), 20);
	CHECK_EQ(getxattr("prog", CAPS, NULL, 0), 20);
	CHECK_ERR(getxattr("prog", CAPS, buf, 19), ERANGE);
	IN_CHILD {
		as_user();
		CHECK_ERR(give("prog", 0, 0, false), EPERM);
		CHECK_EQ(getxattr("prog", CAPS, buf, sizeof(buf)), 20);
		_exit(0);
	}
}

TEST(file_caps_owner_may_not_remove)
{
	const char *platform = getenv("TEST_PLATFORM");

	ROOT_ONLY;
	if (platform && !strcmp(platform, "linux"))
		SKIP("6.1 built with the BPF LSM lets the owner do it by mistake");
	make_program("prog");
	CHECK_OK(chown("prog", 1000, 1000));
	CHECK_OK(give("prog", CHOWN, 0, false));
	IN_CHILD {
		as_user();
		CHECK_ERR(removexattr("prog", CAPS), EPERM);
		_exit(0);
	}
	CHECK_EQ(getxattr("prog", CAPS, NULL, 0), 20);
}

/* A mount that is in no tree is treated like one with nosuid. */
TEST(file_caps_detached_mount)
{
	ROOT_ONLY;
	if (!getenv("TEST_VM"))
		SKIP("mounts: only in a virtual machine");
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("t", "m", "tmpfs", 0, "mode=755"));
	CHECK_OK(chdir("m"));
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(umount2("../m", MNT_DETACH));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(0, 0, 0, false);
		_exit(0);
	}
}

TEST(file_caps_of_another_root_count_for_nothing)
{
	struct vfs_ns_cap_data v3 = {
		.magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0] = { NET_RAW, 0 },
		.rootid = 1000,
	};

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(setxattr("prog", CAPS, &v3, sizeof(v3), 0));
	IN_CHILD {
		as_user();
		CHECK_SHOWS(0, 0, 0, false);
		_exit(0);
	}
}

TEST(file_caps_go_with_changes)
{
	int fd;

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(chmod("prog", 0700)); /* no change of that kind */
	CHECK_EQ(getxattr("prog", CAPS, NULL, 0), 20);
	fd = (int)CHECK_OK(open("prog", O_WRONLY));
	CHECK_EQ(getxattr("prog", CAPS, NULL, 0), 20);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_ERR(getxattr("prog", CAPS, NULL, 0), ENODATA);
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(ftruncate(fd, 100));
	CHECK_ERR(getxattr("prog", CAPS, NULL, 0), ENODATA);
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(truncate("prog", 99));
	CHECK_ERR(getxattr("prog", CAPS, NULL, 0), ENODATA);
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(chown("prog", 0, 0));
	CHECK_ERR(getxattr("prog", CAPS, NULL, 0), ENODATA);
	CHECK_OK(give("prog", NET_RAW, 0, true));
	CHECK_OK(close(open("prog", O_WRONLY | O_TRUNC)));
	CHECK_ERR(getxattr("prog", CAPS, NULL, 0), ENODATA);
	close(fd);
}

TEST(setid_bits_survive_roots_truncate)
{
	struct stat st;

	ROOT_ONLY;
	CHECK_OK(close(open("f", O_CREAT | O_WRONLY, 0755)));
	CHECK_OK(chmod("f", 06755));
	CHECK_OK(truncate("f", 10));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 06755);
	CHECK_OK(chown("f", 1000, 1000));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 07777, 0755);
	CHECK_OK(chmod("f", 06755));
	CHECK_OK(chmod(".", 0777));
	IN_CHILD {
		as_user();
		CHECK_OK(close(open("f", O_WRONLY | O_TRUNC)));
		CHECK_OK(stat("f", &st));
		CHECK_EQ(st.st_mode & 07777, 0755);
		_exit(0);
	}
}

/* setuid succeeds whatever the number of tasks; execve then fails while there are too many. */
TEST(execve_looks_at_nproc_after_setuid)
{
	const uid_t uid = 54321;
	struct rlimit r = { 2, 2 };
	pid_t pid[4];
	int p[2];

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(pipe(p));
	for (int i = 0; i < 4; i++) {
		pid[i] = test_fork();
		if (pid[i] == 0) {
			char c;

			close(p[1]);
			CHECK_OK(setuid(uid));
			_exit(read(p[0], &c, 1) != 0);
		}
	}
	sleep_ms(200);
	IN_CHILD {
		CHECK_OK(setrlimit(RLIMIT_NPROC, &r));
		CHECK_OK(setuid(uid));
		execl("./prog", "prog", "--helper", "show", "0", "0", "0", "0", NULL);
		CHECK_EQ(errno, EAGAIN);
		for (int i = 0; i < 4; i++)
			CHECK_OK(kill(pid[i], SIGKILL));
		sleep_ms(200);
		/* The dead are still there until somebody waits, but no longer count as running. */
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		CHECK_KILLED(pid[i], SIGKILL);
	/* Below the limit again: allowed, and not asked again later. */
	IN_CHILD {
		CHECK_OK(setrlimit(RLIMIT_NPROC, &r));
		CHECK_OK(setuid(uid));
		execl("./prog", "prog", "--helper", "show", "0", "0", "0", "0", NULL);
		_exit(100);
	}
}

/* The limit is inclusive: as many tasks as it says may run. */
TEST(execve_nproc_limit_is_inclusive)
{
	const uid_t uid = 54322;
	int p[2], want[] = { 0, 0, EAGAIN };

	ROOT_ONLY;
	make_program("prog");
	CHECK_OK(pipe(p));
	for (int others = 0; others < 3; others++) {
		struct rlimit r = { 1, 1 };
		pid_t pid;

		if (others) {
			pid = test_fork();
			if (pid == 0) {
				char c;

				close(p[1]);
				CHECK_OK(setuid(uid));
				_exit(read(p[0], &c, 1) != 0);
			}
			sleep_ms(200);
		}
		IN_CHILD {
			CHECK_OK(setrlimit(RLIMIT_NPROC, &r));
			CHECK_OK(setuid(uid));
			execl("./prog", "prog", "--helper", "show", "0", "0", "0", "0", NULL);
			CHECK_EQ(errno, want[others]);
			_exit(0);
		}
	}
	close(p[1]);
}
