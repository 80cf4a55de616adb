/*
 * Argument kinds of syscalls.def. Every kind k is a macro family: ARG_TYPE_k gives the C parameter;
 * the decoder and the document generator bring ARG_DECODE_k and ARG_DOC_k. Arguments arrive in
 * registers: a 32-bit type takes the low half, as Linux does, so truncation is the C calling
 * convention's.
 *
 *   fd(n) dirfd(n)             descriptor
 *   pid(n) uid(n) gid(n)       identifiers
 *   sig(n)                     signal number
 *   path(n) str(n)             NUL-terminated text in user memory
 *   size(n) off(n)             byte counts and offsets (64 bits)
 *   flags(set, n) value(set, n) 32-bit flag word / enumerated value, described in flags.def
 *   lflags(set, n)             64-bit flag word
 *   mode(n)                    permission bits
 *   i32(n) u32(n) i64(n) u64(n) numbers
 *   addr(n)                    an address that the call does not dereference (mmap, brk)
 *   in(T, n) out(T, n) inout(T, n)   structure or array of T in user memory: struct user_T
 *   in_bytes(n) out_bytes(n) inout_bytes(n)  untyped user memory
 */
#pragma once

#include <uapi/user_types.h>

#define ARG_TYPE_fd(n)          int n
#define ARG_TYPE_dirfd(n)       int n
#define ARG_TYPE_pid(n)         int n
#define ARG_TYPE_uid(n)         u32 n
#define ARG_TYPE_gid(n)         u32 n
#define ARG_TYPE_sig(n)         int n
#define ARG_TYPE_path(n)        struct user_str n
#define ARG_TYPE_str(n)         struct user_str n
#define ARG_TYPE_size(n)        u64 n
#define ARG_TYPE_off(n)         loff_t n
#define ARG_TYPE_flags(set, n)  u32 n
#define ARG_TYPE_value(set, n)  u32 n
#define ARG_TYPE_lflags(set, n) u64 n
#define ARG_TYPE_mode(n)        u32 n
#define ARG_TYPE_i32(n)         int n
#define ARG_TYPE_u32(n)         u32 n
#define ARG_TYPE_i64(n)         s64 n
#define ARG_TYPE_u64(n)         u64 n
#define ARG_TYPE_addr(n)        u64 n
#define ARG_TYPE_in(T, n)       struct user_##T n
#define ARG_TYPE_out(T, n)      struct user_##T n
#define ARG_TYPE_inout(T, n)    struct user_##T n
#define ARG_TYPE_in_bytes(n)    struct user_bytes n
#define ARG_TYPE_out_bytes(n)   struct user_bytes n
#define ARG_TYPE_inout_bytes(n) struct user_bytes n

/* ARGS_MAP(F, a, b, c) is F##a, F##b, F##c; with no arguments, `empty`. */
#define ARGS_0(F)
#define ARGS_1(F, a) F##a
#define ARGS_2(F, a, b) F##a, F##b
#define ARGS_3(F, a, b, c) F##a, F##b, F##c
#define ARGS_4(F, a, b, c, d) F##a, F##b, F##c, F##d
#define ARGS_5(F, a, b, c, d, e) F##a, F##b, F##c, F##d, F##e
#define ARGS_6(F, a, b, c, d, e, f) F##a, F##b, F##c, F##d, F##e, F##f
