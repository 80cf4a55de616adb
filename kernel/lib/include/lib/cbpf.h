/*
 * Classic BPF as seccomp(2) has it: programs over a few 32-bit words of data. Programs come from
 * user space: cbpf_check decides first, everything else takes checked ones. Pure code, any context.
 */
#pragma once

#include <lib/types.h>
#include <linux/filter.h>

/* One instruction, decoded: jt and jf of conditional jumps, k of everything else. */
struct cbpf_op {
	u8 op; /* enum of cbpf.c */
	u8 jt, jf;
	u8 unused;
	u32 k;
};

/*
 * 0 when the program may run over nr_words words of data: Linux's rules for filters of system calls
 * (known codes, forward jumps, loads inside the data, no slot read before it was written, RET at the
 * end). Otherwise -EINVAL. scratch has len entries.
 */
int cbpf_check(const struct sock_filter *prog, u32 len, u32 nr_words, u16 *scratch) __must_check;

/* Decodes a checked program into out[len]. */
void cbpf_decode(struct cbpf_op *out, const struct sock_filter *prog, u32 len, u32 nr_words);

/* Runs from instruction `start`, 0 or what cbpf_specialise has found for these data. */
u32 cbpf_run(const struct cbpf_op *p, u32 start, const u32 *data);

/*
 * What is known of the result when only the words of the bitmap `known` are. True: it depends on
 * nothing else, *out is the result. False: *out is the instruction from which a run with such data
 * may start.
 */
bool cbpf_specialise(const struct cbpf_op *p, const u32 *data, u64 known, u32 *out);
