/*
 * The kernel's own symbol table, appended by the second link and immutable. tools/ksyms.c makes it and says
 * how it is coded. Looking a function up reads at most one block and takes neither locks nor memory, so a
 * panic may do it.
 */
#include <dev/log.h>
#include <lib/log.h>
#include <lib/types.h>

#define SHORT 224 /* as in tools/ksyms.c */
#define LONG  255
#define BLOCK 64

extern const u32 ksyms_count;
extern const u32 ksyms_marks[][2]; /* of each block: first address from _text, offset in the stream */
extern const u8 ksyms_pairs[256][2];
extern const u8 ksyms_stream[];
extern const char _text[], _etext[], __init_text_start[], __init_text_end[];

static bool is_code(uptr a)
{
	return (a >= (uptr)_text && a < (uptr)_etext) ||
	       (a >= (uptr)__init_text_start && a < (uptr)__init_text_end);
}

/* The last block that begins at or before want. */
static u32 block_of(u32 want)
{
	u32 lo = 0, hi = (ksyms_count + BLOCK - 1) / BLOCK;

	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (ksyms_marks[mid][0] <= want)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static u32 take_distance(const u8 **at)
{
	u32 first = *(*at)++;

	if (first < SHORT)
		return first;
	if (first < LONG)
		return (first - SHORT) << 8 | *(*at)++;
	*at += 3;
	return (*at)[-3] | (u32)(*at)[-2] << 8 | (u32)(*at)[-1] << 16;
}

/* A code's second half waits on a stack while its first half is expanded. */
static void spell(const u8 *at, char name[KSYM_NAME_LEN])
{
	u8 waiting[KSYM_NAME_LEN];
	u32 n = 0, depth = 0;

	for (; *at; at++) {
		u8 code = *at;

		for (;;) {
			if (ksyms_pairs[code][1]) {
				BUG_ON(depth == sizeof(waiting));
				waiting[depth++] = ksyms_pairs[code][1];
				code = ksyms_pairs[code][0];
				continue;
			}
			if (n < KSYM_NAME_LEN - 1)
				name[n++] = (char)code;
			if (!depth)
				break;
			code = waiting[--depth];
		}
	}
	name[n] = '\0';
}

bool ksyms_lookup(uptr addr, char name[KSYM_NAME_LEN], u32 *offset)
{
	u32 want = (u32)(addr - (uptr)_text), block, at_addr;
	const u8 *at, *found = NULL;

	if (!is_code(addr) || !ksyms_count)
		return false;
	block = block_of(want);
	at = ksyms_stream + ksyms_marks[block][1];
	at_addr = ksyms_marks[block][0];
	for (u32 i = block * BLOCK; i < ksyms_count && i < (block + 1) * BLOCK; i++) {
		u32 next = at_addr + take_distance(&at);

		if (next > want)
			break;
		at_addr = next;
		found = at;
		while (*at++)
			;
	}
	if (!found)
		return false;
	spell(found, name);
	*offset = want - at_addr;
	return true;
}
