/*
 * One run of a program in a started machine, from configuration to exit status.
 */
#pragma once

#include "machine.h"
#include "options.h"
#include "profile.h"

/*
 * Configures pid 1, moves bytes and signals until the program has ended, ends the machine and
 * returns the exit status of the command. Expects session_block_signals to have been called.
 */
int session_run(const struct machine *machine, const struct run_options *options,
		const struct boot_files *files, const struct machine_streams *streams,
		const struct profile *profile);

/* Blocks the signals that the session forwards, so that none is lost while the machine starts. */
void session_block_signals(void);
