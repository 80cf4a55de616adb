/* The cpio reader against whole, cut, glued and random archives. links: lib/cpio.c */
#include "host.h"
#include <lib/cpio.h>
#include <stdio.h>
#include <string.h>

struct archive {
	unsigned char bytes[4096];
	size_t len;
};

static void put(struct archive *a, const void *data, size_t n)
{
	memcpy(a->bytes + a->len, data, n);
	a->len += n;
	while (a->len & 3)
		a->bytes[a->len++] = 0;
}

static void add(struct archive *a, const char *name, unsigned int mode, const char *data)
{
	char head[128];
	int n = snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
			 7, mode, 1, 2, 1, 3, strlen(data), 8, 9, 4, 5, strlen(name) + 1, 0);

	memcpy(a->bytes + a->len, head, (size_t)n);
	a->len += (size_t)n;
	put(a, name, strlen(name) + 1);
	put(a, data, strlen(data));
}

/* Reads from an allocation of exactly this size, so that ASan sees one byte too many. */
static int count(const void *bytes, size_t len, int *err)
{
	unsigned char *copy = malloc(len ? len : 1);
	struct cpio_reader r = {.data = copy, .len = len};
	struct cpio_entry e;
	int n = 0;

	memcpy(copy, bytes, len);
	while (cpio_next(&r, &e, err)) {
		volatile unsigned char sum = 0;

		for (size_t i = 0; i < e.size; i++)
			sum ^= ((const unsigned char *)e.data)[i];
		for (const char *s = e.name; *s; s++)
			sum ^= (unsigned char)*s;
		n++;
	}
	free(copy);
	return n;
}

static void reads_fields_and_data(void **state)
{
	struct archive a = {0};
	struct cpio_reader r;
	struct cpio_entry e;
	int err;

	add(&a, "dir/file", 0100644, "hello");
	add(&a, "TRAILER!!!", 0, "");
	r = (struct cpio_reader){.data = a.bytes, .len = a.len};
	assert_true(cpio_next(&r, &e, &err));
	assert_string_equal(e.name, "dir/file");
	assert_int_equal(e.mode, 0100644);
	assert_int_equal(e.size, 5);
	assert_memory_equal(e.data, "hello", 5);
	assert_int_equal(e.ino, 7);
	assert_int_equal(e.uid, 1);
	assert_int_equal(e.gid, 2);
	assert_int_equal(e.mtime, 3);
	assert_int_equal(e.rdev_major, 4);
	assert_int_equal(e.rdev_minor, 5);
	assert_int_equal(e.dev_major, 8);
	assert_false(e.trailer);
	assert_true(cpio_next(&r, &e, &err));
	assert_true(e.trailer);
	assert_false(cpio_next(&r, &e, &err));
	assert_int_equal(err, 0);
}

static void reads_glued_archives(void **state)
{
	struct archive a = {0};
	int err;

	add(&a, "one", 0100644, "1");
	add(&a, "TRAILER!!!", 0, "");
	a.len += 512;
	add(&a, "two", 0100644, "22");
	add(&a, "TRAILER!!!", 0, "");
	assert_int_equal(count(a.bytes, a.len, &err), 4);
	assert_int_equal(err, 0);
}

static void survives_every_cut(void **state)
{
	struct archive a = {0};
	int err;

	add(&a, "one", 0100644, "12345");
	add(&a, "two", 0040755, "");
	add(&a, "TRAILER!!!", 0, "");
	for (size_t len = 0; len < a.len; len++)
		assert_true(count(a.bytes, len, &err) <= 3);
}

static void refuses_sizes_that_lie(void **state)
{
	struct archive a = {0}, b;
	int err;

	add(&a, "one", 0100644, "12345");
	for (int field = 0; field < 13; field++) {
		b = a;
		memcpy(b.bytes + 6 + field * 8, "ffffffff", 8);
		count(b.bytes, b.len, &err);
		if (field == 6 || field == 11)
			assert_int_equal(err, -22);
		memcpy(b.bytes + 6 + field * 8, "0000g000", 8);
		assert_int_equal(count(b.bytes, b.len, &err), 0);
		assert_int_equal(err, -22);
	}
	b = a;
	memcpy(b.bytes + 6 + 11 * 8, "00000000", 8); /* no name at all */
	assert_int_equal(count(b.bytes, b.len, &err), 0);
}

static void survives_random_damage(void **state)
{
	struct archive a = {0}, b;
	u64 seed = 1;
	int err;

	add(&a, "one", 0100644, "12345");
	add(&a, "a/longer/name/than/before", 0120777, "target");
	add(&a, "TRAILER!!!", 0, "");
	for (int i = 0; i < 20000; i++) {
		b = a;
		for (int k = 0; k < 4; k++) {
			u64 x = host_random(&seed);

			b.bytes[x % b.len] = (unsigned char)(x >> 32);
		}
		count(b.bytes, b.len, &err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fields_and_data),
		cmocka_unit_test(reads_glued_archives),
		cmocka_unit_test(survives_every_cut),
		cmocka_unit_test(refuses_sizes_that_lie),
		cmocka_unit_test(survives_random_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
