/* The coder and decoder of 9p2000.L: exact bytes, hostile replies. links: fs/9p/proto.c */
#include "host.h"
#include <lib/bits.h>
#include <lib/errno.h>
#include <string.h>
#include "../proto.h"

#define TAG 7

/* A reply in an allocation of exactly its size, so that ASan sees one byte too many. */
struct reply {
	unsigned char bytes[512];
	u32 len;
};

static void put(struct reply *r, const void *v, u32 n)
{
	memcpy(r->bytes + r->len, v, n);
	r->len += n;
}

static void put_number(struct reply *r, u64 v, u32 n)
{
	put(r, &v, n);
}

static void begin(struct reply *r, u8 type)
{
	*r = (struct reply){.len = 0};
	put_number(r, 0, 4);
	put_number(r, type, 1);
	put_number(r, TAG, 2);
}

static void end(struct reply *r)
{
	memcpy(r->bytes, &r->len, 4);
}

static void put_attr(struct reply *r, u32 mode, u8 qid_type, u64 nsec)
{
	put_number(r, P9_GETATTR_BASIC, 8);
	put_number(r, qid_type, 1);
	put_number(r, 5, 4);
	put_number(r, 77, 8);
	put_number(r, mode, 4);
	put_number(r, 1, 4);
	put_number(r, 2, 4);
	put_number(r, 3, 8);    /* links */
	put_number(r, 0, 8);    /* device */
	put_number(r, 4097, 8); /* size */
	put_number(r, 4096, 8);
	put_number(r, 16, 8);
	for (int i = 0; i < 3; i++) {
		put_number(r, 1000 + i, 8);
		put_number(r, nsec, 8);
	}
	for (int i = 0; i < 4; i++)
		put_number(r, 0, 8); /* birth, generation, version */
}

/* Runs the decoder of getattr on the first n bytes. */
static int attr_of(const struct reply *r, u32 n, struct p9_attr *a)
{
	unsigned char *copy = malloc(n ? n : 1);
	struct p9_reader reader;
	int err;

	memcpy(copy, r->bytes, n);
	err = p9_reply(&reader, copy, n, n, P9_TGETATTR, TAG);
	if (!err) {
		p9_get_attr(&reader, a);
		err = reader.bad ? -EIO : 0;
	}
	free(copy);
	return err;
}

static void requests_have_the_bytes_of_the_protocol(void **state)
{
	static const unsigned char walk[] = {23, 0, 0, 0, 110, 7, 0, 1, 0, 0, 0, 2,
					     0,  0, 0, 1, 0,   4, 0, 'n', 'a', 'm', 'e'};
	unsigned char buf[64];
	struct p9_writer w;

	p9_begin(&w, buf, sizeof(buf), P9_TWALK, 0);
	p9_put32(&w, 1);
	p9_put32(&w, 2);
	p9_put16(&w, 1);
	p9_put_string(&w, "name", 4);
	assert_int_equal(p9_end(&w, 0), sizeof(walk));
	p9_set_tag(buf, TAG);
	assert_memory_equal(buf, walk, sizeof(walk));
	assert_int_equal(p9_end(&w, 100), sizeof(walk));
	assert_int_equal(buf[0], sizeof(walk) + 100);
}

static void requests_that_do_not_fit_are_refused(void **state)
{
	unsigned char buf[16];
	struct p9_writer w;

	p9_begin(&w, buf, sizeof(buf), P9_TWALK, 0);
	p9_put_string(&w, "0123456789", 10);
	assert_int_equal(p9_end(&w, 0), 0);
	p9_begin(&w, buf, sizeof(buf), P9_TREAD, 0);
	p9_put64(&w, 1);
	assert_int_equal(p9_end(&w, U32_MAX), 0);
}

static void attributes_are_taken_apart(void **state)
{
	struct p9_attr a;
	struct reply r;

	begin(&r, P9_TGETATTR + 1);
	put_attr(&r, 0100644, 0, 999999999);
	end(&r);
	assert_int_equal(attr_of(&r, r.len, &a), 0);
	assert_int_equal(a.mode, 0100644);
	assert_int_equal(a.qid.path, 77);
	assert_int_equal(a.size, 4097);
	assert_int_equal(a.mtime_sec, 1001);
	assert_int_equal(a.ctime_nsec, 999999999);
}

