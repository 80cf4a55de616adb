/* Permission bits, ownership, sticky directories, set-id bits, chroot, extended attributes. */
#include "test.h"

#include <sys/xattr.h>
#include <grp.h>

#define ROOT_ONLY                                                                                  \
	if (geteuid())                                                                             \
	SKIP("needs root")

static struct stat st;

static unsigned mode(const char *path)
{
	CHECK_OK(lstat(path, &st));
	return st.st_mode & 07777;
}

static void own(const char *path, uid_t uid, gid_t gid, unsigned perm)
{
	CHECK_OK(chown(path, uid, gid));
	CHECK_OK(chmod(path, perm));
}

/* Each class is decided by its own three bits alone: the owner never falls back to "other". */
TEST(each_class_is_decided_by_its_own_bits)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		int shift;
	} who[] = { { 10, 99, 6 }, { 11, 20, 3 }, { 11, 99, 0 } };

	ROOT_ONLY;
	write_file("f", "");
	for (size_t i = 0; i < ARRAY_SIZE(who); i++)
		for (unsigned bits = 0; bits < 8; bits++) {
			own("f", 10, 20, (0777 & ~(7 << who[i].shift)) | bits << who[i].shift);
			IN_CHILD {
				become(who[i].uid, who[i].gid);
				CHECK_EQ(access("f", R_OK), bits & 4 ? 0 : -1);
				CHECK_EQ(access("f", W_OK), bits & 2 ? 0 : -1);
				CHECK_EQ(access("f", X_OK), bits & 1 ? 0 : -1);
				CHECK_EQ(open("f", O_RDONLY) < 0, !(bits & 4));
				CHECK_EQ(open("f", O_RDWR) < 0, (bits & 6) != 6);
			}
		}
}

TEST(supplementary_group_counts)
{
	ROOT_ONLY;
	write_file("f", "");
	own("f", 1, 777, 0040);
	IN_CHILD {
		gid_t g = 777;

		CHECK_OK(setgroups(1, &g));
		CHECK_OK(syscall(SYS_setresgid, 5, 5, 5));
		CHECK_OK(syscall(SYS_setresuid, 5, 5, 5));
		CHECK_OK(open("f", O_RDONLY));
		CHECK_ERR(open("f", O_WRONLY), EACCES);
	}
}

TEST(root_needs_one_execute_bit)
{
	ROOT_ONLY;
	write_file("f", "");
	CHECK_OK(chmod("f", 0));
	CHECK_OK(open("f", O_RDWR));
	CHECK_ERR(access("f", X_OK), EACCES);
	CHECK_OK(chmod("f", 0001));
	CHECK_OK(access("f", X_OK));
}

TEST(access_uses_the_real_id)
{
	ROOT_ONLY;
	write_file("f", "");
	CHECK_OK(chmod("f", 0600));
	IN_CHILD {
		CHECK_OK(syscall(SYS_setresuid, 1000, 0, 0));
		CHECK_ERR(access("f", R_OK), EACCES);
		CHECK_OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
		CHECK_OK(open("f", O_RDONLY));
	}
	CHECK_ERR(syscall(SYS_access, "f", 8), EINVAL);
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "f", 0, 0x4), EINVAL);
}

TEST(directories_need_search_and_write)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("d", 0755));
	write_file("d/f", "");
	CHECK_OK(chmod("d", 0444));
	IN_CHILD {
		become(5, 5);
		CHECK_OK(open("d", O_RDONLY));
		CHECK_ERR(open("d/f", O_RDONLY), EACCES);
		CHECK_ERR(stat("d/f", &st), EACCES);
		CHECK_ERR(chdir("d"), EACCES);
	}
	CHECK_OK(chmod("d", 0555));
	IN_CHILD {
		become(5, 5);
		CHECK_OK(stat("d/f", &st));
		CHECK_ERR(unlink("d/f"), EACCES);
		CHECK_ERR(open("d/g", O_CREAT, 0600), EACCES);
		CHECK_ERR(mkdir("d/g", 0700), EACCES);
		CHECK_ERR(symlink("x", "d/g"), EACCES);
		CHECK_ERR(rename("d/f", "d/g"), EACCES);
		CHECK_ERR(rmdir("d"), EACCES);
	}
	CHECK_OK(chmod("d", 0311));
	IN_CHILD {
		become(5, 5);
		CHECK_ERR(open("d", O_RDONLY), EACCES);
		CHECK_OK(open("d/f", O_RDONLY));
	}
}

