/*
 * User memory access: the only code in the kernel that lifts SMAP, and only around single
 * instructions that the exception table covers. A range is checked against USER_TOP and then
 * clamped arithmetically, so that a mispredicted check cannot reach kernel memory.
 */
#include <arch/mmu.h>
#include <arch/usercopy.h>
#include <lib/errno.h>
#include <x86/alternatives.h>

#define STAC ALTERNATIVE(".byte 0x0f, 0x01, 0xcb", "", ALT_NO_SMAP)
#define CLAC ALTERNATIVE(".byte 0x0f, 0x01, 0xca", "", ALT_NO_SMAP)
/* A fault at label `insn` continues at label `fixup`. */
#define EX_TABLE(insn, fixup)                                                                      \
	" .pushsection .ex_table, \"a\"\n .balign 4\n .long " insn " - .\n .long " fixup           \
	" - .\n .popsection\n"

/* False for a range that leaves user space or wraps. */
static inline bool range_ok(u64 addr, size_t n)
{
	return addr <= USER_TOP && n <= USER_TOP - addr;
}

/* addr when it lies in user space, all ones (never mapped for anyone) otherwise, without a branch. */
static inline u64 clamp(u64 addr)
{
	u64 mask;

	__asm__("cmpq %1, %2\n sbbq %0, %0" : "=r"(mask) : "r"(addr), "r"(USER_TOP) : "cc");
	return addr | mask;
}

/*
 * Words, then the tail bytes. A fault in the word loop falls back to bytes, which fault at the
 * exact place: the number of bytes not copied is exact.
 */
static inline size_t copy_user(u64 dst, u64 src, size_t n)
{
	size_t words = n / 8, tail = n % 8;

	__asm__ __volatile__(STAC
			     "1: rep movsq\n"
			     "   movq %[tail], %%rcx\n"
			     "2: rep movsb\n"
			     "3:" CLAC
			     " .pushsection .text.fixup, \"ax\"\n"
			     "4: leaq (%[tail], %%rcx, 8), %%rcx\n"
			     "   jmp 2b\n"
			     " .popsection\n" EX_TABLE("1b", "4b") EX_TABLE("2b", "3b")
			     : "+c"(words), "+D"(dst), "+S"(src)
			     : [tail] "r"(tail)
			     : "memory", "cc");
	return words;
}

size_t arch_copy_from_user(void *dst, u64 src, size_t n)
{
	if (unlikely(!range_ok(src, n)))
		return n;
	return copy_user((uptr)dst, clamp(src), n);
}

size_t arch_copy_to_user(u64 dst, const void *src, size_t n)
{
	if (unlikely(!range_ok(dst, n)))
		return n;
	return copy_user(clamp(dst), (uptr)src, n);
}

size_t arch_clear_user(u64 dst, size_t n)
{
	size_t words = n / 8, tail = n % 8;

	if (unlikely(!range_ok(dst, n)))
		return n;
	dst = clamp(dst);
	__asm__ __volatile__(STAC
			     "1: rep stosq\n"
			     "   movq %[tail], %%rcx\n"
			     "2: rep stosb\n"
			     "3:" CLAC
			     " .pushsection .text.fixup, \"ax\"\n"
			     "4: leaq (%[tail], %%rcx, 8), %%rcx\n"
			     "   jmp 2b\n"
			     " .popsection\n" EX_TABLE("1b", "4b") EX_TABLE("2b", "3b")
			     : "+c"(words), "+D"(dst)
			     : [tail] "r"(tail), "a"(0)
			     : "memory", "cc");
	return words;
}

int arch_put_user_u16_strided(u64 dst, const u16 *src, size_t stride, size_t n)
{
	u64 value = 0;

	if (unlikely(!n))
		return 0;
	if (unlikely(stride > PAGE_SIZE || n > USER_TOP / PAGE_SIZE || !range_ok(dst, n * stride)))
		return -EFAULT;
	dst = clamp(dst);
	__asm__ __volatile__(STAC
			     "1: movzwl (%[src]), %k[value]\n"
			     "2: movw %w[value], (%[dst])\n"
			     "   addq %[stride], %[src]\n"
			     "   addq %[stride], %[dst]\n"
			     "   decq %[n]\n"
			     "   jnz 1b\n"
			     "3:" CLAC EX_TABLE("2b", "3b")
			     : [n] "+r"(n), [dst] "+r"(dst), [src] "+r"(src), [value] "+r"(value)
			     : [stride] "r"(stride)
			     : "memory", "cc");
	return n ? -EFAULT : 0;
}

/* err stays 0 unless the instruction at label 1 faults. */
#define USER_INSN(insn, err, outputs, inputs...)                                                   \
	__asm__ __volatile__(STAC "1: " insn "\n2:" CLAC                                           \
			     " .pushsection .text.fixup, \"ax\"\n"                                 \
			     "3: movl %[fault], %[e]\n jmp 2b\n .popsection\n" EX_TABLE("1b", "3b") \
			     : [e] "+r"(err), outputs                                              \
			     : [fault] "i"(-EFAULT), inputs                                        \
			     : "memory", "cc")

int arch_get_user(u64 src, unsigned int size, u64 *value)
{
	int err = 0;
	u64 v = 0;

	if (unlikely(!range_ok(src, size)))
		return -EFAULT;
	src = clamp(src);
	switch (size) {
	case 1:
		USER_INSN("movzbl (%[p]), %k[v]", err, [v] "+r"(v), [p] "r"(src));
		break;
	case 2:
		USER_INSN("movzwl (%[p]), %k[v]", err, [v] "+r"(v), [p] "r"(src));
		break;
	case 4:
		USER_INSN("movl (%[p]), %k[v]", err, [v] "+r"(v), [p] "r"(src));
		break;
	case 8:
		USER_INSN("movq (%[p]), %[v]", err, [v] "+r"(v), [p] "r"(src));
		break;
	default:
		return -EINVAL;
	}
	*value = v;
	return err;
}

