/*
 * Classic BPF for filters of system calls. A program is checked once with Linux's rules, decoded once
 * into a dense form without cases to tell apart, and then run many times. Jumps lead forward only, so
 * a run ends after at most as many steps as there are instructions.
 *
 * Most of a real filter compares the call's number: cbpf_specialise runs that part ahead of time, for
 * one number, up to the first load of a word that is not known yet.
 */
#include <lib/bits.h>
#include <lib/cbpf.h>
#include <lib/errno.h>

#define NR_SLOTS BPF_MEMWORDS

/* _K and _X of an operation are neighbours, in this order. */
enum op {
	OP_BAD,
	OP_RET_K, OP_RET_A,
	OP_LD_DATA, OP_LD_LEN, OP_LD_IMM, OP_LD_MEM, OP_LDX_LEN, OP_LDX_IMM, OP_LDX_MEM,
	OP_ST, OP_STX, OP_TAX, OP_TXA,
	OP_ADD_K, OP_ADD_X, OP_SUB_K, OP_SUB_X, OP_MUL_K, OP_MUL_X, OP_DIV_K, OP_DIV_X,
	OP_AND_K, OP_AND_X, OP_OR_K, OP_OR_X, OP_XOR_K, OP_XOR_X,
	OP_LSH_K, OP_LSH_X, OP_RSH_K, OP_RSH_X, OP_NEG,
	OP_JA, OP_JEQ_K, OP_JEQ_X, OP_JGT_K, OP_JGT_X, OP_JGE_K, OP_JGE_X, OP_JSET_K, OP_JSET_X,
};

static enum op op_of(u16 code)
{
#define BOTH(class, name)                                                                          \
	case BPF_##class | BPF_##name | BPF_K: return OP_##name##_K;                               \
	case BPF_##class | BPF_##name | BPF_X: return OP_##name##_X
	switch (code) {
	case BPF_RET | BPF_K: return OP_RET_K;
	case BPF_RET | BPF_A: return OP_RET_A;
	case BPF_LD | BPF_W | BPF_ABS: return OP_LD_DATA;
	case BPF_LD | BPF_W | BPF_LEN: return OP_LD_LEN;
	case BPF_LD | BPF_IMM: return OP_LD_IMM;
	case BPF_LD | BPF_MEM: return OP_LD_MEM;
	case BPF_LDX | BPF_W | BPF_LEN: return OP_LDX_LEN;
	case BPF_LDX | BPF_IMM: return OP_LDX_IMM;
	case BPF_LDX | BPF_MEM: return OP_LDX_MEM;
	case BPF_ST: return OP_ST;
	case BPF_STX: return OP_STX;
	case BPF_MISC | BPF_TAX: return OP_TAX;
	case BPF_MISC | BPF_TXA: return OP_TXA;
	BOTH(ALU, ADD);
	BOTH(ALU, SUB);
	BOTH(ALU, MUL);
	BOTH(ALU, DIV);
	BOTH(ALU, AND);
	BOTH(ALU, OR);
	BOTH(ALU, XOR);
	BOTH(ALU, LSH);
	BOTH(ALU, RSH);
	case BPF_ALU | BPF_NEG: return OP_NEG;
	case BPF_JMP | BPF_JA: return OP_JA;
	BOTH(JMP, JEQ);
	BOTH(JMP, JGT);
	BOTH(JMP, JGE);
	BOTH(JMP, JSET);
	default: return OP_BAD;
	}
#undef BOTH
}

/* One instruction by itself; `behind` is how many follow it. */
static bool op_valid(enum op op, const struct sock_filter *f, u32 behind, u32 nr_words)
{
	switch (op) {
	case OP_BAD:
		return false;
	case OP_LD_DATA:
		return !(f->k & 3) && f->k / 4 < nr_words;
	case OP_LD_MEM:
	case OP_LDX_MEM:
	case OP_ST:
	case OP_STX:
		return f->k < NR_SLOTS;
	case OP_DIV_K:
		return f->k;
	case OP_LSH_K:
	case OP_RSH_K:
		return f->k < 32;
	case OP_JA:
		return f->k < behind;
	default:
		return op < OP_JEQ_K || (f->jt < behind && f->jf < behind);
	}
}

/* What a jump to `to` knows to be written meets what is known there already. */
static void meet(u16 *written, u32 to, u16 mask)
{
	written[to] &= mask;
}

/*
 * Whether each slot is written before it is read, on every way: one pass suffices, as no way leads
 * back. written[pc] is what all jumps to pc agree on; behind RET and JA nothing falls through.
 */
static bool slots_valid(const struct sock_filter *prog, u32 len, u16 *written)
{
	u16 mask = 0;

	for (u32 pc = 0; pc < len; pc++)
		written[pc] = U16_MAX;
	for (u32 pc = 0; pc < len; pc++) {
		const struct sock_filter *f = &prog[pc];
		enum op op = op_of(f->code);

		mask &= written[pc];
		if (op == OP_ST || op == OP_STX) {
			mask |= (u16)BIT(f->k);
		} else if ((op == OP_LD_MEM || op == OP_LDX_MEM) && !(mask & BIT(f->k))) {
			return false;
		} else if (op == OP_JA) {
			meet(written, pc + 1 + f->k, mask);
			mask = U16_MAX;
		} else if (op >= OP_JEQ_K) {
			meet(written, pc + 1 + f->jt, mask);
			meet(written, pc + 1 + f->jf, mask);
			mask = U16_MAX;
		}
	}
	return true;
}

