/* Names of functions as back traces show them. That the table holds every name is checked when it is made. */
#include <dev/log.h>
#include <lib/ktest.h>
#include <lib/string.h>
#include <task/task.h>

extern const char _text[], _etext[];

static bool found(const void *addr, u32 skip, const char *expected)
{
	char name[KSYM_NAME_LEN];
	u32 offset;

	return ksyms_lookup((uptr)addr + skip, name, &offset) && offset == skip && !strcmp(name, expected);
}

KTEST(functions_are_found_by_address)
{
	EXPECT(found(panic_regs, 0, "panic_regs"));
	EXPECT(found(panic_regs, 7, "panic_regs"));
	EXPECT(found(ksyms_lookup, 3, "ksyms_lookup"));
	EXPECT(found(kthread_create, 1, "kthread_create"));
	EXPECT(found(found, 1, "found"));
	EXPECT(found(memcpy, 0, "memcpy"));
	EXPECT(found(log_read, 0, "log_read"));
}

/* Every address has a function, no function begins behind it, and the next one begins no earlier. */
KTEST(every_address_of_the_code_has_a_function)
{
	char name[KSYM_NAME_LEN];
	uptr start = (uptr)_text;
	u32 offset;

	for (uptr a = (uptr)_text; a < (uptr)_etext; a += 61) {
		bool known = ksyms_lookup(a, name, &offset);

		EXPECT(known && name[0] && a - offset >= start && a - offset >= (uptr)_text);
		if (!known)
			return;
		start = a - offset;
	}
}

KTEST(other_addresses_have_no_function)
{
	char name[KSYM_NAME_LEN];
	u32 offset;

	EXPECT(!ksyms_lookup((uptr)_text - 1, name, &offset));
	EXPECT(!ksyms_lookup((uptr)name, name, &offset));
	EXPECT(!ksyms_lookup(0, name, &offset));
	EXPECT(!ksyms_lookup(~0UL, name, &offset));
}
