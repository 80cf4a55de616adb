/* security.capability values: every revision, cut short, and random. links: lib/file_caps.c */
#include "host.h"
#include <lib/file_caps.h>
#include <linux/capability.h>
#include <string.h>

static int parse(const u32 *words, size_t size, struct file_caps *out)
{
	/* Exactly this many bytes, so that ASan sees one too many being read. */
	void *copy = malloc(size ? size : 1);
	int err;

	memcpy(copy, words, size);
	err = file_caps_parse(copy, size, out);
	free(copy);
	return err;
}

static void revisions(void **state)
{
	u32 w[6] = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, 0x400, 0x20, 0x1, ~0U, 1000};
	struct file_caps c;

	assert_int_equal(parse(w, 20, &c), 0);
	assert_true(c.effective);
	assert_int_equal(c.permitted, 0x100000400);
	assert_int_equal(c.inheritable, 0x1ff00000020);
	assert_int_equal(c.rootid, 0);
	w[0] = VFS_CAP_REVISION_3;
	assert_int_equal(parse(w, 24, &c), 0);
	assert_false(c.effective);
	assert_int_equal(c.rootid, 1000);
	w[0] = VFS_CAP_REVISION_1;
	assert_int_equal(parse(w, 12, &c), 0);
	assert_int_equal(c.permitted, 0x400);
}

static void sizes(void **state)
{
	u32 w[8] = {0};
	struct file_caps c;

	for (u32 revision = 0; revision <= 4; revision++)
		for (size_t size = 0; size <= sizeof(w); size++) {
			bool right = (revision == 1 && size == 12) ||
				     (revision == 2 && size == 20) || (revision == 3 && size == 24);

			w[0] = revision << VFS_CAP_REVISION_SHIFT;
			assert_int_equal(!parse(w, size, &c), right);
			assert_int_equal(file_caps_writable(w, size), right && revision > 1);
		}
}

static void unknown_flags_are_not_written(void **state)
{
	u32 w[5] = {VFS_CAP_REVISION_2 | 2};

	assert_false(file_caps_writable(w, 20));
	w[0] = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
	assert_true(file_caps_writable(w, 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revisions),
		cmocka_unit_test(sizes),
		cmocka_unit_test(unknown_flags_are_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
