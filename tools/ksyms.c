/*
 * nm -n output -> assembly of the kernel's own symbol table, for back traces (kernel/dev/ksyms.c reads it).
 *
 * The functions in the order of their addresses, each as
 *   - the distance from the function before: one byte below KSYMS_SHORT; else two, the first of which
 *     is KSYMS_SHORT plus the upper bits; or KSYMS_LONG and three bytes, lowest first;
 *   - the name, in codes, and a 0.
 * A code is a character, or stands for two codes: over and over, the pair that comes most often gets a code that
 * no name uses. Each KSYMS_BLOCK functions there is a mark, where reading may begin: the address of its first
 * function, whose distance is 0, and its place in the stream.
 * The table is decoded again before it is written: what would not give back nm's output is an error.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KSYMS_SHORT 224
#define KSYMS_LONG  255
#define KSYMS_BLOCK 64
#define KSYMS_NAME  64 /* with the 0 */

#define MAX_SYMS  20000
#define MAX_CODES (MAX_SYMS * KSYMS_NAME)

struct sym {
	unsigned long long addr;
	char name[KSYMS_NAME];
};

static struct sym syms[MAX_SYMS];
static int nr_syms;
static unsigned long long base;

static unsigned char codes[MAX_CODES]; /* all names, each with its 0 */
static size_t nr_codes;
static unsigned char pairs[256][2]; /* what a code stands for; {c, 0}: the character */

static unsigned char stream[MAX_CODES + 4 * MAX_SYMS];
static size_t stream_len;
static unsigned int marks[MAX_SYMS / KSYMS_BLOCK + 1][2];

static void fail(const char *why, const char *what)
{
	fprintf(stderr, "ksyms: %s: %s\n", why, what);
	exit(1);
}

static void read_syms(void)
{
	char line[512], name[256], type;
	unsigned long long addr;

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%llx %c %255s", &addr, &type, name) != 3)
			continue;
		if (!strcmp(name, "_text")) {
			base = addr;
			nr_syms = 0; /* what came before is another name of something */
		}
		if (!strchr("tTwW", type))
			continue;
		if (nr_syms == MAX_SYMS || strlen(name) >= KSYMS_NAME)
			fail("too many, or too long a name", name);
		syms[nr_syms].addr = addr;
		strcpy(syms[nr_syms++].name, name);
	}
}

static void spell_names(void)
{
	for (int i = 0; i < nr_syms; i++) {
		size_t len = strlen(syms[i].name) + 1;

		memcpy(codes + nr_codes, syms[i].name, len);
		nr_codes += len;
		for (const char *c = syms[i].name; *c; c++)
			pairs[(unsigned char)*c][0] = (unsigned char)*c;
	}
}

/* The pair that comes most often, a << 8 | b; -1: none comes often enough to pay for its entry. */
static int commonest(void)
{
	static int count[65536];
	int best = 0;

	memset(count, 0, sizeof(count));
	for (size_t i = 0; i + 1 < nr_codes; i++)
		if (codes[i] && codes[i + 1])
			count[codes[i] << 8 | codes[i + 1]]++;
	for (int p = 1; p < 65536; p++)
		if (count[p] > count[best])
			best = p;
	return count[best] > 2 ? best : -1;
}

static void replace(int pair, unsigned char with)
{
	size_t to = 0;

	for (size_t i = 0; i < nr_codes; i++, to++) {
		bool found = i + 1 < nr_codes && (codes[i] << 8 | codes[i + 1]) == pair;

		codes[to] = found ? with : codes[i];
		i += found;
	}
	nr_codes = to;
}

static void find_pairs(void)
{
	for (int code = 1; code < 256; code++) {
		int pair = pairs[code][0] ? -1 : commonest();

		if (pair < 0)
			continue;
		pairs[code][0] = (unsigned char)(pair >> 8);
		pairs[code][1] = (unsigned char)pair;
		replace(pair, (unsigned char)code);
	}
}

static void put_distance(unsigned long long d)
{
	if (d < KSYMS_SHORT) {
		stream[stream_len++] = (unsigned char)d;
	} else if (d < (KSYMS_LONG - KSYMS_SHORT) << 8) {
		stream[stream_len++] = (unsigned char)(KSYMS_SHORT + (d >> 8));
		stream[stream_len++] = (unsigned char)d;
	} else {
		if (d >> 24)
			fail("too far from the one before", "");
		stream[stream_len++] = KSYMS_LONG;
		for (int i = 0; i < 3; i++)
			stream[stream_len++] = (unsigned char)(d >> 8 * i);
	}
}

static void make_stream(void)
{
	unsigned long long last = 0;
	const unsigned char *name = codes;

	for (int i = 0; i < nr_syms; i++) {
		size_t len = strlen((const char *)name) + 1;

		if (i % KSYMS_BLOCK == 0) {
			last = syms[i].addr;
			marks[i / KSYMS_BLOCK][0] = (unsigned int)(last - base);
			marks[i / KSYMS_BLOCK][1] = (unsigned int)stream_len;
		}
		put_distance(syms[i].addr - last);
		last = syms[i].addr;
		memcpy(stream + stream_len, name, len);
		stream_len += len;
		name += len;
	}
}

static size_t expand(unsigned char code, char *to)
{
	size_t n;

	if (!pairs[code][1]) {
		*to = (char)code;
		return 1;
	}
	n = expand(pairs[code][0], to);
	return n + expand(pairs[code][1], to + n);
}

static void check_stream(void)
{
	const unsigned char *at = stream;
	unsigned long long addr = 0;

	for (int i = 0; i < nr_syms; i++) {
		unsigned int first = *at++;
		char name[KSYMS_NAME * 2];
		size_t n = 0;

		if (i % KSYMS_BLOCK == 0)
			addr = base + marks[i / KSYMS_BLOCK][0];
		if (first == KSYMS_LONG) {
			addr += at[0] | at[1] << 8 | at[2] << 16;
			at += 3;
		} else if (first >= KSYMS_SHORT) {
			addr += (first - KSYMS_SHORT) << 8 | *at++;
		} else {
			addr += first;
		}
		while (*at)
			n += expand(*at++, name + n);
		at++;
		name[n] = 0;
		if (addr != syms[i].addr || strcmp(name, syms[i].name))
			fail("the table does not give back", syms[i].name);
	}
}

static void put_bytes(const char *label, const unsigned char *b, size_t n)
{
	printf("%s:", label);
	for (size_t i = 0; i < n; i++)
		printf("%s%d", i % 32 ? "," : "\n\t.byte ", b[i]);
	putchar('\n');
}

int main(void)
{
	read_syms();
	spell_names();
	find_pairs();
	make_stream();
	check_stream();
	printf("\t.section .ksyms, \"a\", @progbits\n\t.globl ksyms_count, ksyms_marks, ksyms_pairs, ksyms_stream\n"
	       "\t.balign 4\nksyms_count:\n\t.long %d\nksyms_marks:\n", nr_syms);
	for (int i = 0; i * KSYMS_BLOCK < nr_syms; i++)
		printf("\t.long %u, %u\n", marks[i][0], marks[i][1]);
	put_bytes("ksyms_pairs", pairs[0], sizeof(pairs));
	put_bytes("ksyms_stream", stream, stream_len);
	printf("\t.section .note.GNU-stack, \"\", @progbits\n");
	return 0;
}
