/*
 * What `gatehouse run` was asked to do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum accel_choice { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };
enum machine_type { MACHINE_MICROVM, MACHINE_Q35 };

/* Strings point into argv or are literals; the arrays live as long as the process. */
struct run_options {
	const char *root; /* NULL: the embedded root */
	const char *workdir;
	const char *user;     /* NULL: root */
	const char *hostname; /* NULL: the guest's default */
	const char *kernel;   /* NULL: Gatehouse's */
	const char *seccomp;  /* NULL: no filter */
	const char *trace;    /* NULL: none; empty: to standard error; "summary"; else a file */
	const char *learn;    /* NULL, or the file for a profile of what the program calls */
	const char **append;  /* words for the kernel command line */
	size_t nr_append;
	const char **disks; /* IMAGE[:ro][:log=FILE][:faults=FILE], as given */
	size_t nr_disks;
	const char **volumes; /* HOST:GUEST[:ro], as given */
	size_t nr_volumes;
	const char **env; /* NAME=VALUE */
	size_t nr_env;
	char *const *argv;     /* NULL-terminated, never empty */
	uint64_t memory_bytes; /* 0: chosen to fit the root */
	uint64_t timeout_ns;   /* 0: none */
	unsigned int nr_cpus;
	enum accel_choice accel;
	enum machine_type machine;
	bool icount;
	bool help;
};

/*
 * Parses the words after `run`. Dies with one line on wrong use. What is returned refers to argv.
 */
void options_parse(struct run_options *options, char **argv);

/* The text of `gatehouse run --help`. */
extern const char options_help[];
