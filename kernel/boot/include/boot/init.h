/*
 * The order in which the kernel comes up. arch starts with boot_info filled, paging and GDT final
 * for CPU 0, and calls kernel_main() on the boot stack, interrupts disabled.
 */
#pragma once

#include <lib/types.h>

__noreturn void kernel_main(void);

/* Device and file-system set-up that only needs a running scheduler: run in order of level. */
enum init_level { INIT_CORE, INIT_FS, INIT_DEVICE, INIT_LATE };
struct init_call {
	int (*fn)(void);
	const char *name;
	enum init_level level;
};
/* Runs fn once, in process context, at the level; an error is logged and boot goes on. */
#define INIT_CALL(level_, fn_)                                                                     \
	static const struct init_call init_call_##fn_ __section(".init_calls")                     \
		__aligned(8) = {.fn = fn_, .name = #fn_, .level = level_}
