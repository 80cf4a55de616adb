/* What the parts of execve share: the image being built, from the path to the first instruction. */
#pragma once

#include <lib/elf.h>
#include <mm/user.h>
#include "internal.h"

struct file;

#define EXEC_HEAD_BYTES   256 /* of the file, read first: magic, or the #! line */
#define EXEC_SCRIPT_DEPTH 5   /* interpreters of interpreters */
#define EXEC_PREFIX_MAX   (3 * (EXEC_SCRIPT_DEPTH + 1))

/* Argument and environment strings, in order, each with its NUL; user ones fetched once. */
struct exec_args {
	char *buf;          /* argv's strings, then the environment's */
	size_t len, cap;    /* bytes used and allocated */
	size_t skip;        /* argv[0] that a script's interpreter line has replaced */
	size_t env_start;   /* offset of the environment in buf */
	u32 argc, envc;
	size_t limit;       /* bytes of strings and pointers together */
	/* What #! lines put in front; the first is prefix[EXEC_PREFIX_MAX - nr_prefix]. Owned. */
	char *prefix[EXEC_PREFIX_MAX];
	u32 nr_prefix;
};

struct exec {
	const char *name;           /* as AT_EXECFN tells it */
	struct file *file;          /* from file_open_exec */
	char head[EXEC_HEAD_BYTES]; /* zero-filled behind what could be read */
	size_t head_len;
	bool name_is_cloexec_fd;    /* a script could not open it again */
	struct exec_args args;
	struct cred *cred;          /* what the program will run with */
	bool secure;                /* AT_SECURE: more privilege than the caller's */
	bool file_caps, effective;  /* the file has capabilities; the permitted set is effective */
	struct elf_image image, interp;
	struct elf64_phdr *phdrs, *interp_phdrs;
	struct file *interp_file;
	struct mm *mm;
	u64 stack_top;
	/* Addresses in the new space. */
	u64 bias, interp_base, entry;
};

/* exec_args.c. 0, -E2BIG, -EFAULT, -ENOMEM. */
int exec_args_from_user(struct exec_args *a, struct user_strv argv, struct user_strv envp);
int exec_args_from_kernel(struct exec_args *a, const char *const argv[], const char *const envp[]);
/* A script: argv[0] gives way to interpreter, optional argument, script. */
int exec_args_interpreter(struct exec_args *a, const char *interp, const char *arg,
			  const char *script);
void exec_args_free(struct exec_args *a);

/* exec_stack.c: strings, auxiliary vector and pointers onto the stack of the current (new) address
 * space; the stack pointer goes to *sp. */
int exec_stack_create(struct exec *e);
/* Maps the vDSO into the current (new) address space; between the image and the stack's contents. */
int exec_vdso_map(struct exec *e);
int exec_stack_fill(struct exec *e, u64 *sp);

/* exec_elf.c: reads headers and the interpreter (may fail with an errno), then maps (a failure
 * ends the process). */
int exec_elf_load(struct exec *e);
int exec_elf_map(struct exec *e);
void exec_elf_free(struct exec *e);

/* exec_cred.c: e->cred as the file would have it. 0, -ENOMEM, -EPERM, -EINVAL. */
int exec_cred_prepare(struct exec *e);
/* e->cred and e->secure as the caller may have them. The only thread left calls it. */
void exec_cred_finish(struct exec *e);

/* exec_threads.c: ends all other threads and makes the current one the leader. 0 or -EAGAIN. */
int exec_become_single(void);

/* exec.c: opens and reads the head of another image, in place of the present one. */
int exec_open(struct exec *e, int dirfd, const char *name, u32 lookup_flags);

/* True unless personality(ADDR_NO_RANDOMIZE). */
bool exec_randomizes(void);
