/* Formatting, parsing, bounded copies, bitmap scans, the keyed hash. links: lib/format.c lib/string.c lib/bits.c lib/hash.c */
#include "host.h"
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <stdio.h>

#define SAME(...)                                                                                  \
	do {                                                                                       \
		char got_[128], want_[128];                                                        \
		int n_ = format(got_, sizeof(got_), __VA_ARGS__);                                  \
		assert_int_equal(n_, snprintf(want_, sizeof(want_), __VA_ARGS__));                 \
		assert_string_equal(got_, want_);                                                  \
	} while (0)

#pragma GCC diagnostic ignored "-Wformat"

static void format_equals_snprintf(void **state)
{
	SAME("plain");
	SAME("%d %i %u %x %X %o %%", -5, 7, 9u, 0xabcu, 0xABCu, 8u);
	SAME("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42);
	SAME("%#x %#X %#o %#x", 255u, 255u, 8u, 0u);
	SAME("%.3d|%8.3d|%-8.3d|%.0d|", 7, 7, 7, 0);
	SAME("%hhd %hhu %hd %hu", -1, 255, -1, 65535);
	SAME("%ld %lu %lld %llu %zu %td", -1L, ~0UL, -1LL, ~0ULL, (size_t)3, (ptrdiff_t)-4);
	SAME("%llx %lld", 0x8000000000000000ULL, (long long)0x8000000000000000ULL);
	SAME("%s|%10s|%-10s|%.2s|%c", "text", "text", "text", "text", 'c');
	SAME("%*d|%-*d|%*d|%.*s", 6, 1, 6, 2, -6, 3, 2, "abc");
}

static void format_cuts_and_terminates(void **state)
{
	char buf[4] = "xxx";

	assert_int_equal(format(buf, sizeof(buf), "%s", "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(format(buf, 1, "abc"), 3);
	assert_string_equal(buf, "");
	assert_int_equal(format(NULL, 0, "%d", 12345), 5);
}

static void parse_u64_takes_digits_only(void **state)
{
	u64 v = 0;

	assert_int_equal(parse_u64("18446744073709551615", 10, &v), 0);
	assert_true(v == U64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", 10, &v), -ERANGE);
	assert_int_equal(parse_u64("0x1F", 0, &v), 0);
	assert_int_equal(v, 31);
	assert_int_equal(parse_u64("017", 0, &v), 0);
	assert_int_equal(v, 15);
	assert_int_equal(parse_u64("0", 0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse_u64("", 0, &v), -EINVAL);
	assert_int_equal(parse_u64("0x", 0, &v), -EINVAL);
	assert_int_equal(parse_u64("12k", 10, &v), -EINVAL);
	assert_int_equal(parse_u64(" 1", 10, &v), -EINVAL);
	assert_int_equal(parse_u64("-1", 10, &v), -EINVAL);
	assert_int_equal(parse_u64("8", 8, &v), -EINVAL);
}

static void str_copy_reports_truncation(void **state)
{
	char buf[4];

	assert_int_equal(str_copy(buf, "abc", sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, "abcd", sizeof(buf)), -E2BIG);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, "x", 0), -E2BIG);
}

/* Every range of three words, against single bits. */
static void bitmap_check_ranges(void)
{
	for (u32 first = 0; first < 192; first++)
		for (u32 nr = 0; first + nr <= 192; nr++) {
			u64 set[3] = {0}, clear[3] = {~0ULL, ~0ULL, ~0ULL}, want[3] = {0};

			for (u32 i = first; i < first + nr; i++)
				bitmap_set_plain(want, i);
			bitmap_set_range(set, first, nr);
			bitmap_clear_range(clear, first, nr);
			assert_memory_equal(set, want, sizeof(want));
			for (u32 i = 0; i < 3; i++)
				assert_int_equal(clear[i], ~want[i]);
			assert_true(bitmap_all_set(set, first, nr) && bitmap_all_clear(clear, first, nr));
		}
}

static void bitmap_scans_respect_the_size(void **state)
{
	u64 map[3] = {0, BIT(5), ~0ULL};

	assert_int_equal(bitmap_next_set(map, 192, 0), 69);
	assert_int_equal(bitmap_next_set(map, 192, 70), 128);
	assert_int_equal(bitmap_next_set(map, 69, 0), 69);
	assert_int_equal(bitmap_next_clear(map, 192, 69), 70);
	assert_int_equal(bitmap_next_clear(map, 192, 128), 192);
	bitmap_check_ranges();
	assert_int_equal(bitmap_next_clear(map, 192, 500), 192);
	assert_int_equal(bitmap_next_set(map, 0, 0), 0);
}

/* Reference values computed with an independent implementation of SipHash-1-3. */
static u64 reference(const u8 *p, size_t n, const u64 k[2])
{
	u64 v[4] = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
		    k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573};
#define ROT(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND()                                                                                    \
	(v[0] += v[1], v[2] += v[3], v[1] = ROT(v[1], 13) ^ v[0], v[3] = ROT(v[3], 16) ^ v[2],     \
	 v[0] = ROT(v[0], 32), v[2] += v[1], v[0] += v[3], v[1] = ROT(v[1], 17) ^ v[2],            \
	 v[3] = ROT(v[3], 21) ^ v[0], v[2] = ROT(v[2], 32))
	for (size_t done = 0;; done += 8) {
		u64 m = 0;

		for (size_t i = 0; i < 8 && done + i < n; i++)
			m |= (u64)p[done + i] << 8 * i;
		if (done + 8 > n)
			m |= (u64)n << 56;
		v[3] ^= m;
		ROUND();
		v[0] ^= m;
		if (done + 8 > n)
			break;
	}
	v[2] ^= 255;
	ROUND(), ROUND(), ROUND();
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void hash_bytes_is_siphash_1_3(void **state)
{
	const u64 key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	u8 data[64];

	for (int i = 0; i < 64; i++)
		data[i] = (u8)i;
	for (size_t n = 0; n <= 64; n++)
		assert_true(hash_bytes(data, n, key) == reference(data, n, key));
	assert_true(hash_bytes(data, 0, key) == 0xabac0158050fc4dcULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_equals_snprintf),
		cmocka_unit_test(format_cuts_and_terminates),
		cmocka_unit_test(parse_u64_takes_digits_only),
		cmocka_unit_test(str_copy_reports_truncation),
		cmocka_unit_test(bitmap_scans_respect_the_size),
		cmocka_unit_test(hash_bytes_is_siphash_1_3),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
