/*
 * The dispatch table, made from syscalls.def. Each row is a weak alias of sys_unimplemented, which
 * a handler of that name anywhere in the kernel overrides at link time; so nothing is registered,
 * and `nm` tells what is implemented. <syscall/table.h> is left out on purpose: its typed
 * prototypes are for the handlers, the table only knows registers.
 */
#include <lib/errno.h>
#include <syscall/dispatch.h>

long sys_unimplemented(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	return -ENOSYS;
}

#define SYSCALL0(nr, name) ROW(nr, name)
#define SYSCALL1(nr, name, ...) ROW(nr, name)
#define SYSCALL2(nr, name, ...) ROW(nr, name)
#define SYSCALL3(nr, name, ...) ROW(nr, name)
#define SYSCALL4(nr, name, ...) ROW(nr, name)
#define SYSCALL5(nr, name, ...) ROW(nr, name)
#define SYSCALL6(nr, name, ...) ROW(nr, name)

#define ROW(nr, name)                                                                              \
	long sys_##name(u64, u64, u64, u64, u64, u64)                                              \
		__attribute__((weak, alias("sys_unimplemented")));                                 \
	static_assert((nr) < NR_SYSCALLS, "number beyond the table");
#include <syscall/syscalls.def>
#undef ROW

/* Rows override the default: the holes between the numbers stay with it. */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
#define ROW(nr, name) [nr] = sys_##name,
const syscall_fn syscall_table[SYSCALL_TABLE_SIZE] = {
	[0 ... SYSCALL_TABLE_SIZE - 1] = sys_unimplemented,
#include <syscall/syscalls.def>
};
#undef ROW
#pragma GCC diagnostic pop

#define ROW(nr, name) [nr] = #name,
const char *const syscall_names[NR_SYSCALLS] = {
#include <syscall/syscalls.def>
};
