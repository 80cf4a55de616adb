/* x86-64: struct user_regs_struct is 27 words; floating point, and the whole XSAVE image. */
#pragma once

#define ARCH_NR_GREGS       27
#define ARCH_MAX_CORE_NOTES 2
