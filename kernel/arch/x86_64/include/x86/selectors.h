/* Segment selectors, laid out as SYSRET wants them: user 32-bit code, user data, user 64-bit code. */
#pragma once

#define KERNEL_CS  0x10
#define KERNEL_DS  0x18
#define USER32_CS  0x23
#define USER_DS    0x2b
#define USER_CS    0x33
#define TSS_SEL    0x40
