/* Which memory belongs to which argument: made from syscalls.def, like the dispatch table. */
#include <arch/speculation.h>
#include <lib/bits.h>
#include <syscall/kinds.h>
#include <syscall/nr.h>
#include "internal.h"

#define STRUCT_SIZE(T) sizeof(((struct user_##T *)0)->type_of[0])
/* Lists of texts, and arrays whose length is the next argument. */
#define SHAPE(T)                                                                                   \
	_Generic((struct user_##T *)0, struct user_strv *: CAP_STRV, struct user_iovec *: CAP_MANY, \
		 struct user_pollfd *: CAP_MANY, default: 0)

#define TRACE_fd(n)          {0}
#define TRACE_dirfd(n)       {0}
#define TRACE_pid(n)         {0}
#define TRACE_uid(n)         {0}
#define TRACE_gid(n)         {0}
#define TRACE_sig(n)         {0}
#define TRACE_path(n)        {CAP_STR, 0}
#define TRACE_str(n)         {CAP_STR, 0}
#define TRACE_size(n)        {0}
#define TRACE_off(n)         {0}
#define TRACE_flags(set, n)  {0}
#define TRACE_value(set, n)  {0}
#define TRACE_lflags(set, n) {0}
#define TRACE_mode(n)        {0}
#define TRACE_i32(n)         {0}
#define TRACE_u32(n)         {0}
#define TRACE_i64(n)         {0}
#define TRACE_u64(n)         {0}
#define TRACE_addr(n)        {0}
#define TRACE_in(T, n)       {CAP_IN | SHAPE(T), STRUCT_SIZE(T)}
#define TRACE_out(T, n)      {CAP_OUT | SHAPE(T), STRUCT_SIZE(T)}
#define TRACE_inout(T, n)    {CAP_IN | CAP_OUT | SHAPE(T), STRUCT_SIZE(T)}
#define TRACE_in_bytes(n)    {CAP_IN | CAP_BYTES, 0}
#define TRACE_out_bytes(n)   {CAP_OUT | CAP_BYTES, 0}
#define TRACE_inout_bytes(n) {0}

#define SYSCALL0(nr, name)
#define SYSCALL1(nr, name, ...) [nr] = {ARGS_1(TRACE_, __VA_ARGS__)},
#define SYSCALL2(nr, name, ...) [nr] = {ARGS_2(TRACE_, __VA_ARGS__)},
#define SYSCALL3(nr, name, ...) [nr] = {ARGS_3(TRACE_, __VA_ARGS__)},
#define SYSCALL4(nr, name, ...) [nr] = {ARGS_4(TRACE_, __VA_ARGS__)},
#define SYSCALL5(nr, name, ...) [nr] = {ARGS_5(TRACE_, __VA_ARGS__)},
#define SYSCALL6(nr, name, ...) [nr] = {ARGS_6(TRACE_, __VA_ARGS__)},

static const struct trace_arg table[NR_SYSCALLS][TRACE_ARGS] = {
#include <syscall/syscalls.def>
};

const struct trace_arg *trace_args(u32 nr)
{
	return nr < NR_SYSCALLS ? table[index_clamp(nr, NR_SYSCALLS)] : NULL;
}
