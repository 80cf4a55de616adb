/*
 * Writes alternatives into the kernel's code, once, before other CPUs run. Code has no writable
 * mapping, so write protection is off for a moment; nothing that runs meanwhile is written, but for
 * single instructions that replace each other as a whole.
 *
 * Tables tell the places: .alternatives, which the sources make (x86/alternatives.h), and two that the
 * link makes (tools/sites.awk): branch_sites, each CALL or JMP to one of the thunks which the compiler emits in
 * place of indirect branches, and return_sites, each JMP in place of a return. Where no thunk is needed the
 * site becomes the branch or the return itself, in the same five bytes.
 */
#include <lib/log.h>
#include <lib/string.h>
#include <x86/alternatives.h>
#include <x86/image.h>
#include <x86/msr.h>
#include <x86/thunks.h>

struct alternative {
	s32 site, with; /* relative to themselves */
	u8 site_len, with_len;
	u16 when;
} __packed;

extern const struct alternative __alternatives_start[], __alternatives_end[];

/* By the second link: distances from site to site, the first from _text; one of all ones is a step that no site follows. */
extern const u32 branch_sites_count, return_sites_count;
extern const u16 branch_sites[];
extern const u8 return_sites[];

u32 alternatives_chosen __ro_after_init;

#define CALL_REL32 0xe8
#define JMP_REL32  0xe9
#define BRANCH_LEN 5

/* Long ones first: few no-operations, few instructions. */
static void fill_nops(u8 *at, size_t n)
{
	static const u8 nop[9] = {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00};
	static const u8 shorter[5][4] = {{0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0x00}, {0x0f, 0x1f, 0x40, 0x00}};

	for (; n >= 9; n -= 9, at += 9)
		memcpy(at, nop, 9);
	if (n >= 5) {
		memcpy(at, shorter[3], 4);
		at += 4;
		n -= 4;
	}
	if (n)
		memcpy(at, shorter[n - 1], n);
}

static void alternative_write(const struct alternative *a)
{
	u8 *site = (u8 *)((uptr)&a->site + a->site);
	const u8 *with = (const u8 *)((uptr)&a->with + a->with);

	BUG_ON(a->with_len > a->site_len || a->when >= NR_ALTERNATIVES);
	memcpy(site, with, a->with_len);
	if (a->with_len == BRANCH_LEN && (with[0] == CALL_REL32 || with[0] == JMP_REL32)) {
		s32 distance;

		memcpy(&distance, with + 1, sizeof(distance));
		distance += (s32)(with - site);
		memcpy(site + 1, &distance, sizeof(distance));
	}
	fill_nops(site + a->with_len, a->site_len - a->with_len);
}

/* CALL or JMP through the register, with prefixes that do nothing instead of an instruction more. */
static void branch_write_plain(u8 *site)
{
	s32 distance;
	u32 reg;
	u8 code[BRANCH_LEN] = {0x2e, 0x2e, 0x2e, 0xff, 0};

	memcpy(&distance, site + 1, sizeof(distance));
	reg = (u32)((uptr)site + BRANCH_LEN + (uptr)(s64)distance - (uptr)branch_thunks) / THUNK_SIZE;
	BUG_ON((site[0] != CALL_REL32 && site[0] != JMP_REL32) || reg > 15);
	if (reg >= 8)
		code[2] = 0x41;
	code[4] = (u8)((site[0] == CALL_REL32 ? 0xd0 : 0xe0) + (reg & 7));
	memcpy(site, code, sizeof(code));
}

/* JMP through the register, behind an LFENCE or not. It stays in the upper half of its line. */
static void thunk_write(u32 reg, enum branch_mode mode)
{
	u8 *at = (u8 *)branch_thunks + reg * THUNK_SIZE;

	if (mode == BRANCH_LFENCE) {
		memcpy(at, "\x0f\xae\xe8", 3);
		at += 3;
	}
	if (reg >= 8)
		*at++ = 0x41;
	*at++ = 0xff;
	*at++ = (u8)(0xe0 + (reg & 7));
	*at = 0xcc;
}

static void branches_write(enum branch_mode mode)
{
	const u16 *step = branch_sites;
	u8 *site = (u8 *)_text;

	for (u32 n = 0; mode == BRANCH_PLAIN && n < branch_sites_count; step++) {
		site += *step;
		if (*step == U16_MAX)
			continue;
		branch_write_plain(site);
		n++;
	}
	for (u32 reg = 0; mode != BRANCH_RETPOLINE && reg < 16; reg++)
		thunk_write(reg, mode);
}

/* JMP to the thunk becomes JMP to another one, or RET. */
static void return_write(u8 *site, const char *thunk)
{
	u32 rest = 0xcccccccc;

	BUG_ON(site[0] != JMP_REL32);
	if (thunk)
		rest = (u32)((uptr)thunk - (uptr)(site + BRANCH_LEN));
	else
		site[0] = 0xc3;
	__builtin_memcpy(site + 1, &rest, sizeof(rest));
}

static void returns_write(enum return_mode mode)
{
	const char *const thunks[] = {[RETURN_UNTRAINED] = return_untrained, [RETURN_SAFE] = return_safe,
				      [RETURN_ALIAS] = return_alias};
	const char *thunk = thunks[mode]; /* NULL: RETURN_PLAIN */
	const u8 *step = return_sites;
	u8 *site = (u8 *)_text;

	for (u32 n = 0; mode != RETURN_ALIGNED && n < return_sites_count; step++) {
		site += *step;
		if (*step == U8_MAX)
			continue;
		return_write(site, thunk);
		n++;
	}
}

/* Later instructions are fetched anew. */
static void serialize(void)
{
	write_cr3(read_cr3());
}

void alternatives_apply(u32 chosen, enum branch_mode branches, enum return_mode returns)
{
	write_cr0(read_cr0() & ~(u64)CR0_WP);
	for (const struct alternative *a = __alternatives_start; a < __alternatives_end; a++)
		if (chosen >> a->when & 1)
			alternative_write(a);
	branches_write(branches);
	returns_write(returns);
	write_cr0(read_cr0() | CR0_WP);
	serialize();
	alternatives_chosen = chosen;
}
