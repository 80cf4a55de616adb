/*
 * The control channel between the host command and the guest's pid 1.
 *
 * Both directions carry frames {type, len, payload}, little endian, over the virtio port
 * CONTROL_PORT. The host sends the configuration, closed by CONTROL_START; the guest answers
 * CONTROL_STARTED when the program runs and CONTROL_EXIT when it has ended. After CONTROL_EXIT the
 * guest writes the end mark to each output it opened: the host knows then that it holds every byte,
 * because bytes of one port never overtake each other while bytes of two ports may.
 *
 * This header is shared by tools/gatehouse and user/init and includes nothing else of either.
 */
#pragma once

#include <stdint.h>

#define CONTROL_PORT "/dev/vport0p1"
#define STDIN_PORT "/dev/vport0p2"
#define STDOUT_PORT "/dev/vport0p3"
#define STDERR_PORT "/dev/vport0p4"
#define TERMINAL_DEVICE "/dev/hvc0"

/* Files that only the start needs; pid 1 removes the directory before the program runs. */
#define BOOT_DIR "/.gatehouse"
#define MODULE_LIST BOOT_DIR "/modules" /* one path per line, in loading order */

#define CONTROL_MAX_PAYLOAD (256u * 1024u) /* above Linux's limit for one argument string */
#define END_MARK_LEN 32u		   /* lower-case hexadecimal digits, no terminator */

enum control_type {
	/* host to guest, before the start; strings carry no terminator */
	CONTROL_ARG = 1,  /* next word of the command */
	CONTROL_ENV,	  /* next NAME=VALUE */
	CONTROL_WORKDIR,  /* absolute path; default / */
	CONTROL_USER,	  /* name or uid, optionally :group or :gid; default root */
	CONTROL_HOSTNAME, /* default gatehouse */
	CONTROL_TERMINAL, /* struct control_terminal: the program gets TERMINAL_DEVICE */
	CONTROL_END_MARK, /* END_MARK_LEN bytes */
	CONTROL_MOUNT,	  /* "ro|rw TYPE SOURCE OPTIONS DIR": something to mount; options "-": none */
	CONTROL_SECCOMP,  /* uint32_t flags, then struct sock_filter …: the program's filter */
	CONTROL_TRACE,	  /* what of the program's calls is recorded: a word for TRACE_CONTROL */
	CONTROL_START,	  /* empty: the configuration is complete */

	/* host to guest, while the program runs */
	CONTROL_SIGNAL = 32, /* struct control_signal */
	CONTROL_WINSIZE,     /* struct control_winsize */

	/* guest to host */
	CONTROL_STARTED = 64, /* empty: signals reach the program from now on */
	CONTROL_EXIT,	      /* uint32_t: exit status, 128+N after signal N */
	CONTROL_ERROR,	      /* text, one line: the program could not be set up */
};

struct control_frame {
	uint32_t type; /* enum control_type */
	uint32_t len;  /* bytes of payload that follow */
};

struct control_winsize {
	uint16_t rows;
	uint16_t columns;
};

struct control_terminal {
	struct control_winsize size;
	uint32_t separate_stderr; /* 1: standard error is STDERR_PORT, not the terminal */
};

struct control_signal {
	uint32_t signo;	   /* Linux x86-64 number */
	uint32_t to_group; /* 1: to the program's process group, as a terminal would */
};
