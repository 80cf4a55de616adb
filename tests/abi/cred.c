/* Identities and capabilities: which changes root may make, which a user may, what is dropped. */
#include "test.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define ROOT_ONLY                                                                                  \
	if (geteuid())                                                                             \
	SKIP("needs root")

static void check_uids(uid_t r, uid_t e, uid_t s)
{
	uid_t a, b, c;

	CHECK_OK(getresuid(&a, &b, &c));
	CHECK_EQ(a, r);
	CHECK_EQ(b, e);
	CHECK_EQ(c, s);
}

static int capget(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capget, &h, data);
}

static int capset(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capset, &h, data);
}

TEST(root_setuid_sets_all_three)
{
	ROOT_ONLY;
	IN_CHILD {
		CHECK_OK(syscall(SYS_setuid, 1000));
		check_uids(1000, 1000, 1000);
		CHECK_ERR(syscall(SYS_setuid, 0), EPERM);
		CHECK_ERR(syscall(SYS_setuid, 1001), EPERM);
		CHECK_OK(syscall(SYS_setuid, 1000));
	}
	IN_CHILD {
		CHECK_OK(syscall(SYS_setgid, 1000));
		CHECK_EQ(getgid(), 1000);
		CHECK_EQ(getegid(), 1000);
	}
}

TEST(user_swaps_only_among_own_ids)
{
	ROOT_ONLY;
	IN_CHILD {
		CHECK_OK(syscall(SYS_setresuid, 1, 2, 3));
		check_uids(1, 2, 3);
		CHECK_OK(syscall(SYS_setuid, 3));
		check_uids(1, 3, 3);
		CHECK_OK(syscall(SYS_setresuid, 3, 1, -1));
		check_uids(3, 1, 3);
		CHECK_ERR(syscall(SYS_setresuid, 2, -1, -1), EPERM);
		CHECK_ERR(syscall(SYS_setresuid, -1, 9, -1), EPERM);
		CHECK_ERR(syscall(SYS_setresuid, -1, -1, 9), EPERM);
		check_uids(3, 1, 3);
	}
}

TEST(setreuid_updates_the_saved_id)
{
	ROOT_ONLY;
	IN_CHILD {
		CHECK_OK(syscall(SYS_setreuid, 1000, -1));
		check_uids(1000, 0, 0);
		CHECK_OK(syscall(SYS_setreuid, -1, 1000));
		check_uids(1000, 1000, 0);
		CHECK_OK(syscall(SYS_setreuid, -1, 0));
		CHECK_OK(syscall(SYS_setreuid, 1000, 1000));
		check_uids(1000, 1000, 1000);
		CHECK_ERR(syscall(SYS_setreuid, -1, 0), EPERM);
	}
	IN_CHILD {
		CHECK_OK(syscall(SYS_setreuid, -1, 500));
		check_uids(0, 500, 500);
		CHECK_OK(syscall(SYS_setreuid, 500, 0));
		check_uids(500, 0, 0);
	}
}

TEST(fsuid_follows_and_returns_the_old)
{
	ROOT_ONLY;
	IN_CHILD {
		CHECK_EQ(setfsuid(1000), 0);
		CHECK_EQ(setfsuid(-1), 1000);
		write_file("/dev/null", "");
		CHECK_OK(syscall(SYS_setresuid, -1, 7, -1));
		CHECK_EQ(setfsuid(-1), 7);
	}
	IN_CHILD {
		become(1000, 1000);
		CHECK_EQ(setfsuid(0), 1000);
		CHECK_EQ(setfsuid(-1), 1000);
		CHECK_EQ(setfsgid(0), 1000);
		CHECK_EQ(setfsgid(-1), 1000);
	}
}

TEST(supplementary_groups)
{
	gid_t set[3] = { 30, 10, 20 }, got[32];

	ROOT_ONLY;
	CHECK_OK(setgroups(3, set));
	CHECK_EQ(getgroups(0, NULL), 3);
	CHECK_ERR(getgroups(2, got), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, got), EINVAL);
	CHECK_EQ(getgroups(32, got), 3);
	CHECK_EQ(got[0] + got[1] + got[2], 60);
	CHECK_ERR(syscall(SYS_setgroups, 65537, set), EINVAL);
	CHECK_ERR(syscall(SYS_setgroups, 3, 8), EFAULT);
	IN_CHILD {
		CHECK_OK(syscall(SYS_setuid, 1000));
		CHECK_ERR(setgroups(1, set), EPERM);
		CHECK_EQ(getgroups(0, NULL), 3);
	}
}

TEST(leaving_root_drops_capabilities)
{
	struct __user_cap_data_struct caps[2];

	ROOT_ONLY;
	IN_CHILD {
		CHECK_OK(syscall(SYS_setresuid, -1, 1000, -1));
		CHECK_OK(capget(caps));
		CHECK_EQ(caps[0].effective, 0);
		CHECK(caps[0].permitted != 0);
		CHECK_OK(syscall(SYS_setresuid, -1, 0, -1));
		CHECK_OK(capget(caps));
		CHECK_EQ(caps[0].effective, caps[0].permitted);
		CHECK_OK(syscall(SYS_setresuid, 1000, 1000, 1000));
		CHECK_OK(capget(caps));
		CHECK_EQ(caps[0].effective | caps[0].permitted, 0);
		CHECK_EQ(caps[1].effective | caps[1].permitted, 0);
	}
}

