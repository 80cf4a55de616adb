/* ELF headers as untrusted bytes; the ChaCha20 block function. links: lib/elf.c lib/chacha.c */
#include "host.h"
#include <lib/chacha.h>
#include <lib/elf.h>
#include <lib/errno.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE 62
#define PAGE    4096ULL

static struct elf64_hdr good_header(void)
{
	struct elf64_hdr h = {
		.e_type = ET_DYN, .e_machine = MACHINE, .e_entry = 0x1234, .e_phoff = 64,
		.e_phentsize = sizeof(struct elf64_phdr), .e_phnum = 3,
	};

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	return h;
}

static int check(const struct elf64_hdr *h, size_t len)
{
	struct elf_image image;

	return elf_check_header(h, len, MACHINE, &image);
}

static void header_fields_are_all_checked(void **state)
{
	struct elf64_hdr h = good_header();
	struct elf_image image;

	assert_int_equal(elf_check_header(&h, sizeof(h), MACHINE, &image), 0);
	assert_int_equal(image.entry, 0x1234);
	assert_int_equal(image.phnum, 3);
	for (size_t len = 0; len < sizeof(h); len++)
		assert_int_equal(check(&h, len), -ENOEXEC);
	for (int i = 0; i < SELFMAG; i++) {
		h = good_header();
		h.e_ident[i] ^= 1;
		assert_int_equal(check(&h, sizeof(h)), -ENOEXEC);
	}
	h = good_header(), h.e_type = ET_REL;
	assert_int_equal(check(&h, sizeof(h)), -ENOEXEC);
	h = good_header(), h.e_machine = 183;
	assert_int_equal(check(&h, sizeof(h)), -ENOEXEC);
	h = good_header(), h.e_phentsize--;
	assert_int_equal(check(&h, sizeof(h)), -ENOEXEC);
	h = good_header(), h.e_phnum = 0;
	assert_int_equal(check(&h, sizeof(h)), -ENOEXEC);
	h = good_header(), h.e_phnum = 73;
	assert_int_equal(check(&h, sizeof(h)), 0);
	h.e_phnum = 74; /* the table no longer fits into a page */
	assert_int_equal(check(&h, sizeof(h)), -ENOEXEC);
}

static void scan_collects_range_interpreter_and_stack(void **state)
{
	struct elf64_phdr ph[] = {
		{.p_type = PT_INTERP, .p_offset = 0x200, .p_filesz = 20},
		{.p_type = PT_LOAD, .p_vaddr = 0x1010, .p_memsz = 0x20, .p_filesz = 0x200, .p_align = 0x200000},
		{.p_type = PT_LOAD, .p_vaddr = 0x5000, .p_memsz = 0x1001, .p_align = 3},
		{.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X},
		{.p_type = PT_INTERP, .p_offset = 0x900, .p_filesz = 30},
	};
	struct elf_image image = {.phnum = 5, .phoff = 64};

	assert_int_equal(elf_scan(ph, PAGE, &image), 0);
	assert_int_equal(image.low, 0x1000);
	assert_int_equal(image.high, 0x7000);
	assert_int_equal(image.align, 0x200000);
	assert_int_equal(image.interp_offset, 0x200);
	assert_int_equal(image.interp_size, 20);
	assert_int_equal(image.phdr_vaddr, 0x1010 + 64);
	assert_true(image.has_stack_flags && image.exec_stack);
}

static void interpreter_path_length_is_bounded(void **state)
{
	static const u64 bad[] = {0, 1, 4097, 1ULL << 63, ~0ULL};
	struct elf64_phdr ph = {.p_type = PT_INTERP};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct elf_image image = {.phnum = 1};

		ph.p_filesz = bad[i];
		assert_int_equal(elf_scan(&ph, PAGE, &image), -ENOEXEC);
	}
}

static void segments_stay_below_the_top(void **state)
{
	const u64 top = 0x7ffffffff000;
	struct elf64_phdr ph = {.p_vaddr = 0x1000, .p_filesz = 0x1000, .p_memsz = 0x2000};

	assert_true(elf_segment_valid(&ph, 0, top));
	assert_true(elf_segment_valid(&ph, top - 0x3000, top));
	assert_false(elf_segment_valid(&ph, top - 0x2000, top));
	assert_false(elf_segment_valid(&ph, top, top));
	ph.p_filesz = 0x2001;
	assert_false(elf_segment_valid(&ph, 0, top));
	ph = (struct elf64_phdr){.p_vaddr = 0x1000, .p_memsz = ~0ULL};
	assert_false(elf_segment_valid(&ph, 0, top));
}

/* Whatever the bytes are, an accepted segment never reaches beyond the top. */
static void random_tables_never_escape(void **state)
{
	const u64 top = 0x7ffffffff000;

	srandom(1);
	for (int round = 0; round < 200000; round++) {
		struct elf64_phdr ph[3];
		struct elf_image image = {.phnum = 3, .phoff = (u64)random()};
		u64 bias = ((u64)random() << 33) ^ ((u64)random() << 3);

		for (size_t i = 0; i < sizeof(ph); i++)
			((u8 *)ph)[i] = random() & 1 ? (u8)random() : (random() & 1 ? 0 : 0xff);
		ph[0].p_type = PT_LOAD;
		ph[1].p_type = (u32)random() % 4;
		if (elf_scan(ph, PAGE, &image))
			continue;
		assert_true(image.align && !(image.align & (image.align - 1)));
		for (int i = 0; i < 3; i++) {
			if (!elf_segment_valid(&ph[i], bias, top))
				continue;
			assert_true(ph[i].p_vaddr + bias < top);
			assert_true(ph[i].p_vaddr + bias + ph[i].p_memsz <= top);
			assert_true(ph[i].p_filesz <= ph[i].p_memsz);
		}
	}
}

/* RFC 8439, 2.3.2: the counter is 1, the nonce 000000090000004a00000000. */
static void chacha20_gives_the_rfc_vector(void **state)
{
	static const u8 want[] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15,
				  0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4};
	u8 bytes[32], out[CHACHA_BLOCK_SIZE];
	u32 key[CHACHA_KEY_WORDS];

	for (int i = 0; i < 32; i++)
		bytes[i] = (u8)i;
	memcpy(key, bytes, sizeof(key));
	chacha20_block(key, 1 | 0x09000000ULL << 32, 0x4a000000ULL, out);
	assert_memory_equal(out, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_fields_are_all_checked),
		cmocka_unit_test(scan_collects_range_interpreter_and_stack),
		cmocka_unit_test(interpreter_path_length_is_bounded),
		cmocka_unit_test(segments_stay_below_the_top),
		cmocka_unit_test(random_tables_never_escape),
		cmocka_unit_test(chacha20_gives_the_rfc_vector),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
