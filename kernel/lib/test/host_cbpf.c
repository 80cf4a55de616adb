/* Classic BPF: which programs are refused, what each instruction does. links: lib/cbpf.c */
#include "host.h"
#include <lib/errno.h>
#include "cbpf_ref.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define RET(k) BPF_STMT(BPF_RET | BPF_K, k)

static int check(const struct sock_filter *prog, u32 len)
{
	u16 scratch[BPF_MAXINSNS + 1];

	return cbpf_check(prog, len, REF_WORDS, scratch);
}

#define CHECKED(...)                                                                               \
	({                                                                                         \
		const struct sock_filter p_[] = {__VA_ARGS__};                                     \
		check(p_, LEN(p_));                                                                \
	})
#define GOOD(...) assert_int_equal(CHECKED(__VA_ARGS__), 0)
#define BAD(...)  assert_int_equal(CHECKED(__VA_ARGS__), -EINVAL)

static void codes(void **state)
{
	static const u16 good[] = {
		0x06, 0x16, 0x20, 0x80, 0x00, 0x81, 0x01, 0x02, 0x03, 0x07, 0x87, 0x04, 0x0c, 0x14, 0x1c,
		0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0xa4, 0xac,
		0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x60, 0x61,
	};

	for (u32 code = 0; code <= U16_MAX; code++) {
		/* The slot is written first; 4 is good as an offset, a slot, a divisor, a shift. */
		struct sock_filter p[] = {BPF_STMT(BPF_ST, 4), {(u16)code, 0, 0, 4}, RET(0), RET(0),
					  RET(0), RET(0), RET(0)};
		bool want = false;

		for (size_t i = 0; i < LEN(good); i++)
			want |= good[i] == code;
		assert_int_equal(check(p, LEN(p)), want ? 0 : -EINVAL);
	}
}

static void bounds(void **state)
{
	static struct sock_filter many[BPF_MAXINSNS + 1];

	assert_int_equal(check(many, 0), -EINVAL);
	for (size_t i = 0; i < LEN(many); i++)
		many[i] = (struct sock_filter)RET(0);
	assert_int_equal(check(many, BPF_MAXINSNS), 0);
	assert_int_equal(check(many, BPF_MAXINSNS + 1), -EINVAL);
	GOOD(BPF_STMT(0x20, 60), RET(0));
	BAD(BPF_STMT(0x20, 64), RET(0));
	BAD(BPF_STMT(0x20, 61), RET(0));
	BAD(BPF_STMT(0x20, 2), RET(0));
	BAD(BPF_STMT(0x20, 0xfffffffc), RET(0));
	BAD(BPF_STMT(0x20, 0xfffff000), RET(0)); /* what packet filters call ancillary data */
	BAD(BPF_STMT(0x28, 0), RET(0));
	BAD(BPF_STMT(0x30, 0), RET(0));
	BAD(BPF_STMT(0x40, 0), RET(0));
	BAD(BPF_STMT(0x34, 0), RET(0));
	BAD(BPF_STMT(0x64, 32), RET(0));
	GOOD(BPF_STMT(0x64, 31), RET(0));
	BAD(BPF_STMT(0x74, 32), RET(0));
	BAD(BPF_STMT(0x02, 16), RET(0));
	GOOD(BPF_STMT(0x02, 15), RET(0));
	BAD(BPF_STMT(0x20, 0)); /* no RET */
	BAD(RET(0), BPF_STMT(0x00, 0));
}

static void jumps(void **state)
{
	GOOD(BPF_JUMP(0x15, 0, 1, 0), RET(0), RET(1));
	BAD(BPF_JUMP(0x15, 0, 2, 0), RET(0), RET(1));
	BAD(BPF_JUMP(0x15, 0, 0, 2), RET(0), RET(1));
	GOOD(BPF_STMT(0x05, 1), RET(0), RET(1));
	BAD(BPF_STMT(0x05, 2), RET(0), RET(1));
	BAD(BPF_STMT(0x05, 0xffffffff), RET(0), RET(1)); /* backwards */
	BAD(BPF_STMT(0x05, 0xfffffffe), RET(0), RET(1));
}

