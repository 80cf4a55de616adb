/* Tables of calls and flags, out of the kernel's own lists. */
#include <asm/prctl.h>
#include <linux/close_range.h>
#include <linux/eventpoll.h>
#include <linux/falloc.h>
#include <linux/fadvise.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/inotify.h>
#include <linux/ipc.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/msg.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/signalfd.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/wait.h>
#include <linux/xattr.h>

#include "calls.h"

/* What the ABI's headers leave to the C library. */
#define O_ASYNC		  FASYNC
#define SPLICE_F_MOVE	  1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE	  4
#define SPLICE_F_GIFT	  8
#define EFD_SEMAPHORE	  1
#define EFD_CLOEXEC	  O_CLOEXEC
#define EFD_NONBLOCK	  O_NONBLOCK

#define A_fd(n)          {ARG_fd, NULL}
#define A_dirfd(n)       {ARG_dirfd, NULL}
#define A_pid(n)         {ARG_pid, NULL}
#define A_uid(n)         {ARG_uid, NULL}
#define A_gid(n)         {ARG_gid, NULL}
#define A_sig(n)         {ARG_sig, NULL}
#define A_path(n)        {ARG_path, NULL}
#define A_str(n)         {ARG_str, NULL}
#define A_size(n)        {ARG_size, NULL}
#define A_off(n)         {ARG_off, NULL}
#define A_flags(set, n)  {ARG_flags, #set}
#define A_value(set, n)  {ARG_value, #set}
#define A_lflags(set, n) {ARG_lflags, #set}
#define A_mode(n)        {ARG_mode, NULL}
#define A_i32(n)         {ARG_i32, NULL}
#define A_u32(n)         {ARG_u32, NULL}
#define A_i64(n)         {ARG_i64, NULL}
#define A_u64(n)         {ARG_u64, NULL}
#define A_addr(n)        {ARG_addr, NULL}
#define A_in(T, n)       {ARG_in, #T}
#define A_out(T, n)      {ARG_out, #T}
#define A_inout(T, n)    {ARG_inout, #T}
#define A_in_bytes(n)    {ARG_in_bytes, NULL}
#define A_out_bytes(n)   {ARG_out_bytes, NULL}
#define A_inout_bytes(n) {ARG_inout_bytes, NULL}

#define SYSCALL0(nr, name) [nr] = {#name, 0, {{ARG_NONE, NULL}}},
#define SYSCALL1(nr, name, a) [nr] = {#name, 1, {A_##a}},
#define SYSCALL2(nr, name, a, b) [nr] = {#name, 2, {A_##a, A_##b}},
#define SYSCALL3(nr, name, a, b, c) [nr] = {#name, 3, {A_##a, A_##b, A_##c}},
#define SYSCALL4(nr, name, a, b, c, d) [nr] = {#name, 4, {A_##a, A_##b, A_##c, A_##d}},
#define SYSCALL5(nr, name, a, b, c, d, e) [nr] = {#name, 5, {A_##a, A_##b, A_##c, A_##d, A_##e}},
#define SYSCALL6(nr, name, a, b, c, d, e, f) \
	[nr] = {#name, 6, {A_##a, A_##b, A_##c, A_##d, A_##e, A_##f}},

static const struct call calls[] = {
#include <syscall/syscalls.def>
};

uint32_t call_limit(void)
{
	return sizeof(calls) / sizeof(calls[0]);
}

const struct call *call_find(uint32_t nr)
{
	return nr < call_limit() && calls[nr].name ? &calls[nr] : NULL;
}

#define FLAG(set, name, support) {#set, #name, (uint64_t)(uint32_t)(name)},
const struct call_flag call_flags[] = {
#include <syscall/flags.def>
};
const size_t nr_call_flags = sizeof(call_flags) / sizeof(call_flags[0]);
