/*
 * The tables behind grammar.h, made from the kernel's one system-call table by the preprocessor: a call
 * or a flag that is added there is fuzzed from then on.
 */
#include "grammar.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <asm/mman.h>
#include <asm/prctl.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/msg.h>
#include <linux/prctl.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/stat.h>

#define ARG_fd(n)          { K_FD, "", #n }
#define ARG_dirfd(n)       { K_DIRFD, "", #n }
#define ARG_pid(n)         { K_PID, "", #n }
#define ARG_uid(n)         { K_UID, "", #n }
#define ARG_gid(n)         { K_GID, "", #n }
#define ARG_sig(n)         { K_SIG, "", #n }
#define ARG_path(n)        { K_PATH, "", #n }
#define ARG_str(n)         { K_STR, "", #n }
#define ARG_size(n)        { K_SIZE, "", #n }
#define ARG_off(n)         { K_OFF, "", #n }
#define ARG_flags(set, n)  { K_FLAGS, #set, #n }
#define ARG_lflags(set, n) { K_FLAGS, #set, #n }
#define ARG_value(set, n)  { K_VALUE, #set, #n }
#define ARG_mode(n)        { K_MODE, "", #n }
#define ARG_i32(n)         { K_I32, "", #n }
#define ARG_u32(n)         { K_U32, "", #n }
#define ARG_i64(n)         { K_I64, "", #n }
#define ARG_u64(n)         { K_U64, "", #n }
#define ARG_addr(n)        { K_ADDR, "", #n }
#define ARG_in(T, n)       { K_IN, #T, #n }
#define ARG_out(T, n)      { K_OUT, #T, #n }
#define ARG_inout(T, n)    { K_INOUT, #T, #n }
#define ARG_in_bytes(n)    { K_IN, "", #n }
#define ARG_out_bytes(n)   { K_OUT, "", #n }
#define ARG_inout_bytes(n) { K_INOUT, "", #n }

#define SYSCALL0(nr, name) { nr, #name, 0, {} },
#define SYSCALL1(nr, name, a) { nr, #name, 1, { ARG_##a } },
#define SYSCALL2(nr, name, a, b) { nr, #name, 2, { ARG_##a, ARG_##b } },
#define SYSCALL3(nr, name, a, b, c) { nr, #name, 3, { ARG_##a, ARG_##b, ARG_##c } },
#define SYSCALL4(nr, name, a, b, c, d) { nr, #name, 4, { ARG_##a, ARG_##b, ARG_##c, ARG_##d } },
#define SYSCALL5(nr, name, a, b, c, d, e)                                                          \
	{ nr, #name, 5, { ARG_##a, ARG_##b, ARG_##c, ARG_##d, ARG_##e } },
#define SYSCALL6(nr, name, a, b, c, d, e, f)                                                       \
	{ nr, #name, 6, { ARG_##a, ARG_##b, ARG_##c, ARG_##d, ARG_##e, ARG_##f } },

const struct call calls[] = {
#include <syscall/syscalls.def>
};
const int nr_calls = sizeof(calls) / sizeof(calls[0]);

#define FLAG(set, name, support) { #set, (uint64_t)(name) },
const struct flag flags[] = {
#include <syscall/flags.def>
};
const int nr_flags = sizeof(flags) / sizeof(flags[0]);
