/*
 * POSIX access control lists (system.posix_acl_access and _default): what can be set, what it does
 * to the mode and to permission, what new objects inherit.
 */
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include "test.h"

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define MAX	8

struct acl {
	struct posix_acl_xattr_header h;
	struct posix_acl_xattr_entry e[MAX];
};

#define E(tag, perm, id) { tag, perm, (u32)(id) }
#define ACL(...) ((struct acl){ { 2 }, { __VA_ARGS__ } })

static int set_n(const char *name, const char *type, struct acl a, int n)
{
	return setxattr(name, type, &a, sizeof(a.h) + (size_t)n * sizeof(a.e[0]), 0);
}

static u32 mode_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_mode & 07777;
}

static void make_file(const char *name, mode_t mode)
{
	close((int)CHECK_OK(open(name, O_CREAT | O_RDWR, 0600)));
	CHECK_OK(chmod(name, mode));
}

static void need_acls(void)
{
	make_file("probe", 0600);
	if (getxattr("probe", ACCESS, NULL, 0) < 0 && errno == EOPNOTSUPP)
		SKIP("the file system of the tests has no access control lists");
}

#define ROOT_ONLY                                                                                  \
	if (geteuid())                                                                             \
	SKIP("needs root")

/* Runs in a child with these ids: the errno of access(2), or 0. */
static int access_as(uid_t uid, gid_t gid, const char *name, int want)
{
	pid_t pid = test_fork();

	if (pid == 0) {
		CHECK_OK(syscall(SYS_setgroups, 0, NULL));
		CHECK_OK(setgid(gid));
		CHECK_OK(setuid(uid));
		_exit(access(name, want) ? errno : 0);
	}
	return test_reap(pid) >> 8;
}

TEST(acl_is_kept_and_shown)
{
	struct acl a = ACL(E(ACL_USER_OBJ, 6, -1), E(ACL_USER, 4, 1000), E(ACL_GROUP_OBJ, 0, -1),
			   E(ACL_GROUP, 6, 2000), E(ACL_MASK, 5, -1), E(ACL_OTHER, 1, -1)), b;
	char list[256];
	ssize_t n;

	need_acls();
	make_file("f", 0640);
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_OK(set_n("f", ACCESS, a, 6));
	CHECK_EQ(mode_of("f"), 0651);
	CHECK_EQ(getxattr("f", ACCESS, NULL, 0), 52);
	CHECK_ERR(getxattr("f", ACCESS, &b, 51), ERANGE);
	CHECK_EQ(getxattr("f", ACCESS, &b, sizeof(b)), 52);
	CHECK(!memcmp(&a, &b, 52));
	n = CHECK_OK(listxattr("f", list, sizeof(list)));
	CHECK(n >= (ssize_t)sizeof(ACCESS) && memmem(list, (size_t)n, ACCESS, sizeof(ACCESS)));
	CHECK_OK(removexattr("f", ACCESS));
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
	CHECK_OK(removexattr("f", ACCESS)); /* again */
	CHECK_EQ(mode_of("f"), 0651);
}

