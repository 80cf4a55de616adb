/* modify_ldt(2): functions, results and refusals; a tracer's thread areas. */
#include "ldt.h"

#include <sys/ptrace.h>

TEST(results)
{
	struct user_desc d = data_desc(0, true);
	u8 buf[256];

	memset(buf, 0x55, sizeof(buf));
	CHECK_EQ(modify_ldt(0, buf, sizeof(buf)), 0);
	CHECK_EQ(modify_ldt(0, (void *)8, sizeof(buf)), 0);
	CHECK_EQ(buf[0], 0x55);
	CHECK_EQ(modify_ldt(2, buf, sizeof(buf)), 128);
	CHECK(buf[0] == 0 && buf[127] == 0 && buf[128] == 0x55);
	CHECK_EQ(modify_ldt(2, buf, 5), 5);
	CHECK_EQ(modify_ldt(2, (void *)8, 5), -EFAULT);
	CHECK_EQ(modify_ldt(3, buf, 16), -ENOSYS);
	CHECK_EQ(modify_ldt(-1, buf, 16), -ENOSYS);
	/* The result is an int, not a long. */
	CHECK_EQ(syscall(SYS_modify_ldt, 0x11, &d, 3ul), 0xffffffea);
	for (int func = 1; func <= 0x11; func += 0x10) {
		CHECK_EQ(modify_ldt(func, &d, sizeof(d) - 1), -EINVAL);
		CHECK_EQ(modify_ldt(func, &d, sizeof(d) + (1ul << 32)), -EINVAL);
		CHECK_EQ(modify_ldt(func, (void *)8, sizeof(d)), -EFAULT);
		d.entry_number = 8192;
		CHECK_EQ(modify_ldt(func, &d, sizeof(d)), -EINVAL);
		d.entry_number = -1;
		CHECK_EQ(modify_ldt(func, &d, sizeof(d)), -EINVAL);
		d.entry_number = 0;
		d.contents = 3;
		CHECK_EQ(modify_ldt(func, &d, sizeof(d)), -EINVAL);
		d.contents = 0;
	}
	CHECK_EQ(segment_access(LDT_SEL(0)), 0);
}

TEST(table_is_read_back)
{
	static u8 buf[70000];
	struct user_desc d = { .entry_number = 5, .base_addr = 0x12345678, .limit = 0xabcde, .seg_32bit = 1,
			       .limit_in_pages = 1, .useable = 1 };

	CHECK_EQ(modify_ldt(0x11, &d, sizeof(d)), 0);
	memset(buf, 0x55, sizeof(buf));
	CHECK_EQ(modify_ldt(0, buf, 47), 47);
	CHECK_EQ(buf[47], 0x55);
	CHECK_EQ(modify_ldt(0, buf, sizeof(buf)), 65536);
	CHECK_EQ(*(u64 *)(buf + 40), 0x12daf3345678bcdeull);
	for (size_t i = 0; i < 65536; i++)
		CHECK(buf[i] == 0 || (i >= 40 && i < 48));
	CHECK_EQ(buf[65536], 0x55);
	CHECK_EQ(modify_ldt(0, (void *)8, 16), -EFAULT);
}

/* The old function does not know `useable`, nor conforming code, and takes base and limit 0 for "none". */
TEST(old_mode)
{
	struct user_desc d = { .entry_number = 1, .base_addr = 0x1000, .limit = 0, .seg_32bit = 1,
			       .useable = 1 };

	CHECK_EQ(modify_ldt(1, &d, sizeof(d)), 0);
	CHECK_EQ(segment_access(LDT_SEL(1)), 0x40f300);
	CHECK_EQ(modify_ldt(0x11, &d, sizeof(d)), 0);
	CHECK_EQ(segment_access(LDT_SEL(1)), 0x50f300);
	d.base_addr = 0;
	CHECK_EQ(modify_ldt(0x11, &d, sizeof(d)), 0);
	CHECK_EQ(segment_access(LDT_SEL(1)), 0x50f300);
	CHECK_EQ(modify_ldt(1, &d, sizeof(d)), 0);
	CHECK_EQ(segment_access(LDT_SEL(1)), 0);
	d.contents = 3;
	d.seg_not_present = 1;
	CHECK_EQ(modify_ldt(1, &d, sizeof(d)), -EINVAL);
	CHECK_EQ(modify_ldt(0x11, &d, sizeof(d)), 0);
	CHECK_EQ(segment_access(LDT_SEL(1)), 0x507f00);
}

static long thread_area(pid_t pid, struct user_desc *d, unsigned slot)
{
	memset(d, 0x55, sizeof(*d));
	return ptrace(PTRACE_GET_THREAD_AREA, pid, slot, d);
}

#ifndef PTRACE_SET_THREAD_AREA
#define PTRACE_SET_THREAD_AREA 26
#endif

/* The one way to the TLS slots of a 64-bit program. They go to children, and not to other programs. */
TEST(tracer_sets_thread_areas)
{
	struct user_desc d = { .base_addr = 0x1234000, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1 },
			 got;
	pid_t pid = test_fork();

	if (pid == 0) {
		CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		CHECK_OK(syscall(SYS_kill, getpid(), SIGSTOP));
		CHECK_EQ(segment_access(0x6b), 0xc0f300);
		IN_CHILD
			CHECK_EQ(segment_access(0x6b), 0xc0f300);
		sleep_ms(5);
		CHECK_EQ(segment_access(0x6b), 0xc0f300);
		__asm__ volatile("mov %0,%%gs" :: "r"(0x6b));
		u64 base;
		CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
		CHECK_EQ(base, 0x1234000);
		_exit(0);
	}
	CHECK_EQ(test_reap(pid) & 0xff, 0x7f);
	for (unsigned slot = 12; slot < 15; slot++) {
		CHECK_EQ(thread_area(pid, &got, slot), 0);
		CHECK_EQ(got.entry_number, slot);
		CHECK(!got.base_addr && !got.limit && got.seg_not_present && got.read_exec_only);
	}
	CHECK_ERR(thread_area(pid, &got, 11), EINVAL);
	CHECK_ERR(thread_area(pid, &got, 15), EINVAL);
	CHECK_ERR(thread_area(pid, &got, 0x80000000), EIO);
	CHECK_OK(ptrace(PTRACE_SET_THREAD_AREA, pid, 13, &d));
	CHECK_EQ(thread_area(pid, &got, 13), 0);
	d.entry_number = 13;
	CHECK(!memcmp(&d, &got, sizeof(d)));
	CHECK_ERR(ptrace(PTRACE_SET_THREAD_AREA, pid, 15, &d), EINVAL);
	CHECK_ERR(ptrace(PTRACE_SET_THREAD_AREA, pid, 12, 8), EFAULT);
	d.seg_32bit = 0;
	CHECK_ERR(ptrace(PTRACE_SET_THREAD_AREA, pid, 12, &d), EINVAL);
	d.seg_32bit = 1;
	d.contents = 2;
	CHECK_ERR(ptrace(PTRACE_SET_THREAD_AREA, pid, 12, &d), EINVAL);
	d.contents = 0;
	d.seg_not_present = 1;
	CHECK_ERR(ptrace(PTRACE_SET_THREAD_AREA, pid, 12, &d), EINVAL);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(test_reap(pid), SIGCHLD << 8 | 0x7f);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXITS(pid, 0);
}