TEST(keepcaps_keeps_the_permitted_set)
{
	struct __user_cap_data_struct caps[2];

	ROOT_ONLY;
	IN_CHILD {
		CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
		CHECK_OK(prctl(PR_SET_KEEPCAPS, 1));
		CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
		CHECK_OK(syscall(SYS_setresuid, 1000, 1000, 1000));
		CHECK_OK(capget(caps));
		CHECK_EQ(caps[0].effective, 0);
		CHECK(caps[0].permitted & 1 << CAP_CHOWN);
		caps[0].effective = 1 << CAP_CHOWN;
		CHECK_OK(capset(caps));
		write_file("/dev/null", "");
	}
}

TEST(capabilities_only_shrink)
{
	struct __user_cap_data_struct caps[2], all[2];

	ROOT_ONLY;
	CHECK_OK(capget(all));
	memcpy(caps, all, sizeof(caps));
	caps[0].permitted &= ~(1u << CAP_KILL);
	CHECK_ERR(capset(caps), EPERM); /* effective is not inside permitted */
	caps[0].effective &= ~(1u << CAP_KILL);
	CHECK_OK(capset(caps));
	CHECK_ERR(capset(all), EPERM);
	CHECK_OK(capget(all));
	CHECK_EQ(all[0].permitted, caps[0].permitted);
}

TEST(capget_versions)
{
	struct __user_cap_header_struct h = { 0x12345678, 0 };
	struct __user_cap_data_struct data[2];

	CHECK_ERR(syscall(SYS_capget, &h, data), EINVAL);
	CHECK_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
	h.version = 0;
	CHECK_OK(syscall(SYS_capget, &h, NULL));
	h.pid = -1;
	CHECK_ERR(syscall(SYS_capget, &h, data), EINVAL);
	h.pid = 0x3ffffff;
	CHECK_ERR(syscall(SYS_capget, &h, data), ESRCH);
	CHECK_ERR(syscall(SYS_capget, 8, data), EFAULT);
	h.pid = 1;
	CHECK_ERR(syscall(SYS_capset, &h, data), EPERM);
}

TEST(effective_capability_decides_not_the_uid)
{
	struct __user_cap_data_struct caps[2];

	ROOT_ONLY;
	write_file("f", "x");
	CHECK_OK(chown("f", 1, 1));
	CHECK_OK(chmod("f", 0));
	CHECK_OK(capget(caps));
	caps[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	CHECK_OK(capset(caps));
	CHECK_ERR(open("f", O_RDONLY), EACCES);
	CHECK_ERR(open("f", O_WRONLY), EACCES);
	caps[0].effective |= 1u << CAP_DAC_READ_SEARCH;
	CHECK_OK(capset(caps));
	CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(open("f", O_WRONLY), EACCES);
}

TEST(bounding_set)
{
	ROOT_ONLY;
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 1);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 99), EINVAL);
	CHECK_OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 0);
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
	}
}

TEST(no_new_privs_is_one_way_and_inherited)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	IN_CHILD CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

TEST(no_new_privs_disarms_setuid_programs)
{
	ROOT_ONLY;
	/* The claim's directory may lie on a mount without set-id programs. */
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=0755"));
	CHECK_OK(chdir("m"));
	IN_CHILD {
		char buf[65536];
		int in = CHECK_OK(open(test_self, O_RDONLY)), out;
		ssize_t n;

		out = CHECK_OK(open("suid", O_WRONLY | O_CREAT, 0755));
		while ((n = read(in, buf, sizeof(buf))) > 0)
			CHECK_EQ(write(out, buf, n), n);
		close(out);
		CHECK_OK(chmod("suid", 04755));
		become(1000, 1000);
		IN_CHILD {
			execl("suid", "./suid", "--helper", "euid_is", "0", NULL);
			FAIL("exec");
		}
		CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		IN_CHILD {
			execl("suid", "./suid", "--helper", "euid_is", "1000", NULL);
			FAIL("exec");
		}
	}
	CHECK_OK(chdir(".."));
	CHECK_OK(umount2("m", MNT_DETACH));
}

HELPER(euid_is)
{
	return (int)geteuid() != atoi(argv[0]);
}

TEST(user_signals_only_own_processes)
{
	pid_t victim;

	ROOT_ONLY;
	victim = test_fork();
	if (victim == 0)
		for (;;)
			pause();
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(kill(victim, SIGTERM), EPERM);
		CHECK_ERR(kill(victim, 0), EPERM);
		CHECK_ERR(kill(1, 0), EPERM);
	}
	kill(victim, SIGKILL);
	CHECK_KILLED(victim, SIGKILL);
}

TEST(sigcont_is_allowed_within_the_session)
{
	pid_t victim;

	ROOT_ONLY;
	victim = test_fork();
	if (victim == 0)
		for (;;)
			pause();
	IN_CHILD {
		become(1000, 1000);
		CHECK_OK(kill(victim, SIGCONT));
	}
	kill(victim, SIGKILL);
	CHECK_KILLED(victim, SIGKILL);
}