TEST(sticky_directory_protects_others_files)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("t", 0));
	own("t", 0, 0, 01777);
	write_file("t/f", "");
	own("t/f", 10, 10, 0666);
	IN_CHILD {
		become(11, 11);
		CHECK_ERR(unlink("t/f"), EPERM);
		CHECK_ERR(rename("t/f", "t/g"), EPERM);
		write_file("t/mine", "");
		CHECK_ERR(rename("t/mine", "t/f"), EPERM);
		CHECK_OK(unlink("t/mine"));
	}
	IN_CHILD {
		become(10, 10);
		CHECK_OK(unlink("t/f"));
	}
	write_file("t/f", "");
	own("t", 12, 12, 01777);
	IN_CHILD {
		become(12, 12); /* the directory's owner may */
		CHECK_OK(unlink("t/f"));
	}
}

TEST(chmod_belongs_to_the_owner)
{
	ROOT_ONLY;
	write_file("f", "");
	own("f", 10, 20, 0644);
	IN_CHILD {
		become(11, 20);
		CHECK_ERR(chmod("f", 0666), EPERM);
		CHECK_ERR(chown("f", 11, -1), EPERM);
		CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
		CHECK_ERR(utimensat(AT_FDCWD, "f", (struct timespec[2]){ { 1, 1 }, { 1, 1 } }, 0),
			  EPERM);
	}
	IN_CHILD {
		become(10, 30);
		CHECK_OK(chmod("f", 02755)); /* not in the group: setgid is dropped */
		CHECK_EQ(mode("f"), 0755);
		CHECK_OK(chown("f", -1, 30));
		CHECK_ERR(chown("f", -1, 31), EPERM);
		CHECK_ERR(chown("f", 11, -1), EPERM);
		CHECK_OK(chown("f", 10, -1));
	}
	CHECK_OK(fchmod(CHECK_OK(open("f", O_RDONLY)), 01234));
	CHECK_EQ(mode("f"), 01234);
}

TEST(chown_and_write_clear_set_id_bits)
{
	int fd;

	ROOT_ONLY;
	write_file("f", "");
	own("f", 10, 10, 06755);
	CHECK_OK(chown("f", 11, -1));
	CHECK_EQ(mode("f"), 0755);
	CHECK_OK(chmod("f", 02745)); /* without group execute the bit means locking: kept */
	CHECK_OK(chown("f", 12, -1));
	CHECK_EQ(mode("f"), 02745);
	own("f", 10, 10, 06777);
	IN_CHILD {
		become(11, 11);
		fd = CHECK_OK(open("f", O_WRONLY));
		CHECK_EQ(write(fd, "x", 1), 1);
		CHECK_EQ(mode("f"), 0777);
	}
	own("f", 10, 10, 06777);
	IN_CHILD {
		become(11, 11);
		CHECK_OK(truncate("f", 0));
		CHECK_EQ(mode("f"), 0777);
	}
}

TEST(setgid_directory_gives_its_group)
{
	ROOT_ONLY;
	CHECK_OK(mkdir("d", 0));
	own("d", 0, 55, 02777);
	IN_CHILD {
		become(10, 10);
		write_file("d/f", "");
		CHECK_OK(mkdir("d/e", 0755));
		CHECK_OK(stat("d/f", &st));
		CHECK_EQ(st.st_gid, 55);
		CHECK_OK(stat("d/e", &st));
		CHECK_EQ(st.st_gid, 55);
		CHECK_EQ(st.st_mode & 07777, 02755);
	}
}

TEST(chown_special_values)
{
	ROOT_ONLY;
	write_file("f", "");
	CHECK_OK(chown("f", 5, 6));
	CHECK_OK(chown("f", -1, 7));
	CHECK_OK(stat("f", &st));
	CHECK(st.st_uid == 5 && st.st_gid == 7);
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(lchown("l", 8, 8));
	CHECK_OK(lstat("l", &st));
	CHECK_EQ(st.st_uid, 8);
	CHECK_OK(stat("l", &st));
	CHECK_EQ(st.st_uid, 5);
	CHECK_OK(fchownat(CHECK_OK(open("f", O_RDONLY)), "", 9, 9, AT_EMPTY_PATH));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 9);
	CHECK_ERR(fchownat(AT_FDCWD, "f", 9, 9, 0x1), EINVAL);
}

