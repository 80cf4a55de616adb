/* Bounds that the linker script defines. */
#pragma once

#include <lib/types.h>

extern char gate_end[]; /* the gate, at the start of _text */
extern char _text[], _etext[], _end[];
extern char __init_text_start[], __init_text_end[], __init_data_start[], __init_data_end[];
extern char __rodata_start[], __rodata_end[];
extern char __ro_after_init_start[], __ro_after_init_end[], __ro_zero_start[], __ro_zero_end[];
extern char __percpu_start[], __percpu_end[], __percpu_boot[];
extern char __percpu_gate_start[], __percpu_gate_end[];
extern char boot_stack[], boot_stack_top[], boot_pml4[];
/* The address sanitizer's: of everything from the image's linked start to here. */
extern char __image_shadow[], __image_shadow_end[];
extern void (*__global_calls_start[])(void), (*__global_calls_end[])(void);
/* vdso_image.S, whole pages. */
extern const char vdso_image[], vdso_image_end[];
