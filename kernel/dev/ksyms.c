/* The kernel's own symbol table, appended by the second link (tools/ksyms.awk). Immutable. */
#include <dev/log.h>
#include <lib/types.h>

extern const u64 ksyms_count;
extern const u32 ksyms_pairs[][2]; /* offset from _text, offset in ksyms_names; ascending */
extern const char ksyms_names[];
extern const char _text[], _etext[], __init_text_start[], __init_text_end[];

static bool is_code(uptr a)
{
	return (a >= (uptr)_text && a < (uptr)_etext) ||
	       (a >= (uptr)__init_text_start && a < (uptr)__init_text_end);
}

bool ksyms_lookup(uptr addr, const char **name, u32 *offset)
{
	u32 want = (u32)(addr - (uptr)_text);
	u64 lo = 0, hi = ksyms_count;

	if (!is_code(addr) || hi == 0)
		return false;
	while (hi - lo > 1) {
		u64 mid = lo + (hi - lo) / 2;

		if (ksyms_pairs[mid][0] <= want)
			lo = mid;
		else
			hi = mid;
	}
	*name = ksyms_names + ksyms_pairs[lo][1];
	*offset = want - ksyms_pairs[lo][0];
	return true;
}