TEST(chroot_confines_names)
{
	char cwd[64];
	int outside;

	ROOT_ONLY;
	CHECK_OK(mkdir("jail", 0755));
	CHECK_OK(mkdir("jail/in", 0755));
	CHECK_OK(symlink("/in", "jail/link"));
	outside = CHECK_OK(open(".", O_RDONLY));
	IN_CHILD {
		CHECK_OK(chroot("jail"));
		CHECK_OK(chdir("/"));
		CHECK_OK(stat("/in", &st));
		CHECK_OK(stat("/../../in", &st));
		CHECK_OK(stat("/link", &st));
		CHECK_ERR(stat("/tmp", &st), ENOENT);
		CHECK_OK(chdir("in"));
		CHECK(getcwd(cwd, sizeof(cwd)));
		CHECK_STR(cwd, "/in");
		CHECK_OK(fstatat(outside, "jail", &st, 0)); /* descriptors stay what they were */
		CHECK_OK(fchdir(outside));
		CHECK_EQ(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0, 1);
		CHECK(!strncmp(cwd, "(unreachable)", 13));
	}
	IN_CHILD {
		become(5, 5);
		CHECK_ERR(chroot("jail"), EPERM);
	}
	CHECK_ERR(chroot("no"), ENOENT);
}

TEST(xattr_round_trip)
{
	char buf[64] = "";
	int fd;

	ROOT_ONLY;
	write_file("f", "");
	if (setxattr("f", "trusted.a", "value", 5, 0) < 0 && errno == EOPNOTSUPP)
		SKIP("file system lacks extended attributes");
	CHECK_EQ(getxattr("f", "trusted.a", buf, sizeof(buf)), 5);
	CHECK_STR(buf, "value");
	CHECK_EQ(getxattr("f", "trusted.a", NULL, 0), 5);
	CHECK_ERR(getxattr("f", "trusted.a", buf, 4), ERANGE);
	CHECK_ERR(getxattr("f", "trusted.b", buf, 4), ENODATA);
	CHECK_ERR(setxattr("f", "trusted.a", "", 0, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("f", "trusted.b", "", 0, XATTR_REPLACE), ENODATA);
	CHECK_ERR(setxattr("f", "trusted.b", "", 0, 4), EINVAL);
	CHECK_OK(setxattr("f", "trusted.a", "other", 5, XATTR_REPLACE));
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(fsetxattr(fd, "trusted.c", "", 0, XATTR_CREATE));
	CHECK_EQ(fgetxattr(fd, "trusted.c", buf, 0), 0);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(flistxattr(fd, buf, sizeof(buf)), 20);
	CHECK(!memmem(buf, 20, "trusted.b", 9) && memmem(buf, 20, "trusted.c", 10));
	CHECK_EQ(listxattr("f", NULL, 0), 20);
	CHECK_ERR(listxattr("f", buf, 19), ERANGE);
	CHECK_OK(removexattr("f", "trusted.a"));
	CHECK_ERR(removexattr("f", "trusted.a"), ENODATA);
}

TEST(xattr_names_and_privilege)
{
	char name[300], big[16] = "";

	ROOT_ONLY;
	write_file("f", "");
	if (setxattr("f", "trusted.a", "v", 1, 0) < 0 && errno == EOPNOTSUPP)
		SKIP("file system lacks extended attributes");
	memset(name, 'n', sizeof(name));
	memcpy(name, "trusted.", 8);
	name[256] = 0;
	CHECK_ERR(setxattr("f", name, "", 0, 0), ERANGE);
	CHECK_ERR(setxattr("f", "", "", 0, 0), ERANGE);
	CHECK_ERR(setxattr("f", "nosuchclass.a", "", 0, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("f", "trusted.a", big, 65537, 0), E2BIG);
	CHECK_ERR(setxattr("f", "trusted.a", (void *)8, 10, 0), EFAULT);
	CHECK_OK(chmod("f", 0666));
	IN_CHILD {
		char list[64];

		become(5, 5);
		CHECK_ERR(setxattr("f", "trusted.b", "", 0, 0), EPERM);
		CHECK_ERR(getxattr("f", "trusted.a", big, sizeof(big)), ENODATA);
		CHECK_EQ(listxattr("f", list, sizeof(list)), 0);
	}
}
