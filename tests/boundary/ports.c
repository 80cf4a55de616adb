/* Reads from and writes to every I/O port: each access draws SIGSEGV. */
#include "attack.h"

static void expect_gp(const char *what, int port)
{
	if (last_fault.sig != SIGSEGV || last_fault.code != SI_KERNEL || last_fault.trapno != 13)
		FAIL("%s of port %#x: signal %d code %#x", what, port, last_fault.sig,
		     last_fault.code);
}

TEST_LIMIT(every_port_is_closed_to_reading, 60)
{
	attack_init();
	for (int port = 0; port < 65536; port += SCALE(3, 1)) {
		FAULTED(({ __asm__ volatile("inb %w0,%%al" :: "d"(port) : "rax"); }));
		expect_gp("inb", port);
	}
}

TEST_LIMIT(every_port_is_closed_to_writing, 60)
{
	attack_init();
	for (int port = 0; port < 65536; port += SCALE(7, 1)) {
		FAULTED(({ __asm__ volatile("outb %%al,%w0" :: "d"(port), "a"(0)); }));
		expect_gp("outb", port);
	}
}

/* Wide accesses that straddle the end of a permission map or wrap past port 65535. */
TEST(wide_and_wrapping_accesses)
{
	static const u16 ports[] = { 0xffff, 0xfffe, 0xfffd, 0x3ff, 0x7fff, 0xcf8, 0x604, 0xb004, 0 };

	attack_init();
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		FAULTED(({ __asm__ volatile("inl %w0,%%eax" :: "d"(ports[i]) : "rax"); }));
		expect_gp("inl", ports[i]);
		FAULTED(({ __asm__ volatile("outw %%ax,%w0" :: "d"(ports[i]), "a"(0x2000)); }));
		expect_gp("outw", ports[i]);
	}
}

TEST(users_get_no_port_permission)
{
	if (geteuid())
		SKIP("needs root");
	IN_CHILD {
		become(1000, 1000);
		CHECK(syscall(SYS_ioperm, 0x80, 1, 1) == -1 && (errno == EPERM || errno == ENOSYS));
		CHECK(syscall(SYS_iopl, 3) == -1 && (errno == EPERM || errno == ENOSYS));
		attack_init();
		FAULTED(({ __asm__ volatile("outb %%al,$0x80" :: "a"(0)); }));
		expect_gp("outb", 0x80);
	}
}
