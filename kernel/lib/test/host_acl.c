/* Access control lists: valid orders, random values, and who may do what. links: lib/acl.c */
#include "host.h"
#include <lib/acl.h>
#include <lib/errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>

struct value {
	struct posix_acl_xattr_header h;
	struct posix_acl_xattr_entry e[8];
};

static bool in_group(const void *ctx, u32 gid)
{
	return gid == *(const u32 *)ctx;
}

/* Entries from tags; from an allocation of exactly the size. */
static int parse(const u16 *tags, u32 nr, struct acl_entry *out)
{
	struct value v = {.h.a_version = 2};
	size_t size = acl_bytes(nr);
	void *copy = malloc(size);
	u32 counted;
	int err;

	for (u32 i = 0; i < nr; i++)
		v.e[i] = (struct posix_acl_xattr_entry){tags[i], 7, 100 + i};
	memcpy(copy, &v, size);
	err = acl_count(copy, size, &counted);
	assert_int_equal(err, 0);
	assert_int_equal(counted, nr);
	err = acl_parse(copy, nr, out);
	free(copy);
	return err;
}

static void orders(void **state)
{
	static const struct {
		u16 tag[8];
		u32 nr;
		bool good;
	} t[] = {
		{{1, 4, 32}, 3, true},		{{1, 4, 16, 32}, 4, true},
		{{1, 2, 4, 16, 32}, 5, true},	{{1, 2, 2, 4, 8, 8, 16, 32}, 8, true},
		{{1, 2, 4, 32}, 4, false},	{{1, 4, 8, 32}, 4, false},
		{{4, 1, 32}, 3, false},		{{1, 4}, 2, false},
		{{1, 4, 32, 32}, 4, false},	{{1, 1, 4, 32}, 4, false},
		{{1, 4, 16, 16, 32}, 5, false}, {{1, 4, 16, 8, 32}, 5, false},
		{{1, 4, 32, 16}, 4, false},	{{1, 3, 4, 32}, 4, false},
		{{0}, 0, false},
	};
	struct acl_entry e[8];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(!parse(t[i].tag, t[i].nr, e), t[i].good);
}

static void sizes_and_versions(void **state)
{
	struct value v = {.h.a_version = 2};
	u32 nr;

	for (size_t size = 0; size < sizeof(v); size++)
		assert_int_equal(!acl_count(&v, size, &nr), size >= 4 && (size - 4) % 8 == 0);
	v.h.a_version = 1;
	assert_int_equal(acl_count(&v, 28, &nr), -EOPNOTSUPP);
}

static void checks(void **state)
{
	struct acl_entry e[] = {
		{ACL_USER_OBJ, 7, 0},  {ACL_USER, 6, 50}, {ACL_GROUP_OBJ, 4, 0},
		{ACL_GROUP, 2, 60},    {ACL_MASK, 6, 0},  {ACL_OTHER, 1, 0},
	};
	u32 gid = 60;
	struct acl_subject s = {.uid = 50, .in_group = in_group, .ctx = &gid};
	bool more;

	assert_true(acl_check(e, 6, &s, 6));
	assert_false(acl_check(e, 6, &s, 1)); /* named: others' rights are not his */
	s.uid = 51;
	assert_true(acl_check(e, 6, &s, 2));
	assert_false(acl_check(e, 6, &s, 4));
	s.group = true;
	assert_true(acl_check(e, 6, &s, 4));
	assert_false(acl_check(e, 6, &s, 6)); /* no single entry grants both */
	e[4].perm = 4;
	assert_false(acl_check(e, 6, &s, 2)); /* masked */
	gid = 0;
	s.group = false;
	assert_true(acl_check(e, 6, &s, 1));
	assert_int_equal(acl_mode(e, 6, &more), 0741);
	assert_true(more);
	acl_chmod(e, 6, 0510);
	assert_int_equal(acl_mode(e, 6, &more), 0510);
	assert_int_equal(e[2].perm, 4);
	assert_int_equal(acl_inherit(e, 6, 0666, &more), 0400);
}

static void random_values(void **state)
{
	struct acl_entry e[8];
	struct value v;
	u32 nr, good = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		u32 tag = 1;
		bool more;

		/* Mostly rising tags, so that some lists are good. */
		for (size_t k = 0; k < 8; k++) {
			v.e[k].e_tag = (u16)(rand() % 20 ? tag : (u32)rand());
			v.e[k].e_perm = (u16)(rand() % 20 ? rand() & 7 : rand());
			v.e[k].e_id = rand() % 20 ? (u32)k : ~0U;
			tag <<= rand() % 3;
		}
		v.h.a_version = 2;
		if (acl_count(&v, acl_bytes((u32)rand() % 9), &nr) || acl_parse(&v, nr, e))
			continue;
		good++;
		acl_inherit(e, nr, 0777, &more);
		acl_format(e, nr, &v);
		assert_int_equal(acl_parse(&v, nr, e), 0);
	}
	assert_true(good > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(sizes_and_versions),
		cmocka_unit_test(checks),
		cmocka_unit_test(random_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
