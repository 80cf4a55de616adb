/*
 * Per-CPU variables behind GS. The linker puts templates into .percpu at ordinary addresses; GS
 * base is (this CPU's copy - __percpu_start), so %gs:var(%rip) reaches the copy.
 */
#pragma once

#include <lib/types.h>

#define DEFINE_PER_CPU(type, name) __attribute__((section(".percpu"))) __typeof__(type) name
/*
 * Mapped in user mode, too, with page-table isolation: what the gate and the CPU itself read. Zero at first.
 */
#define DEFINE_PER_CPU_GATE(type, name) __attribute__((section(".bss.percpu_gate"))) __typeof__(type) name
#define DECLARE_PER_CPU_GATE(type, name) extern __attribute__((section(".bss.percpu_gate"))) __typeof__(type) name
#define DECLARE_PER_CPU(type, name) extern __attribute__((section(".percpu"))) __typeof__(type) name

/* Offset of each CPU's copy from the template; filled before the CPU starts. */
extern uptr percpu_offset[];
DECLARE_PER_CPU(uptr, this_cpu_off);

#define percpu_read_(var, vol)                                                                     \
	({                                                                                         \
		__typeof__(var) v_;                                                                \
		switch (sizeof(var)) {                                                             \
		case 1: __asm__ vol("movb %%gs:%1, %0" : "=q"(v_) : "m"(var)); break;              \
		case 2: __asm__ vol("movw %%gs:%1, %0" : "=r"(v_) : "m"(var)); break;              \
		case 4: __asm__ vol("movl %%gs:%1, %k0" : "=r"(v_) : "m"(var)); break;             \
		default: __asm__ vol("movq %%gs:%1, %q0" : "=r"(v_) : "m"(var)); break;            \
		}                                                                                  \
		v_;                                                                                \
	})
#define this_cpu_read(var) percpu_read_(var, __volatile__)
/* For values that do not change while one task runs (current): the compiler may reuse a read. */
#define this_cpu_read_stable(var) percpu_read_(var, )

#define this_cpu_write(var, val)                                                                   \
	do {                                                                                       \
		__typeof__(var) w_ = (val);                                                        \
		switch (sizeof(var)) {                                                             \
		case 1: __asm__ __volatile__("movb %1, %%gs:%0" : "=m"(var) : "qi"(w_)); break;    \
		case 2: __asm__ __volatile__("movw %1, %%gs:%0" : "=m"(var) : "r"(w_)); break;     \
		case 4: __asm__ __volatile__("movl %k1, %%gs:%0" : "=m"(var) : "r"(w_)); break;    \
		default: __asm__ __volatile__("movq %q1, %%gs:%0" : "=m"(var) : "r"(w_)); break;   \
		}                                                                                  \
	} while (0)

#define this_cpu_add(var, val)                                                                     \
	do {                                                                                       \
		if (sizeof(var) == 4)                                                              \
			__asm__ __volatile__("addl %1, %%gs:%0" : "+m"(var) : "ri"((u32)(val))     \
					     : "cc");                                              \
		else                                                                               \
			__asm__ __volatile__("addq %1, %%gs:%0" : "+m"(var)                        \
					     : "re"((s64)(val)) : "cc");                           \
	} while (0)

/* Calls fn at 0, through fn##_thunk, which keeps all registers; orders memory as a call does. */
#define this_cpu_dec_call_at_zero(var, fn)                                                         \
	__asm__ __volatile__("decl %%gs:%0\n\tjnz 1f\n\tcall " #fn "_thunk\n1:"                   \
			     : "+m"(var) : : "memory", "cc")
/* 32-bit flag words. */
#define this_cpu_or(var, val) __asm__ __volatile__("orl %1, %%gs:%0" : "+m"(var) : "ri"((u32)(val)) : "cc")
#define this_cpu_and(var, val) __asm__ __volatile__("andl %1, %%gs:%0" : "+m"(var) : "ri"((u32)(val)) : "cc")

#define this_cpu_ptr(var) ((__typeof__(var) *)((uptr)&(var) + this_cpu_read_stable(this_cpu_off)))
#define per_cpu_ptr(var, cpu) ((__typeof__(var) *)((uptr)&(var) + percpu_offset[cpu]))