static void slots(void **state)
{
	BAD(BPF_STMT(0x60, 0), RET(0));
	BAD(BPF_STMT(0x61, 3), RET(0));
	GOOD(BPF_STMT(0x02, 3), BPF_STMT(0x61, 3), RET(0));
	BAD(BPF_STMT(0x03, 3), BPF_STMT(0x60, 2), RET(0));
	/* Written on one way only. */
	BAD(BPF_JUMP(0x15, 0, 1, 0), BPF_STMT(0x02, 0), BPF_STMT(0x60, 0), RET(0));
	GOOD(BPF_JUMP(0x15, 0, 2, 0), BPF_STMT(0x02, 0), BPF_STMT(0x60, 0), RET(0));
	/* On both. */
	GOOD(BPF_JUMP(0x15, 0, 0, 2), BPF_STMT(0x02, 0), BPF_STMT(0x05, 1), BPF_STMT(0x02, 0),
	     BPF_STMT(0x60, 0), RET(0));
	BAD(BPF_STMT(0x05, 1), BPF_STMT(0x02, 0), BPF_STMT(0x60, 0), RET(0));
}

/* Every operation on values where the cases differ, against the plain interpreter. */
static void arithmetic(void **state)
{
	static const u32 values[] = {0, 1, 2, 31, 32, 33, 0x7fffffff, 0x80000000, 0xffffffff, 12345};
	u32 data[REF_WORDS] = {0};

	for (u32 op = 0; op <= 0xa0; op += 0x10)
		for (size_t i = 0; i < LEN(values) * LEN(values); i++) {
			u32 a = values[i % LEN(values)], b = values[i / LEN(values)];
			struct sock_filter k[] = {BPF_STMT(0x20, 8), {(u16)(0x04 | op), 0, 0, b},
						  BPF_STMT(0x16, 0)};
			struct sock_filter x[] = {BPF_STMT(0x20, 12), BPF_STMT(0x07, 0),
						  BPF_STMT(0x20, 8), {(u16)(0x0c | op), 0, 0, 0},
						  BPF_STMT(0x16, 0)};
			data[2] = a;
			data[3] = b;
			if (!check(k, LEN(k)))
				ref_compare(k, LEN(k), data);
			if (!check(x, LEN(x)))
				ref_compare(x, LEN(x), data);
		}
}

/* The shape that libseccomp makes: number compared first, an argument for one of them. */
static void specialised(void **state)
{
	static const struct sock_filter prog[] = {
		BPF_STMT(0x20, 4), BPF_JUMP(0x15, 62, 0, 7), BPF_STMT(0x20, 0),
		BPF_JUMP(0x15, 39, 4, 0), BPF_JUMP(0x15, 41, 0, 4),
		BPF_STMT(0x20, 16), BPF_JUMP(0x15, 2, 1, 0), BPF_STMT(0x05, 1), RET(7), RET(1),
	};
	u32 data[REF_WORDS] = {39, 62}, out;
	struct cbpf_op p[LEN(prog)];

	assert_int_equal(check(prog, LEN(prog)), 0);
	cbpf_decode(p, prog, LEN(prog), REF_WORDS);
	assert_true(cbpf_specialise(p, data, 3, &out));
	assert_int_equal(out, 7);
	data[0] = 40;
	assert_true(cbpf_specialise(p, data, 3, &out));
	assert_int_equal(out, 1);
	data[0] = 41;
	assert_false(cbpf_specialise(p, data, 3, &out));
	assert_int_equal(out, 5);
	data[4] = 2;
	assert_int_equal(cbpf_run(p, out, data), 7);
	data[4] = 3;
	assert_int_equal(cbpf_run(p, out, data), 1);
	data[1] = 63;
	assert_true(cbpf_specialise(p, data, 3, &out));
	assert_int_equal(out, 1);
}

/* A value that X carries over the load: the run must begin at the start. */
static void specialised_not_clean(void **state)
{
	static const struct sock_filter prog[] = {
		BPF_STMT(0x20, 0), BPF_STMT(0x07, 0), BPF_STMT(0x20, 16), BPF_STMT(0x0c, 0),
		BPF_STMT(0x16, 0),
	};
	u32 data[REF_WORDS] = {5, 62, 0, 0, 8}, out;
	struct cbpf_op p[LEN(prog)];

	cbpf_decode(p, prog, LEN(prog), REF_WORDS);
	assert_false(cbpf_specialise(p, data, 3, &out));
	assert_int_equal(out, 0);
	ref_compare(prog, LEN(prog), data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes),
		cmocka_unit_test(bounds),
		cmocka_unit_test(jumps),
		cmocka_unit_test(slots),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(specialised),
		cmocka_unit_test(specialised_not_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
