/* Futexes, as far as others in the kernel use them. */
#pragma once

#include <mm/user.h>

/* Wakes one waiter on a word of the current address space, private or shared: thread exit. May sleep. */
void futex_wake_one(struct user_u32 word);
/* Sets the table up. Once, during boot. */
void futex_init(void);
