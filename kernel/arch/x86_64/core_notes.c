/*
 * Registers for core files: NT_PRSTATUS's general registers in the order of struct
 * user_regs_struct, NT_PRFPREG (the FXSAVE image) and NT_X86_XSTATE (the XSAVE image in standard
 * format, with the enabled components at the place of the software bytes, where gdb looks).
 */
#include <arch/context.h>
#include <arch/core_notes.h>
#include <arch/fpu.h>
#include <lib/string.h>
#include <linux/elf.h>
#include <task/task.h>
#include <x86/fpu.h>
#include <x86/gate.h>

static_assert(sizeof(struct regs) / sizeof(u64) + 6 == ARCH_NR_GREGS, "user_regs_struct");

void arch_core_gregs(struct task *t, u64 gregs[ARCH_NR_GREGS])
{
	const struct arch_task *a = &t->arch;
	size_t n = sizeof(struct regs) / sizeof(u64);

	if (t == current)
		arch_segments_save();
	memcpy(gregs, task_regs(t), sizeof(struct regs));
	gregs[n++] = a->fs_base;
	gregs[n++] = a->gs_base;
	gregs[n++] = a->ds_sel;
	gregs[n++] = a->es_sel;
	gregs[n++] = a->fs_sel;
	gregs[n++] = a->gs_sel;
}

size_t arch_core_scratch_size(void)
{
	return ALIGN_UP(arch_fpu_size, 64U);
}

size_t arch_core_notes(struct task *t, void *scratch, struct core_note *notes)
{
	struct xsave_area *image = scratch;
	size_t n = 0;

	if (!t->arch.fpu)
		return 0;
	if (t == current)
		arch_fpu_save();
	fpu_export(image, t->arch.fpu, arch_fpu_size);
	notes[n++] = (struct core_note){"CORE", NT_PRFPREG, image, sizeof(struct fxregs)};
	if (fpu_has_xsave)
		notes[n++] = (struct core_note){"LINUX", NT_X86_XSTATE, image, arch_fpu_size};
	return n;
}
