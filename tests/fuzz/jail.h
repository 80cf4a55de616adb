/* Where programs with privileges run: see jail.c. */
#pragma once

#include <stdbool.h>

/* Set: programs have privileges, and run in a jail. */
extern bool privileged;

/* By the supervisor: mounts what is the program's root at dir, with a directory /w of USER. False: it could not. */
bool jail_make(const char *dir);
/* By the program's process, as root: goes into dir, from where there is no way back. */
void jail_enter(const char *dir);
/* After setresuid with PR_SET_KEEPCAPS: takes the capabilities that a program may have. */
void jail_take_capabilities(void);
/* By the supervisor, when nobody is left: takes away every mount that was not there before. */
void jail_remove(void);
