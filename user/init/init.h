/*
 * Internal interfaces of the guest's pid 1.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "control.h"

/* What the host asked for. Strings are owned by the structure and live until power-off. */
struct config {
	char **argv; /* NULL-terminated */
	size_t nr_args;
	char **envp; /* NULL-terminated */
	size_t nr_env;
	const char *workdir;
	const char *user; /* NULL: root */
	const char *hostname;
	char **mounts; /* as CONTROL_MOUNT has them */
	size_t nr_mounts;
	struct sock_filter *filter; /* NULL: none */
	unsigned short filter_len;  /* instructions */
	uint32_t filter_flags;
	const char *trace; /* NULL: calls are not recorded */
	bool has_terminal;
	struct control_terminal terminal;
	char end_mark[END_MARK_LEN];
};

/* Ends the run: tells the host "what: strerror(err)" (err 0: only what) and powers off. */
_Noreturn void fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- control.c: the channel ------------------------------------------------------------------ */

/* Opens the control port, waiting for the device to appear. Returns the descriptor or -1. */
int control_open(void);
/*
 * Waits until the host's end of a port is known to be connected. Until then a read would return
 * end-of-file. The host connects its ends before the machine starts and closes none before
 * CONTROL_STARTED, so this ends soon.
 */
void port_wait_connected(int fd);
/* Reads frames up to CONTROL_START into *config; fails the run on a malformed one. */
void control_read_config(struct config *config);
/* Sends one frame; a host that went away is nobody to report to, so nothing is returned. */
void control_send(enum control_type type, const void *payload, size_t len);
/* Handles what has arrived without blocking for a first byte: signals and window sizes. */
void control_dispatch(pid_t program);
/* The descriptor to poll, -1 before control_open succeeded. */
int control_fd(void);

/* --- setup.c: the machine as a program expects to find it ------------------------------------- */

/* Mounts /dev and makes descriptors 0-2 valid. */
void setup_devices(void);
/* Inserts the modules that the host listed in MODULE_LIST, if any, and forgets them. */
void setup_modules(void);
/* Mounts what is to be the root, if the host said so, and makes it the root. True: it is. */
bool setup_root(const struct config *config);
/* Mounts the rest of what the host asked for. */
void setup_volumes(const struct config *config);
/* Mounts /proc, /sys, /tmp … and sets the host name. */
void setup_system(const struct config *config);
/* The program has ended: everything to the disks. */
void setup_end(void);

/* --- confine.c: what the program may ask of the kernel ------------------------------------------- */

/* Before the program's user is taken on: keeps the right to install the filter, if there is one. */
void confine_prepare(const struct config *config, bool loses_caps);
/* Puts the calling process under the filter. Nothing but execve may follow. */
void confine(const struct config *config, bool lost_caps);

/* --- trace.c: the kernel's record of the program's calls ------------------------------------------ */

/* Fails the run if calls are to be recorded and this kernel cannot. */
void trace_check(const struct config *config);
/* Records the calling process and its children from now on, if that is wanted. Needs CAP_SYS_ADMIN. */
void trace_begin(const struct config *config);
/* Returns when the host has been given all records. */
void trace_end(const struct config *config);

/* --- program.c: the program ------------------------------------------------------------------- */

/* Opens the program's standard streams; fails the run when one is missing. */
void program_open_streams(const struct config *config);
/* Starts the program with those streams in its own session; returns its pid. */
pid_t program_start(const struct config *config);
/* Gives the terminal a size, as the host's changed. */
void program_resize(struct control_winsize size);
/* Writes the end mark to each output, in working order whatever the program did to it. */
void program_finish_streams(const struct config *config);
