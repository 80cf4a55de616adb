/*
 * Vector and floating-point state. Each user task has one save area in the standard (not
 * compacted) XSAVE format, so that signal frames are a plain copy. The registers belong to the
 * running task; they are saved and loaded in arch_switch. The kernel itself uses no vector
 * registers.
 */
#include <arch/fpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/task.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>
#include <x86/fpu.h>
#include <x86/gate.h>
#include <x86/msr.h>


/* x87, SSE, AVX and the three AVX-512 components. PKRU and AMX are not offered. */
#define XSTATE_OFFERED (BIT(0) | BIT(1) | BIT(2) | BIT(5) | BIT(6) | BIT(7))
#define MXCSR_DEFAULT 0x1f80

u64 fpu_features __ro_after_init = XSTATE_LEGACY;
bool fpu_has_xsave __ro_after_init;
static bool has_xsaveopt __ro_after_init;
static u32 mxcsr_mask __ro_after_init = 0xffbf;
static struct kmem_cache *fpu_cache;
u32 arch_fpu_size __ro_after_init = sizeof(struct fxregs);

static void xcr0_write(u64 v)
{
	__asm__ __volatile__("xsetbv" : : "c"(0), "a"((u32)v), "d"((u32)(v >> 32)));
}

static void detect_features(void)
{
	struct cpuid_regs r = cpuid(0xd, 0);
	u64 supported = r.eax | (u64)r.edx << 32;

	fpu_features = supported & XSTATE_OFFERED;
	if (!(fpu_features & BIT(2)))
		fpu_features &= XSTATE_LEGACY; /* AVX-512 needs AVX */
	if ((fpu_features & 0xe0) != 0xe0)
		fpu_features &= ~0xe0ULL; /* the three AVX-512 parts come together */
	xcr0_write(fpu_features);
	arch_fpu_size = cpuid(0xd, 0).ebx;
	has_xsaveopt = cpu_has(CPU_XSAVEOPT);
}

static void detect_mxcsr_mask(void)
{
	static struct fxregs probe __aligned(16);

	__asm__ __volatile__("fxsave64 %0" : "=m"(probe));
	if (probe.mxcsr_mask)
		mxcsr_mask = probe.mxcsr_mask;
}

/* What keeps ring 0 from running or touching user memory, and ring 3 from looking at the tables. */
static u64 protections(void)
{
	return (cpu_has(CPU_SMEP) ? CR4_SMEP : 0) | (cpu_has(CPU_SMAP) ? CR4_SMAP : 0) |
	       (cpu_has(CPU_UMIP) ? CR4_UMIP : 0) | (cpu_has(CPU_FSGSBASE) ? CR4_FSGSBASE : 0);
}

/* Enables the FPU and the CR4 protections on this CPU; the first CPU also decides what is offered to programs. */
void fpu_cpu_init(void)
{
	write_cr0((read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_AM);
	fpu_has_xsave = cpu_has(CPU_XSAVE);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (fpu_has_xsave ? CR4_OSXSAVE : 0) |
		  protections());
	if (smp_processor_id() == 0) {
		if (fpu_has_xsave)
			detect_features();
		detect_mxcsr_mask();
	} else if (fpu_has_xsave) {
		xcr0_write(fpu_features);
	}
	__asm__ __volatile__("fninit");
}

struct xsave_area *fpu_alloc(void)
{
	if (unlikely(!fpu_cache))
		fpu_cache = kmem_cache_create("fpu", ALIGN_UP(arch_fpu_size, 64), 64);
	return kmem_cache_alloc(fpu_cache, GFP_KERNEL);
}

void fpu_free(struct xsave_area *a)
{
	if (a)
		kmem_cache_free(fpu_cache, a);
}

void fpu_image_init(struct xsave_area *a)
{
	memset(a, 0, arch_fpu_size);
	a->fx.cwd = FPU_CONTROL_DEFAULT;
	a->fx.mxcsr = MXCSR_DEFAULT;
}

