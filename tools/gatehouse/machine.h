/*
 * The virtual machine: QEMU's command line and process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "disk.h"
#include "options.h"
#include "share.h"

/* What the machine boots. Descriptors stay open until the machine has been started. */
struct boot_files {
	const char *kernel;
	bool is_linux;
	int initrd;	      /* memfd, or -1: the kernel's embedded root */
	uint64_t initrd_size; /* bytes */
	const struct share *shares; /* host directories that the guest mounts */
	size_t nr_shares;
	const struct disk *disks; /* the root first, if it is one */
	size_t nr_disks;
};

/* How the program's streams are wired. */
struct machine_streams {
	bool terminal;	      /* the guest's terminal is the program's stdin and stdout */
	bool separate_stderr; /* with a terminal: standard error has a port of its own */
	bool trace;	      /* there is a port for records of calls */
};

/*
 * Our ends of the channels to the machine; each is -1 when the machine has no such channel, all
 * are non-blocking and close-on-exec.
 */
struct machine {
	pid_t pid;
	int control; /* socket, both directions */
	int in;	     /* to the program's standard input: a socket, or a pipe to the terminal */
	int out;     /* from standard output, or from the terminal */
	int err;     /* from standard error */
	int trace;   /* records of calls */
	int serial;  /* from the kernel log */
	int qemu;    /* from QEMU's own standard error */
	bool in_is_socket;
};

/* Starts QEMU. Dies when QEMU is not installed or the process cannot be made. */
void machine_start(struct machine *machine, const struct run_options *options,
		   const struct boot_files *files, const struct machine_streams *streams);
