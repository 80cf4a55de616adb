/*
 * File names by words: every length and alignment, at the end of a page, against a plain scan; and
 * how evenly similar names spread. links: lib/name_hash.c
 */
#include "host.h"
#include <lib/name_hash.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static const u64 key[2] = {0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL};

/* A page that an inaccessible one follows. */
static char *last_page(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + 4096, 4096, PROT_NONE), 0);
	return p;
}

static void scan_finds_the_end(void **state)
{
	char *page = last_page();

	for (int end = 0; end < 2; end++)
		for (size_t len = 0; len < 40; len++)
			for (size_t gap = 1; gap < 20; gap++) {
				char *s = page + 4096 - len - gap;
				struct name_span n;

				memset(page, '/', 4096);
				memset(s, 'x', len);
				s[len] = end ? '/' : '\0';
				page[4095] = '\0';
				n = name_scan(s, key);
				assert_int_equal(n.len, len);
				assert_int_equal(n.hash, name_hash(s, len, key));
			}
	munmap(page, 8192);
}

static void every_byte_but_two_belongs_to_names(void **state)
{
	char s[12] = "abcdefghijk";

	for (int at = 0; at < 11; at++)
		for (int c = 1; c < 256; c++) {
			s[at] = (char)c;
			assert_int_equal(name_scan(s, key).len, c == '/' ? at : 11);
			assert_int_equal(name_scan(s, key).hash,
					 name_hash(s, c == '/' ? (size_t)at : 11, key));
			s[at] = (char)('a' + at);
		}
}

static void equal_reads_exactly(void **state)
{
	for (size_t len = 0; len < 64; len++) {
		char *a = malloc(len ? len : 1), *b = malloc(len ? len : 1);

		for (size_t i = 0; i < len; i++)
			a[i] = b[i] = (char)(i + 1);
		assert_true(name_equal(a, b, len));
		for (size_t i = 0; i < len; i++) {
			b[i] ^= 0x40;
			assert_false(name_equal(a, b, len));
			b[i] ^= 0x40;
		}
		free(a);
		free(b);
	}
}

/* No bucket of 1024 gets many more than its share of 64 K numbered names. */
static void similar_names_spread(void **state)
{
	static const char *const forms[] = {"%d", "file%d", "a-rather-long-prefix-%08d", "%d.o"};
	static unsigned int count[1024];
	char name[64];

	for (int f = 0; f < 4; f++) {
		memset(count, 0, sizeof(count));
		for (int i = 0; i < 65536; i++) {
			int n = snprintf(name, sizeof(name), forms[f], i);

			count[name_hash(name, (size_t)n, key) % 1024]++;
		}
		for (int i = 0; i < 1024; i++)
			assert_in_range(count[i], 20, 128);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_finds_the_end),
		cmocka_unit_test(every_byte_but_two_belongs_to_names),
		cmocka_unit_test(equal_reads_exactly),
		cmocka_unit_test(similar_names_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