TEST(acl_equal_to_a_mode_is_a_mode)
{
	need_acls();
	make_file("f", 0600);
	CHECK_OK(set_n("f", ACCESS,
		       ACL(E(ACL_USER_OBJ, 7, -1), E(ACL_GROUP_OBJ, 5, -1), E(ACL_OTHER, 4, -1)), 3));
	CHECK_EQ(mode_of("f"), 0754);
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(acl_bad_values)
{
	struct acl good = ACL(E(ACL_USER_OBJ, 6, -1), E(ACL_USER, 6, 1000), E(ACL_GROUP_OBJ, 6, -1),
			      E(ACL_MASK, 6, -1), E(ACL_OTHER, 6, -1)), a;

	need_acls();
	make_file("f", 0600);
	CHECK_ERR(set_n("f", ACCESS, good, 4), EINVAL); /* no others */
	a = good;
	a.h.a_version = 3;
	CHECK_ERR(set_n("f", ACCESS, a, 5), EOPNOTSUPP);
	a = good;
	a.e[1].e_perm = 8;
	CHECK_ERR(set_n("f", ACCESS, a, 5), EINVAL);
	a = good;
	a.e[1].e_id = (u32)-1;
	CHECK_ERR(set_n("f", ACCESS, a, 5), EINVAL);
	a = good;
	a.e[1].e_tag = 3;
	CHECK_ERR(set_n("f", ACCESS, a, 5), EINVAL);
	a = good;
	a.e[3] = a.e[4]; /* a named user without mask */
	CHECK_ERR(set_n("f", ACCESS, a, 4), EINVAL);
	CHECK_ERR(setxattr("f", ACCESS, &good, 3, 0), EINVAL);
	CHECK_ERR(setxattr("f", ACCESS, &good, 43, 0), EINVAL);
	CHECK_OK(setxattr("f", ACCESS, &good, 44, 0));
	CHECK_OK(setxattr("f", ACCESS, &good, 4, 0)); /* no entries: none */
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(acl_decides_for_named_users)
{
	ROOT_ONLY;
	need_acls();
	CHECK_OK(chmod(".", 0755));
	make_file("f", 0600);
	CHECK_OK(chown("f", 500, 600));
	CHECK_OK(set_n("f", ACCESS,
		       ACL(E(ACL_USER_OBJ, 4, -1), E(ACL_USER, 6, 1000), E(ACL_USER, 0, 1001),
			   E(ACL_GROUP_OBJ, 4, -1), E(ACL_MASK, 6, -1), E(ACL_OTHER, 4, -1)), 6));
	CHECK_EQ(access_as(1000, 7, "f", R_OK | W_OK), 0);
	CHECK_EQ(access_as(1000, 7, "f", X_OK), EACCES);
	CHECK_EQ(access_as(1001, 7, "f", R_OK), EACCES); /* others may, he may not */
	CHECK_EQ(access_as(1002, 7, "f", R_OK), 0);
	CHECK_EQ(access_as(1002, 600, "f", W_OK), EACCES);
	CHECK_EQ(access_as(500, 7, "f", W_OK), EACCES);
	CHECK_OK(chmod("f", 0444)); /* the mask: nobody but the owner writes now */
	CHECK_EQ(access_as(1000, 7, "f", R_OK), 0);
	CHECK_EQ(access_as(1000, 7, "f", W_OK), EACCES);
	CHECK_OK(access("f", W_OK)); /* root */
}

TEST(acl_group_needs_one_entry_for_all)
{
	ROOT_ONLY;
	need_acls();
	CHECK_OK(chmod(".", 0755));
	make_file("f", 0600);
	CHECK_OK(chown("f", 500, 600));
	CHECK_OK(set_n("f", ACCESS,
		       ACL(E(ACL_USER_OBJ, 7, -1), E(ACL_GROUP_OBJ, 2, -1), E(ACL_GROUP, 4, 700),
			   E(ACL_MASK, 7, -1), E(ACL_OTHER, 6, -1)), 5));
	CHECK_EQ(access_as(1000, 600, "f", W_OK), 0);
	CHECK_EQ(access_as(1000, 600, "f", R_OK), EACCES); /* members do not fall to others */
	CHECK_EQ(access_as(1000, 700, "f", R_OK), 0);
	CHECK_EQ(access_as(1000, 701, "f", R_OK | W_OK), 0);
}

TEST(acl_of_a_directory_guards_the_walk)
{
	struct stat st;

	ROOT_ONLY;
	need_acls();
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(mkdir("d", 0755));
	make_file("d/f", 0644);
	/* Everybody may search by the mode, one by name may not. */
	CHECK_OK(set_n("d", ACCESS,
		       ACL(E(ACL_USER_OBJ, 7, -1), E(ACL_USER, 6, 1000), E(ACL_GROUP_OBJ, 5, -1),
			   E(ACL_MASK, 7, -1), E(ACL_OTHER, 5, -1)), 5));
	CHECK_EQ(mode_of("d"), 0775);
	CHECK_OK(stat("d/f", &st));
	CHECK_EQ(access_as(1000, 7, "d/f", R_OK), EACCES);
	CHECK_EQ(access_as(1001, 7, "d/f", R_OK), 0);
}

TEST(acl_who_may_set)
{
	struct acl a = ACL(E(ACL_USER_OBJ, 6, -1), E(ACL_USER, 6, 1000), E(ACL_GROUP_OBJ, 0, -1),
			   E(ACL_MASK, 6, -1), E(ACL_OTHER, 0, -1));

	ROOT_ONLY;
	need_acls();
	CHECK_OK(chmod(".", 0755));
	make_file("f", 0666);
	make_file("mine", 0600);
	CHECK_OK(chown("mine", 1000, 1000));
	IN_CHILD {
		CHECK_OK(setgid(1000));
		CHECK_OK(setuid(1000));
		CHECK_ERR(set_n("f", ACCESS, a, 5), EPERM);
		CHECK_ERR(removexattr("f", ACCESS), EPERM);
		CHECK_OK(set_n("mine", ACCESS, a, 5));
		CHECK_EQ(getxattr("f", ACCESS, NULL, 0), -1);
		_exit(0);
	}
	CHECK_ERR(set_n("f", DEFAULT, a, 5), EACCES);
	CHECK_OK(symlink("f", "l"));
	CHECK_ERR(lsetxattr("l", ACCESS, &a, 44, 0), EOPNOTSUPP);
	CHECK_ERR(lgetxattr("l", ACCESS, NULL, 0), EOPNOTSUPP);
}

TEST(acl_default_is_inherited)
{
	struct acl a = ACL(E(ACL_USER_OBJ, 7, -1), E(ACL_USER, 6, 1000), E(ACL_GROUP_OBJ, 5, -1),
			   E(ACL_MASK, 7, -1), E(ACL_OTHER, 5, -1)), b;

	need_acls();
	umask(077);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(set_n("d", DEFAULT, a, 5));
	CHECK_EQ(mode_of("d"), 0700);
	CHECK_EQ(getxattr("d", DEFAULT, NULL, 0), 44);
	CHECK_ERR(getxattr("d", ACCESS, NULL, 0), ENODATA);
	/* The umask does not count; the mode asked for does. */
	close((int)CHECK_OK(open("d/f", O_CREAT | O_RDWR, 0640)));
	CHECK_EQ(mode_of("d/f"), 0640);
	CHECK_EQ(getxattr("d/f", ACCESS, &b, sizeof(b)), 44);
	CHECK_EQ(b.e[0].e_perm, 6);
	CHECK_EQ(b.e[1].e_perm, 6); /* what the mask leaves of it is less */
	CHECK_EQ(b.e[2].e_perm, 5);
	CHECK_EQ(b.e[3].e_perm, 4);
	CHECK_EQ(b.e[4].e_perm, 0);
	CHECK_ERR(getxattr("d/f", DEFAULT, NULL, 0), ENODATA);
	CHECK_OK(mkdir("d/s", 0777));
	CHECK_EQ(mode_of("d/s"), 0775);
	CHECK_EQ(getxattr("d/s", DEFAULT, &b, sizeof(b)), 44);
	CHECK(!memcmp(&a, &b, 44));
	CHECK_EQ(getxattr("d/s", ACCESS, NULL, 0), 44);
	CHECK_OK(mknod("d/p", S_IFIFO | 0666, 0));
	CHECK_EQ(mode_of("d/p"), 0664);
	CHECK_OK(symlink("x", "d/l"));
	CHECK_EQ(mode_of("d/l"), 0777);
	/* A default list that is a mode gives modes. */
	CHECK_OK(set_n("d", DEFAULT,
		       ACL(E(ACL_USER_OBJ, 7, -1), E(ACL_GROUP_OBJ, 4, -1), E(ACL_OTHER, 0, -1)), 3));
	CHECK_OK(mkdir("d/t", 0777));
	CHECK_EQ(mode_of("d/t"), 0740);
	CHECK_ERR(getxattr("d/t", ACCESS, NULL, 0), ENODATA);
	CHECK_EQ(getxattr("d/t", DEFAULT, NULL, 0), 28);
	CHECK_OK(removexattr("d", DEFAULT));
	CHECK_OK(mkdir("d/u", 0777));
	CHECK_EQ(mode_of("d/u"), 0700);
	umask(022);
}

TEST(acl_set_drops_setgid_of_strangers)
{
	ROOT_ONLY;
	need_acls();
	CHECK_OK(chmod(".", 0755));
	make_file("f", 0600);
	CHECK_OK(chown("f", 1000, 600));
	CHECK_OK(chmod("f", 02755));
	IN_CHILD {
		CHECK_OK(setgid(1000));
		CHECK_OK(setuid(1000));
		CHECK_OK(set_n("f", ACCESS,
			       ACL(E(ACL_USER_OBJ, 7, -1), E(ACL_USER, 6, 1), E(ACL_GROUP_OBJ, 5, -1),
				   E(ACL_MASK, 5, -1), E(ACL_OTHER, 5, -1)), 5));
		_exit(0);
	}
	CHECK_EQ(mode_of("f"), 0755);
}
