/* One past the highest system-call number. For C and assembly. */
#pragma once

#define NR_SYSCALLS 451