int arch_put_user(u64 dst, unsigned int size, u64 value)
{
	int err = 0;

	if (unlikely(!range_ok(dst, size)))
		return -EFAULT;
	dst = clamp(dst);
	switch (size) {
	case 1:
		USER_INSN("movb %b[v], (%[p])", err, [v] "+q"(value), [p] "r"(dst));
		break;
	case 2:
		USER_INSN("movw %w[v], (%[p])", err, [v] "+r"(value), [p] "r"(dst));
		break;
	case 4:
		USER_INSN("movl %k[v], (%[p])", err, [v] "+r"(value), [p] "r"(dst));
		break;
	case 8:
		USER_INSN("movq %[v], (%[p])", err, [v] "+r"(value), [p] "r"(dst));
		break;
	default:
		return -EINVAL;
	}
	return err;
}

/*
 * Words as long as there is room for one and none holds a NUL (the classic test: a byte is zero if
 * subtracting one borrows from its clear high bit). A word that reaches beyond the string may hit a
 * page that is not there: a fault goes on with bytes, which fault only at the string's own.
 */
ssize_t arch_copy_str_from_user(char *dst, u64 src, size_t n)
{
	size_t limit, left;
	int err = 0;

	if (unlikely(src >= USER_TOP))
		return -EFAULT;
	limit = MIN(n, (size_t)(USER_TOP - src));
	left = limit;
	src = clamp(src);
	__asm__ __volatile__(STAC
			     "   jmp 5f\n"
			     "1: movq (%[s]), %%rax\n"
			     "   movq %%rax, (%[d])\n"
			     "   movq %%rax, %%rdx\n"
			     "   notq %%rdx\n"
			     "   subq %[ones], %%rax\n"
			     "   andq %%rdx, %%rax\n"
			     "   andq %[highs], %%rax\n"
			     "   jnz 6f\n"
			     "   addq $8, %[s]\n"
			     "   addq $8, %[d]\n"
			     "   subq $8, %[left]\n"
			     "5: cmpq $8, %[left]\n"
			     "   jae 1b\n"
			     "   jmp 7f\n"
			     "6: bsfq %%rax, %%rax\n"
			     "   shrq $3, %%rax\n"
			     "   subq %%rax, %[left]\n"
			     "   jmp 2f\n"
			     "8: movb (%[s]), %%al\n"
			     "   movb %%al, (%[d])\n"
			     "   testb %%al, %%al\n"
			     "   jz 2f\n"
			     "   incq %[s]\n"
			     "   incq %[d]\n"
			     "   decq %[left]\n"
			     "7: testq %[left], %[left]\n"
			     "   jnz 8b\n"
			     "2:" CLAC
			     " .pushsection .text.fixup, \"ax\"\n"
			     "3: movl %[fault], %[e]\n"
			     "   jmp 2b\n"
			     " .popsection\n" EX_TABLE("1b", "7b") EX_TABLE("8b", "3b")
			     : [s] "+r"(src), [d] "+r"(dst), [left] "+r"(left), [e] "+r"(err)
			     : [fault] "i"(-EFAULT), [ones] "r"(0x0101010101010101ULL),
			       [highs] "r"(0x8080808080808080ULL)
			     : "rax", "rdx", "memory", "cc");
	if (err || (left == 0 && limit < n))
		return -EFAULT;
	return left ? (ssize_t)(limit - left) : (ssize_t)n;
}

int arch_cmpxchg_user_u32(u64 addr, u32 expect, u32 new, u32 *old)
{
	int err = 0;

	if (unlikely(!range_ok(addr, 4)))
		return -EFAULT;
	addr = clamp(addr);
	USER_INSN("lock cmpxchgl %[n], (%[p])", err, "+a"(expect), [n] "r"(new), [p] "r"(addr));
	*old = expect;
	return err;
}

static int user_xchg(u64 addr, u32 arg, u32 *old)
{
	int err = 0;

	USER_INSN("xchgl %[v], (%[p])", err, [v] "+r"(arg), [p] "r"(addr));
	*old = arg;
	return err;
}

static int user_add(u64 addr, u32 arg, u32 *old)
{
	int err = 0;

	USER_INSN("lock xaddl %[v], (%[p])", err, [v] "+r"(arg), [p] "r"(addr));
	*old = arg;
	return err;
}

int arch_atomic_user_u32(u64 addr, enum user_atomic_op op, u32 arg, u32 *old)
{
	u64 seen_word;
	u32 expect, want;
	int err;

	if (unlikely(!range_ok(addr, 4)))
		return -EFAULT;
	addr = clamp(addr);
	if (op == USER_XCHG)
		return user_xchg(addr, arg, old);
	if (op == USER_ADD)
		return user_add(addr, arg, old);
	err = arch_get_user(addr, 4, &seen_word);
	*old = (u32)seen_word;
	do {
		if (err)
			return err;
		expect = *old;
		want = op == USER_OR ? expect | arg : op == USER_ANDN ? expect & ~arg : expect ^ arg;
		err = arch_cmpxchg_user_u32(addr, expect, want, old);
	} while (err || *old != expect);
	return 0;
}