void fpu_save(struct xsave_area *a)
{
	u32 lo = (u32)fpu_features, hi = (u32)(fpu_features >> 32);

	if (has_xsaveopt)
		__asm__ __volatile__("xsaveopt64 %0" : "+m"(*a) : "a"(lo), "d"(hi) : "memory");
	else if (fpu_has_xsave)
		__asm__ __volatile__("xsave64 %0" : "+m"(*a) : "a"(lo), "d"(hi) : "memory");
	else
		__asm__ __volatile__("fxsave64 %0" : "+m"(a->fx) : : "memory");
}

void fpu_restore(const struct xsave_area *a)
{
	u32 lo = (u32)fpu_features, hi = (u32)(fpu_features >> 32);

	if (fpu_has_xsave)
		__asm__ __volatile__("xrstor64 %0" : : "m"(*a), "a"(lo), "d"(hi) : "memory");
	else
		__asm__ __volatile__("fxrstor64 %0" : : "m"(a->fx) : "memory");
}

bool fpu_image_valid(const struct xsave_area *a)
{
	if (a->fx.mxcsr & ~mxcsr_mask)
		return false;
	if (!fpu_has_xsave)
		return true;
	if ((a->xstate_bv & ~fpu_features) || a->xcomp_bv)
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(a->reserved); i++)
		if (a->reserved[i])
			return false;
	return true;
}

/* XSAVE leaves out components in their initial state: what lies there is from an earlier time. */
static void clear_initial_parts(struct xsave_area *image, u64 absent, size_t size)
{

	if (absent & XSTATE_X87) {
		image->fx.cwd = FPU_CONTROL_DEFAULT;
		image->fx.swd = image->fx.twd = image->fx.fop = 0;
		image->fx.rip = image->fx.rdp = 0;
		memset(image->fx.st, 0, sizeof(image->fx.st));
	}
	if (absent & XSTATE_SSE)
		memset(image->fx.xmm, 0, sizeof(image->fx.xmm));
	for (u32 i = 2; i < 64; i++) {
		struct cpuid_regs r;

		if (!(absent & BIT(i)))
			continue;
		r = cpuid(0xd, i);
		if (r.ebx + r.eax <= size)
			memset((u8 *)image + r.ebx, 0, r.eax);
	}
}

void fpu_export(struct xsave_area *image, const struct xsave_area *a, size_t size)
{
	memcpy(image, a, size);
	if (fpu_has_xsave)
		clear_initial_parts(image, fpu_features & ~a->xstate_bv, size);
	memset(image->fx.sw_reserved, 0, sizeof(image->fx.sw_reserved));
	memcpy(image->fx.sw_reserved, &fpu_features, sizeof(fpu_features));
}

int fpu_import(struct xsave_area *a, const struct xsave_area *image)
{
	if (!fpu_image_valid(image))
		return -EINVAL;
	memcpy(a, image, arch_fpu_size);
	return 0;
}

int fpu_import_legacy(struct xsave_area *a, const struct fxregs *fx)
{
	if (fx->mxcsr & ~mxcsr_mask)
		return -EINVAL;
	a->fx = *fx;
	if (fpu_has_xsave)
		a->xstate_bv |= XSTATE_LEGACY;
	return 0;
}

void arch_fpu_save(void)
{
	preempt_disable();
	fpu_save(current->arch.fpu);
	preempt_enable();
}

void arch_fpu_reset(void)
{
	preempt_disable();
	fpu_image_init(current->arch.fpu);
	fpu_restore(current->arch.fpu);
	preempt_enable();
}

void fpu_legacy_status(u32 *control, u32 *status)
{
	u16 cw, sw;

	__asm__ __volatile__("fnstcw %0; fnstsw %1" : "=m"(cw), "=m"(sw));
	*control = cw;
	*status = sw;
}

u32 fpu_mxcsr(void)
{
	u32 v;

	__asm__ __volatile__("stmxcsr %0" : "=m"(v));
	return v;
}
