/* Futexes, as far as others in the kernel use them. */
#pragma once

#include <mm/user.h>

/* Wakes one waiter on a word of the current address space, private or shared: thread exit. May sleep. */
void futex_wake_one(struct user_u32 word);
/*
 * The current task lets go of its address space: PI futexes that it owns go to their first waiters,
 * whose word tells that the owner has died. TASK_F_FUTEX_DEAD set before: it gets no new ones.
 */
void futex_pi_exit(void);
/* Sets the table up. Once, during boot. */
void futex_init(void);
