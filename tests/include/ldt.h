/*
 * Segments for tests: descriptors of a local table, and ways into code segments of 16 and 32 bits and back.
 * The page segment_page() lies below 4 GiB; code segments of 32 bits have base 0, those of 16 bits its address.
 */
#pragma once

#include "attack.h"

#include <asm/ldt.h>
#include <asm/prctl.h>

#define LDT_SEL(n) ((u16)((n) << 3 | 7))

/* modify_ldt(2) gives an int whose error does not reach the C library. */
static inline int modify_ldt(int func, void *p, unsigned long n)
{
	long ret = syscall(SYS_modify_ldt, func, p, n);

	return ret == -1 ? -errno : (int)ret;
}

static inline void ldt_set(const struct user_desc *d)
{
	struct user_desc copy = *d;

	CHECK_EQ(modify_ldt(0x11, &copy, sizeof(copy)), 0);
}

static inline void ldt_clear(unsigned entry)
{
	struct user_desc d = { .entry_number = entry, .read_exec_only = 1, .seg_not_present = 1 };

	ldt_set(&d);
}

/* Debian's cloud kernel is built without 16-bit segments (EINVAL). */
static inline bool segments_16(void)
{
	const char *platform = getenv("TEST_PLATFORM");
	struct user_desc d = { .entry_number = 0, .limit = 1 };
	int ret = modify_ldt(0x11, &d, sizeof(d));

	if (platform && !strcmp(platform, "gatehouse"))
		CHECK_EQ(ret, 0);
	ldt_clear(0);
	return ret == 0;
}

/* LAR as ring 3 sees it; 0: the selector is not to be used. */
__attribute__((noinline, unused)) static u32 segment_access(u16 sel)
{
	u32 access = 0;
	bool ok;

	__asm__ volatile("larl %2,%0; setz %1" : "+r"(access), "=qm"(ok) : "r"((u32)sel) : "cc");
	return ok ? access & 0xf0ff00 : 0;
}

/* Places in the page. */
enum { SP_SAVED = 0x00, SP_FAR = 0x40, SP_LAND = 0x80, SP_CODE32 = 0x100, SP_CODE16 = 0x200,
       SP_LOOP32 = 0x300, SP_TRAP = 0x400 };

static inline u8 *segment_page(void)
{
	static u8 *page;
	u32 land;

	if (page)
		return page;
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(page != MAP_FAILED);
	land = (u32)(u64)page + SP_LAND;
	/* 64-bit: mov $page,%eax; mov (%rax),%rsp; jmp *8(%rax) */
	memcpy(page + SP_LAND, "\xb8\0\0\0\0\x48\x8b\x20\xff\x60\x08", 11);
	memcpy(page + SP_LAND + 1, &(u32){ (u32)(u64)page + SP_SAVED }, 4);
	memcpy(page + SP_CODE32, "\xea\0\0\0\0\x33\0", 7);
	memcpy(page + SP_CODE32 + 1, &land, 4);
	memcpy(page + SP_CODE16, "\x66\xea\0\0\0\0\x33\0", 8);
	memcpy(page + SP_CODE16 + 2, &land, 4);
	/* dec %ecx; jnz; then as above */
	memcpy(page + SP_LOOP32, "\x49\x75\xfd\xea\0\0\0\0\x33\0", 10);
	memcpy(page + SP_LOOP32 + 4, &land, 4);
	memset(page + SP_TRAP, 0xcc, 16);
	return page;
}

/* Far jump to sel:offset, whose code comes back through SP_LAND; ecx is loops there. */
static inline void segment_enter(u16 sel, u32 offset, u32 loops)
{
	u8 *page = segment_page();

	memcpy(page + SP_FAR, &offset, 4);
	memcpy(page + SP_FAR + 4, &sel, 2);
	__asm__ volatile("mov %%rsp,(%1); lea 1f(%%rip),%%rax; mov %%rax,8(%1); ljmpl *(%2); 1:"
			 : "+c"(loops) : "r"(page + SP_SAVED), "r"(page + SP_FAR)
			 : "rax", "cc", "memory");
}

static inline struct user_desc code_desc(unsigned entry, bool wide)
{
	return (struct user_desc){ .entry_number = entry, .contents = 2, .seg_32bit = wide,
				   .base_addr = wide ? 0 : (u32)(u64)segment_page(),
				   .limit = wide ? 0xfffff : 0xfff, .limit_in_pages = wide };
}

static inline struct user_desc data_desc(unsigned entry, bool wide)
{
	return (struct user_desc){ .entry_number = entry, .seg_32bit = wide,
				   .base_addr = wide ? 0 : (u32)(u64)segment_page(),
				   .limit = wide ? 0xfffff : 0xffff, .limit_in_pages = wide };
}
