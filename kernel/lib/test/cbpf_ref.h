/*
 * A second, plain interpreter of classic BPF for the tests: straight from the instructions as user
 * space writes them, byte by byte, with every access asserted. And programs out of arbitrary bytes.
 */
#pragma once

#include <lib/cbpf.h>
#include <stdlib.h>
#include <string.h>

#define REF_WORDS 16

static inline void ref_require(bool ok)
{
	if (!ok)
		abort();
}

static inline u32 ref_alu(u16 op, u32 a, u32 b, bool *zero)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: *zero = !b; return b ? a / b : 0;
	case BPF_AND: return a & b;
	case BPF_OR: return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return a << (b & 31);
	case BPF_RSH: return a >> (b & 31);
	case BPF_NEG: return -a;
	default: abort();
	}
}

static inline bool ref_cond(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JSET: return a & b;
	default: abort();
	}
}

/* *touched: the words of data that were read. */
static inline u32 ref_run(const struct sock_filter *prog, u32 len, const unsigned char *data, u64 *touched)
{
	u32 a = 0, x = 0, slot[16], written = 0, word;
	bool zero = false;

	*touched = 0;
	for (u32 pc = 0;; pc++) {
		ref_require(pc < len);
		const struct sock_filter *f = &prog[pc];
		u32 b = BPF_SRC(f->code) == BPF_X ? x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? a : f->k;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(f->code) == BPF_ABS) {
				ref_require(f->k % 4 == 0 && f->k + 4 <= REF_WORDS * 4);
				*touched |= 1ULL << (f->k / 4);
				memcpy(&word, data + f->k, 4);
			} else if (BPF_MODE(f->code) == BPF_MEM) {
				ref_require(f->k < 16 && (written >> f->k & 1));
				word = slot[f->k];
			} else {
				word = BPF_MODE(f->code) == BPF_LEN ? REF_WORDS * 4 : f->k;
			}
			if (BPF_CLASS(f->code) == BPF_LD)
				a = word;
			else
				x = word;
			break;
		case BPF_ST:
		case BPF_STX:
			ref_require(f->k < 16);
			slot[f->k] = BPF_CLASS(f->code) == BPF_ST ? a : x;
			written |= 1U << f->k;
			break;
		case BPF_MISC:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		case BPF_ALU:
			a = ref_alu(BPF_OP(f->code), a, b, &zero);
			if (zero)
				return 0;
			break;
		default:
			if (BPF_OP(f->code) == BPF_JA)
				pc += f->k;
			else
				pc += ref_cond(BPF_OP(f->code), a, b) ? f->jt : f->jf;
		}
	}
}

/* Everything that must agree about a checked program and some data. */
static inline void ref_compare(const struct sock_filter *prog, u32 len, const u32 data[REF_WORDS])
{
	struct cbpf_op *p = malloc(len * sizeof(*p));
	u64 touched;
	u32 want = ref_run(prog, len, (const unsigned char *)data, &touched), got;

	cbpf_decode(p, prog, len, REF_WORDS);
	ref_require(cbpf_run(p, 0, data) == want);
	for (u64 known = 0; known < 4; known++) {
		u32 part[REF_WORDS];

		for (u32 i = 0; i < REF_WORDS; i++)
			part[i] = known >> i & 1 ? data[i] : ~data[i];
		if (cbpf_specialise(p, part, known, &got)) {
			ref_require(got == want && !(touched & ~known));
		} else {
			ref_require(got < len && cbpf_run(p, got, data) == want && (touched & ~known));
		}
	}
	free(p);
}
