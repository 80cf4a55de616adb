/* For C and assembly. The address sanitizer puts red zones between the variables of a frame. */
#pragma once

#ifdef CONFIG_KASAN
#define KERNEL_STACK_SIZE 32768
#else
#define KERNEL_STACK_SIZE 16384
#endif
