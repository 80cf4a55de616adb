/* Where secondary CPUs begin: a page that boot_info never lists as usable. */
#pragma once

#define TRAMPOLINE_PADDR 0x8000
