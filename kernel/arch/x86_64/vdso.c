/*
 * Mapping the vDSO: two areas side by side, [vvar] (KVM's clock if it is the clock source, then the
 * page of time) and [vdso] (the image). All are pages of the kernel's own image, shared by everybody
 * and mapped without write permission; a debugger's writes to the code go to private copies.
 */
#include <arch/vdso.h>
#include <lib/errno.h>
#include <mm/mm.h>
#include <time/clock.h>
#include <x86/image.h>
#include <x86/kvmclock.h>
#include <x86/paging.h>

#define IMAGE_PAGES_MAX 4

static u64 image_bytes(void)
{
	return (u64)(vdso_image_end - vdso_image);
}

static u64 data_bytes(void)
{
	return kvmclock_user_page() ? 2 * PAGE_SIZE : PAGE_SIZE;
}

u64 arch_vdso_bytes(void)
{
	return data_bytes() + image_bytes();
}

static struct page *image_page(const void *p)
{
	return page_from_paddr(kernel_paddr(p));
}

int arch_vdso_map(struct mm *mm, u64 addr)
{
	struct page *data[2], *code[IMAGE_PAGES_MAX];
	u64 base = addr + data_bytes(), n = 0;
	int err;

	if (kvmclock_user_page())
		data[n++] = image_page(kvmclock_user_page());
	data[n] = image_page(clock_user_page);
	err = mm_map_special(mm, addr, data_bytes(), VMA_READ | VMA_MAYREAD | VMA_DONTDUMP, data,
			     "[vvar]");
	if (err)
		return err;
	for (n = 0; n < image_bytes() >> PAGE_SHIFT && n < IMAGE_PAGES_MAX; n++)
		code[n] = image_page(vdso_image + n * PAGE_SIZE);
	err = mm_map_special(mm, base, n << PAGE_SHIFT,
			     VMA_READ | VMA_EXEC | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC, code,
			     "[vdso]");
	if (!err)
		mm->vdso_base = base;
	return err;
}