static void attributes_that_no_file_has_are_refused(void **state)
{
	struct p9_attr a;
	struct reply r;

	begin(&r, P9_TGETATTR + 1);
	put_attr(&r, 0100644, 0, 1000000000);
	end(&r);
	assert_int_equal(attr_of(&r, r.len, &a), -EIO);
	begin(&r, P9_TGETATTR + 1);
	put_attr(&r, 0150000, 0, 0);
	end(&r);
	assert_int_equal(attr_of(&r, r.len, &a), -EIO);
	begin(&r, P9_TGETATTR + 1);
	put_attr(&r, 0040755, 0, 0); /* a directory whose qid is none */
	end(&r);
	assert_int_equal(attr_of(&r, r.len, &a), -EIO);
}

static void cut_replies_are_refused_at_every_length(void **state)
{
	struct p9_attr a;
	struct reply r;

	begin(&r, P9_TGETATTR + 1);
	put_attr(&r, 0100644, 0, 0);
	end(&r);
	for (u32 n = 0; n < r.len; n++)
		assert_int_equal(attr_of(&r, n, &a), -EIO);
}

static void headers_must_belong_to_the_request(void **state)
{
	struct p9_reader reader;
	struct reply r;

	begin(&r, P9_TREAD + 1);
	end(&r);
	assert_int_equal(p9_reply(&reader, r.bytes, r.len, r.len, P9_TREAD, TAG), 0);
	assert_int_equal(p9_reply(&reader, r.bytes, r.len, r.len, P9_TWALK, TAG), -EIO);
	assert_int_equal(p9_reply(&reader, r.bytes, r.len, r.len, P9_TREAD, TAG + 1), -EIO);
	r.bytes[0] = 200; /* says more than has come */
	assert_int_equal(p9_reply(&reader, r.bytes, r.len, r.len, P9_TREAD, TAG), -EIO);
	r.bytes[0] = 3;
	assert_int_equal(p9_reply(&reader, r.bytes, r.len, r.len, P9_TREAD, TAG), -EIO);
}

static int error_of(u32 code)
{
	struct p9_reader reader;
	struct reply r;

	begin(&r, P9_RLERROR);
	put_number(&r, code, 4);
	end(&r);
	return p9_reply(&reader, r.bytes, r.len, r.len, P9_TREAD, TAG);
}

static void errors_are_errnos_and_nothing_else(void **state)
{
	assert_int_equal(error_of(ENOENT), -ENOENT);
	assert_int_equal(error_of(4095), -4095);
	assert_int_equal(error_of(0), -EIO);
	assert_int_equal(error_of(4096), -EIO);
	assert_int_equal(error_of(0xffffffff), -EIO);
}

static void put_entry(struct reply *r, const char *name, u32 len, u64 next)
{
	put_number(r, 0, 1);
	put_number(r, 0, 4);
	put_number(r, 9, 8);
	put_number(r, next, 8);
	put_number(r, 8, 1);
	put_number(r, len, 2);
	put(r, name, len);
}

/* The number of good entries in front of the end or of a bad one. */
static u32 entries(const struct reply *r, bool *bad)
{
	struct p9_reader reader = {.data = r->bytes, .size = r->len};
	struct p9_dirent e;
	u32 n = 0;

	while (p9_get_dirent(&reader, &e))
		n++;
	*bad = reader.bad;
	return n;
}

static void directory_entries_with_impossible_names_end_the_reading(void **state)
{
	struct reply r = {.len = 0};
	bool bad;

	put_entry(&r, "one", 3, 1);
	put_entry(&r, "two", 3, 2);
	assert_int_equal(entries(&r, &bad), 2);
	assert_false(bad);
	r.len--;
	assert_int_equal(entries(&r, &bad), 1);
	assert_true(bad);
	r.len = 0;
	put_entry(&r, "a/b", 3, 1);
	assert_int_equal(entries(&r, &bad), 0);
	assert_true(bad);
	r.len = 0;
	put_entry(&r, "a\0b", 3, 1);
	assert_int_equal(entries(&r, &bad), 0);
	r.len = 0;
	put_entry(&r, "", 0, 1);
	assert_int_equal(entries(&r, &bad), 0);
	r.len = 0;
	put_entry(&r, "x", 1, 1ull << 63);
	assert_int_equal(entries(&r, &bad), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_have_the_bytes_of_the_protocol),
		cmocka_unit_test(requests_that_do_not_fit_are_refused),
		cmocka_unit_test(attributes_are_taken_apart),
		cmocka_unit_test(attributes_that_no_file_has_are_refused),
		cmocka_unit_test(cut_replies_are_refused_at_every_length),
		cmocka_unit_test(headers_must_belong_to_the_request),
		cmocka_unit_test(errors_are_errnos_and_nothing_else),
		cmocka_unit_test(directory_entries_with_impossible_names_end_the_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
