/*
 * /dev/coverage, in the cover flavour only: which basic blocks of the kernel have run. The compiler
 * puts a call at the head of each block, and the call's return address names the block. Reading
 * gives the number of blocks that have run (8 bytes) and then one bit for each byte of code from
 * _text on, set where a block's call returns to.
 *
 * Bits are only ever set, so a reader who sees the number grow knows that something new ran. Any
 * context, no locks; not instrumented itself.
 */
#include <arch/mmu.h>
#include <boot/init.h>
#include <lib/errno.h>
#include <mm/page.h>
#include <vfs/io_iter.h>

#include "mem.h"

extern const char _text[], _etext[];

static u8 *map;      /* written once; bits: atomic */
static u64 nr_hit;   /* atomic */
static u64 map_size __ro_after_init;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
	u64 at = (uptr)__builtin_return_address(0) - (uptr)_text;
	u8 bit = BIT(at % 8), *byte;

	if (unlikely(!map) || at / 8 >= map_size)
		return;
	byte = &map[at / 8];
	if (likely(__atomic_load_n(byte, __ATOMIC_RELAXED) & bit))
		return;
	if (!(__atomic_fetch_or(byte, bit, __ATOMIC_RELAXED) & bit))
		__atomic_fetch_add(&nr_hit, 1, __ATOMIC_RELAXED);
}

static ssize_t coverage_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	u64 count = __atomic_load_n(&nr_hit, __ATOMIC_RELAXED), at = (u64)*pos;
	size_t want = io_count(to), n = 0;

	if (at < sizeof(count))
		n = io_copy_to(to, (u8 *)&count + at, MIN(want, sizeof(count) - at));
	if (at + n >= sizeof(count) && at + n - sizeof(count) < map_size)
		n += io_copy_to(to, map + (at + n - sizeof(count)),
				MIN(want - n, map_size - (at + n - sizeof(count))));
	*pos += (loff_t)n;
	return n || !want || at >= sizeof(count) + map_size ? (ssize_t)n : -EFAULT;
}

static const struct file_ops coverage_fops = {
	.name = "coverage",
	.read = coverage_read,
};

static int coverage_init(void)
{
	unsigned int order = 0;
	u8 *pages;

	map_size = ALIGN_UP((u64)(_etext - _text), 8) / 8;
	while (PAGE_SIZE << order < map_size)
		order++;
	pages = pages_alloc_virt(order, GFP_ZERO);
	if (!pages)
		return -ENOMEM;
	WRITE_ONCE(map, pages);
	return mem_device_add(240, "coverage", 0600, &coverage_fops);
}
INIT_CALL(INIT_DEVICE, coverage_init);
