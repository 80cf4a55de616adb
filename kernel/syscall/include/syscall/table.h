/*
 * Prototypes of all system-call handlers, from syscalls.def: a handler whose signature differs
 * does not compile. Handlers run on the task's kernel stack with interrupts enabled, may sleep, and
 * return the result or -errno. The number of arguments is the row's own: registers map directly to
 * the C calling convention.
 */
#pragma once

#include <syscall/kinds.h>

#define SYSCALL0(nr, name) long sys_##name(void);
#define SYSCALL1(nr, name, ...) long sys_##name(ARGS_1(ARG_TYPE_, __VA_ARGS__));
#define SYSCALL2(nr, name, ...) long sys_##name(ARGS_2(ARG_TYPE_, __VA_ARGS__));
#define SYSCALL3(nr, name, ...) long sys_##name(ARGS_3(ARG_TYPE_, __VA_ARGS__));
#define SYSCALL4(nr, name, ...) long sys_##name(ARGS_4(ARG_TYPE_, __VA_ARGS__));
#define SYSCALL5(nr, name, ...) long sys_##name(ARGS_5(ARG_TYPE_, __VA_ARGS__));
#define SYSCALL6(nr, name, ...) long sys_##name(ARGS_6(ARG_TYPE_, __VA_ARGS__));
#include <syscall/syscalls.def>
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6
