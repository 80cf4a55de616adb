/* Returns and indirect branches of the running kernel: all are of the kind that was chosen at boot. */
#include <lib/ktest.h>
#include <lib/string.h>
#include <x86/alternatives.h>
#include <x86/image.h>
#include <x86/thunks.h>

extern const u32 return_sites_count;
extern const u8 return_sites[];

/* Where the jump at site goes; NULL: it is no jump. */
static const char *jump_target(const u8 *site)
{
	s32 distance;

	memcpy(&distance, site + 1, sizeof(distance));
	return site[0] == 0xe9 ? (const char *)site + 5 + distance : NULL;
}

static bool as_chosen(const u8 *site)
{
	const char *to = jump_target(site);

	if (alternative(ALT_UNTRAIN))
		return to == return_untrained;
	if (alternative(ALT_UNTRAIN_SAFE))
		return to == return_safe;
	if (alternative(ALT_UNTRAIN_ALIAS))
		return to == return_alias;
	/* Plain ones, or all in the thunk. */
	return to ? to == __x86_return_thunk : !memcmp(site, "\xc3\xcc\xcc\xcc\xcc", 5);
}

KTEST(returns_are_what_was_chosen)
{
	const u8 *step = return_sites, *site = (const u8 *)_text, *first = NULL;
	u32 wrong = 0, mixed = 0;

	for (u32 n = 0; n < return_sites_count; step++) {
		site += *step;
		if (*step == U8_MAX)
			continue;
		first = first ?: site;
		wrong += !as_chosen(site);
		mixed += site[0] != first[0];
		n++;
	}
	EXPECT(return_sites_count > 10 && wrong == 0 && mixed == 0);
	EXPECT(site < (const u8 *)__init_text_end);
}

/* A chain of calls and returns deeper than any return stack comes back with everything. */
static __noinline u64 deep(u64 n)
{
	return n ? deep(n - 1) * 3 + n : 1;
}

KTEST(deep_returns_come_back)
{
	u64 expected = 1;

	for (u64 n = 1; n <= 60; n++)
		expected = expected * 3 + n;
	EXPECT(deep(60) == expected);
}
