/*
 * The host's terminal while the program owns it.
 */
#pragma once

#include <stdbool.h>

#include "control.h"

/* True when both standard input and output are terminals. */
bool terminal_present(void);
/* Raw mode: every key goes to the guest. Undone at exit, whatever the way out. */
void terminal_raw(void);
/* Back to what it was; harmless when it was never raw. Usable in a signal handler. */
void terminal_restore(void);
/* The window's size now. */
struct control_winsize terminal_size(void);