int cbpf_check(const struct sock_filter *prog, u32 len, u32 nr_words, u16 *scratch)
{
	enum op last;

	if (!len || len > BPF_MAXINSNS)
		return -EINVAL;
	for (u32 pc = 0; pc < len; pc++)
		if (!op_valid(op_of(prog[pc].code), &prog[pc], len - 1 - pc, nr_words))
			return -EINVAL;
	last = op_of(prog[len - 1].code);
	if (last != OP_RET_K && last != OP_RET_A)
		return -EINVAL;
	return slots_valid(prog, len, scratch) ? 0 : -EINVAL;
}

void cbpf_decode(struct cbpf_op *out, const struct sock_filter *prog, u32 len, u32 nr_words)
{
	for (u32 pc = 0; pc < len; pc++) {
		const struct sock_filter *f = &prog[pc];
		struct cbpf_op o = {.op = (u8)op_of(f->code), .jt = f->jt, .jf = f->jf, .k = f->k};

		if (o.op == OP_LD_DATA) {
			o.k = f->k / 4;
		} else if (o.op == OP_LD_LEN || o.op == OP_LDX_LEN) {
			o.op = o.op == OP_LD_LEN ? OP_LD_IMM : OP_LDX_IMM;
			o.k = nr_words * 4;
		}
		out[pc] = o;
	}
}

/* Registers of a run. A slot is read only after it was written, which the check has made sure of. */
struct machine {
	u32 a, x;
	u32 slot[NR_SLOTS];
};

/*
 * The one interpreter. It stops at RET (true, *result) or before a load of a word that is not in
 * `known` (false, *result is the instruction). clean: has not touched x or a slot so far, so that
 * a run may begin at the load, which replaces a.
 */
static __always_inline bool run(const struct cbpf_op *p, u32 pc, const u32 *data, u64 known,
				u32 *result, bool *clean)
{
	struct machine m __uninit;
	bool taken;

	m.a = m.x = 0;
	for (;; pc++) {
		const struct cbpf_op o = p[pc];

		/* What nearly all of a filter is; the others are a tree of comparisons, without jump tables. */
		if (likely(o.op == OP_JEQ_K)) {
			pc += m.a == o.k ? o.jt : o.jf;
			continue;
		}
		if (likely(o.op == OP_LD_DATA)) {
			if (known != U64_MAX && !(known & BIT(o.k))) {
				*result = pc;
				return false;
			}
			m.a = data[o.k];
			continue;
		}
		if (likely(o.op == OP_RET_K)) {
			*result = o.k;
			return true;
		}
		switch (o.op) {
		case OP_RET_A: *result = m.a; return true;
		case OP_LD_IMM: m.a = o.k; continue;
		case OP_LD_MEM: m.a = m.slot[o.k]; continue;
		case OP_LDX_IMM: m.x = o.k; *clean = false; continue;
		case OP_LDX_MEM: m.x = m.slot[o.k]; *clean = false; continue;
		case OP_ST: m.slot[o.k] = m.a; *clean = false; continue;
		case OP_STX: m.slot[o.k] = m.x; *clean = false; continue;
		case OP_TAX: m.x = m.a; *clean = false; continue;
		case OP_TXA: m.a = m.x; continue;
		case OP_ADD_K: m.a += o.k; continue;
		case OP_ADD_X: m.a += m.x; continue;
		case OP_SUB_K: m.a -= o.k; continue;
		case OP_SUB_X: m.a -= m.x; continue;
		case OP_MUL_K: m.a *= o.k; continue;
		case OP_MUL_X: m.a *= m.x; continue;
		case OP_DIV_K: m.a /= o.k; continue;
		case OP_DIV_X:
			if (!m.x) {
				*result = 0;
				return true;
			}
			m.a /= m.x;
			continue;
		case OP_AND_K: m.a &= o.k; continue;
		case OP_AND_X: m.a &= m.x; continue;
		case OP_OR_K: m.a |= o.k; continue;
		case OP_OR_X: m.a |= m.x; continue;
		case OP_XOR_K: m.a ^= o.k; continue;
		case OP_XOR_X: m.a ^= m.x; continue;
		case OP_LSH_K: m.a <<= o.k; continue;
		case OP_LSH_X: m.a <<= m.x & 31; continue;
		case OP_RSH_K: m.a >>= o.k; continue;
		case OP_RSH_X: m.a >>= m.x & 31; continue;
		case OP_NEG: m.a = -m.a; continue;
		case OP_JA: pc += o.k; continue;
		case OP_JEQ_X: taken = m.a == m.x; break;
		case OP_JGT_K: taken = m.a > o.k; break;
		case OP_JGT_X: taken = m.a > m.x; break;
		case OP_JGE_K: taken = m.a >= o.k; break;
		case OP_JGE_X: taken = m.a >= m.x; break;
		case OP_JSET_K: taken = m.a & o.k; break;
		case OP_JSET_X: taken = m.a & m.x; break;
		default: /* no checked program has it */
			*result = 0;
			return true;
		}
		pc += taken ? o.jt : o.jf;
	}
}

u32 cbpf_run(const struct cbpf_op *p, u32 start, const u32 *data)
{
	bool clean = true;
	u32 result;

	(void)run(p, start, data, U64_MAX, &result, &clean);
	return result;
}

bool cbpf_specialise(const struct cbpf_op *p, const u32 *data, u64 known, u32 *out)
{
	bool clean = true;

	if (run(p, 0, data, known, out, &clean))
		return true;
	if (!clean)
		*out = 0;
	return false;
}
