/*
 * What the compiler calls in the ubsan flavour when code does something undefined. Each finding is
 * a kernel bug: the report names the place and stops the machine, so that no test can miss it.
 * The compiler fixes the names and the layouts of the records. Any context; not instrumented.
 */
#include <lib/log.h>
#include <lib/types.h>

#ifdef CONFIG_UBSAN

struct location {
	const char *file;
	u32 line, column;
};

struct type_mismatch {
	struct location at;
	const void *type;
	u8 log_alignment;
	u8 check_kind;
};

static __noreturn __cold void report(const struct location *at, const char *what, u64 value)
{
	panic("ubsan: %s:%u:%u: %s (0x%llx)", at->file, at->line, at->column, what, value);
}

void __ubsan_handle_type_mismatch_v1(struct type_mismatch *d, uptr ptr);
void __ubsan_handle_type_mismatch_v1(struct type_mismatch *d, uptr ptr)
{
	report(&d->at, ptr ? "misaligned or too small object" : "null pointer", ptr);
}

/* The remaining records all begin with the location, which is all we print. */
#define DEFINE_HANDLER(name, what)                                                                 \
	void __ubsan_handle_##name(struct location *at, uptr a, uptr b);                           \
	void __ubsan_handle_##name(struct location *at, uptr a, uptr b)                            \
	{                                                                                          \
		report(at, what, a);                                                               \
	}

DEFINE_HANDLER(out_of_bounds, "index out of bounds")
DEFINE_HANDLER(shift_out_of_bounds, "shift by a bad amount or of a bad value")
DEFINE_HANDLER(divrem_overflow, "division by zero or overflow")
DEFINE_HANDLER(load_invalid_value, "value outside its type")
DEFINE_HANDLER(vla_bound_not_positive, "array length not positive")
DEFINE_HANDLER(pointer_overflow, "pointer arithmetic wraps")
DEFINE_HANDLER(add_overflow, "addition overflows")
DEFINE_HANDLER(sub_overflow, "subtraction overflows")
DEFINE_HANDLER(mul_overflow, "multiplication overflows")
DEFINE_HANDLER(negate_overflow, "negation overflows")

__noreturn void __ubsan_handle_builtin_unreachable(struct location *at);
void __ubsan_handle_builtin_unreachable(struct location *at)
{
	report(at, "unreachable code reached", 0);
}

#endif
