/* The data cursor over kernel buffers and pages: copying, advancing, taking back. */
#include <lib/ktest.h>
#include <lib/string.h>
#include <mm/page.h>
#include <vfs/io_iter.h>

KTEST(io_iter_kernel_copies_and_stops_at_the_end)
{
	struct io_iter it __uninit;
	char buf[16] = {0}, src[] = "0123456789abcdef", back[16] = {0};

	io_iter_kernel(&it, buf, 10);
	EXPECT(io_copy_to(&it, src, 4) == 4);
	EXPECT(io_copy_to(&it, src + 4, 100 - 4) == 6);
	EXPECT(io_count(&it) == 0);
	EXPECT(memcmp(buf, "0123456789\0", 11) == 0);
	io_revert(&it, 7);
	EXPECT(io_count(&it) == 7);
	EXPECT(io_copy_from(&it, back, 16) == 7);
	EXPECT(memcmp(back, "3456789", 7) == 0);
	io_revert(&it, 10);
	EXPECT(io_zero(&it, 3) == 3);
	EXPECT(memcmp(buf, "\0\0\0003", 4) == 0);
}

KTEST(io_iter_pages_crosses_segments_and_skips_empty_ones)
{
	struct page *a = page_alloc(0, GFP_ZERO), *b = page_alloc(0, GFP_ZERO);
	const struct io_seg segs[] = {
		{.page = a, .len = 5, .offset = 10},
		{.page = a, .len = 0, .offset = 0},
		{.page = b, .len = 5, .offset = 4091},
	};
	struct io_iter it __uninit;
	char back[16] = {0};

	io_iter_pages(&it, segs, 3, 10);
	EXPECT(io_copy_to(&it, "abcdefghij", 10) == 10);
	EXPECT(memcmp((char *)page_address(a) + 10, "abcde\0", 6) == 0);
	EXPECT(memcmp((char *)page_address(b) + 4091, "fghij", 5) == 0);
	io_revert(&it, 6);
	EXPECT(io_copy_from(&it, back, 3) == 3);
	EXPECT(memcmp(back, "efg", 3) == 0);
	io_advance(&it, 2);
	EXPECT(io_copy_from(&it, back, 9) == 1 && back[0] == 'j');
	page_put(a);
	page_put(b);
}

KTEST(io_iter_user_refuses_ranges_beyond_user_space)
{
	struct io_iter it __uninit;

	EXPECT(io_iter_user(&it, (struct user_bytes){.uaddr = USER_TOP}, 0) == 0);
	EXPECT(io_iter_user(&it, (struct user_bytes){.uaddr = USER_TOP}, 1) == -EFAULT);
	EXPECT(io_iter_user(&it, (struct user_bytes){.uaddr = 0}, U64_MAX) == -EFAULT);
	EXPECT(io_iter_user(&it, (struct user_bytes){.uaddr = U64_MAX}, 2) == -EFAULT);
	EXPECT(io_iter_user(&it, (struct user_bytes){.uaddr = 4096}, USER_TOP - 4096) == 0);
	EXPECT(io_count(&it) == IO_MAX_BYTES);
}

KTEST(memory_routines_agree_with_bytewise_ones)
{
	static u8 a[200], b[200];

	for (u32 n = 0; n < 80; n++) {
		for (u32 from = 0; from < 40; from++) {
			for (u32 i = 0; i < sizeof(a); i++)
				a[i] = b[i] = (u8)(i * 7 + n);
			memmove(a + 20, a + from, n);
			for (u32 i = 0; i < n; i++) /* source untouched in b */
				EXPECT(a[20 + i] == b[from + i]);
			EXPECT(a[19] == b[19] && a[20 + n] == b[20 + n]);
			memset(a + from, 0x5a, n);
			for (u32 i = 0; i < n; i++)
				EXPECT(a[from + i] == 0x5a);
		}
	}
}
