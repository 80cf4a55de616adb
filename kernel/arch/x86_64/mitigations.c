/*
 * Which defences against speculation are on, by the CPU's flaws and the command line, and what sysfs
 * says of them. mitigations=auto (the default) does what the CPU needs, off nothing, full also what
 * the CPU claims not to need; the words that Linux knows for single flaws come on top of that.
 * Everything is decided before a second CPU runs and immutable afterwards.
 *
 * Not there: thunks for returns in a kernel whose compiler makes none. What is not done is reported as "Vulnerable".
 */
#include <arch/cpu.h>
#include <arch/cpu_info.h>
#include <boot/boot_info.h>
#include <boot/init.h>
#include <lib/format.h>
#include <lib/log.h>
#include <lib/string.h>
#include <x86/alternatives.h>
#include <x86/bugs.h>
#include <x86/cpuid.h>
#include <x86/gate.h>
#include <x86/mitigations.h>
#include <x86/msr.h>

enum spectre_v2 {
	V2_NONE, V2_RETPOLINE, V2_LFENCE, V2_EIBRS, V2_EIBRS_LFENCE, V2_EIBRS_RETPOLINE, V2_IBRS
};
enum retbleed { RETBLEED_NONE, RETBLEED_UNTRAINED, RETBLEED_IBPB };
enum srso { SRSO_NONE, SRSO_NO_SMT, SRSO_SAFE, SRSO_IBPB };
enum its { ITS_NONE, ITS_NO_GUESTS, ITS_ALIGNED };
enum level { LEVEL_OFF, LEVEL_AUTO, LEVEL_FULL };

#ifdef CONFIG_RETURN_THUNKS
#define HAS_RETURN_THUNKS true
#else
#define HAS_RETURN_THUNKS false
#endif

struct mitigations mitigations __ro_after_init;
DEFINE_PER_CPU_GATE(u32, spec_ctrl_kernel);
DEFINE_PER_CPU_GATE(u32, spec_ctrl_user);

static enum level level __ro_after_init = LEVEL_AUTO;
static enum spectre_v2 v2 __ro_after_init;
static enum retbleed retbleed __ro_after_init;
static enum srso srso __ro_after_init;
static enum its its __ro_after_init;
static bool clear_history __ro_after_init;
static u64 switched_off __ro_after_init; /* BIT(enum flaw): by the command line */
static bool smt __ro_after_init;

/* ---- the command line ---- */

static bool option_is(const char *name, const char *value)
{
	char text[32];

	return boot_option_copy(name, text, sizeof(text)) > 0 && !strcmp(text, value);
}

static enum level level_read(void)
{
	if (option_is("mitigations", "off"))
		return LEVEL_OFF;
	return option_is("mitigations", "full") ? LEVEL_FULL : LEVEL_AUTO;
}

static const struct {
	const char *word, *value; /* value NULL: the word alone */
	enum flaw flaw;
} off_words[] = {
	{"nopti", NULL, FLAW_MELTDOWN}, {"pti", "off", FLAW_MELTDOWN},
	{"nospectre_v1", NULL, FLAW_SPECTRE_V1}, {"nospectre_v2", NULL, FLAW_SPECTRE_V2},
	{"spectre_v2", "off", FLAW_SPECTRE_V2}, {"nospec_store_bypass_disable", NULL, FLAW_SSB},
	{"spec_store_bypass_disable", "off", FLAW_SSB}, {"mds", "off", FLAW_MDS},
	{"tsx_async_abort", "off", FLAW_TAA}, {"mmio_stale_data", "off", FLAW_MMIO},
	{"retbleed", "off", FLAW_RETBLEED}, {"srbds", "off", FLAW_SRBDS},
	{"reg_file_data_sampling", "off", FLAW_RFDS}, {"gather_data_sampling", "off", FLAW_GDS},
	{"spec_rstack_overflow", "off", FLAW_SRSO}, {"tsa", "off", FLAW_TSA},
	{"spectre_bhi", "off", FLAW_BHI}, {"indirect_target_selection", "off", FLAW_ITS},
};

static void off_words_read(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(off_words); i++)
		if (off_words[i].value ? option_is(off_words[i].word, off_words[i].value)
				       : boot_option(off_words[i].word))
			switched_off |= BIT(off_words[i].flaw);
	if (option_is("indirect_target_selection", "force"))
		cpu_flaws |= BIT(FLAW_ITS);
}

/* Something is to be done about f: the CPU has it, or everything is wanted. */
static bool wanted(enum flaw f)
{
	if (switched_off & BIT(f))
		return false;
	return level == LEVEL_FULL || (level == LEVEL_AUTO && cpu_flawed(f));
}

/* ---- decisions ---- */

static bool vendor_amd(void)
{
	return cpu_identity.vendor == VENDOR_AMD || cpu_identity.vendor == VENDOR_HYGON;
}

static bool has_ibrs(void)
{
	return cpu_has(CPU_SPEC_CTRL) || cpu_has(CPU_AMD_IBRS);
}

static bool has_ibpb(void)
{
	return cpu_has(CPU_SPEC_CTRL) || cpu_has(CPU_AMD_IBPB);
}

static bool has_stibp(void)
{
	return cpu_has(CPU_STIBP) || cpu_has(CPU_AMD_STIBP);
}

static bool has_ssbd(void)
{
	return cpu_has(CPU_SSBD) || cpu_has(CPU_AMD_SSBD) || cpu_has(CPU_VIRT_SSBD);
}

static bool has_spec_ctrl(void)
{
	return has_ibrs() || has_stibp() || cpu_has(CPU_SSBD) || cpu_has(CPU_AMD_SSBD);
}

static bool has_eibrs(void)
{
	return (cpu_capabilities & CAP_IBRS_ALL) || cpu_has(CPU_AUTO_IBRS);
}

static bool v2_is_eibrs(void)
{
	return v2 == V2_EIBRS || v2 == V2_EIBRS_LFENCE || v2 == V2_EIBRS_RETPOLINE;
}

static const struct {
	const char *word;
	enum spectre_v2 mode;
} v2_words[] = {
	{"retpoline", V2_RETPOLINE}, {"retpoline,generic", V2_RETPOLINE},
	{"retpoline,lfence", V2_LFENCE}, {"retpoline,amd", V2_LFENCE}, {"eibrs", V2_EIBRS},
	{"eibrs,lfence", V2_EIBRS_LFENCE}, {"eibrs,retpoline", V2_EIBRS_RETPOLINE}, {"ibrs", V2_IBRS},
};

static enum spectre_v2 v2_by_cpu(void)
{
	if (level == LEVEL_FULL)
		return has_eibrs() ? V2_EIBRS_RETPOLINE : V2_RETPOLINE;
	if (has_eibrs())
		return V2_EIBRS;
	if (cpu_identity.vendor == VENDOR_INTEL && wanted(FLAW_RETBLEED) && has_ibrs())
		return V2_IBRS;
	return V2_RETPOLINE;
}

static enum spectre_v2 v2_choose(void)
{
	bool forced = option_is("spectre_v2", "on");

	for (u32 i = 0; i < ARRAY_SIZE(v2_words); i++) {
		enum spectre_v2 mode = v2_words[i].mode;

		if (!option_is("spectre_v2", v2_words[i].word))
			continue;
		if ((mode == V2_IBRS && !has_ibrs()) ||
		    (mode != V2_IBRS && mode > V2_LFENCE && !has_eibrs()))
			pr_warn("spectre_v2=%s: the CPU cannot", v2_words[i].word);
		else
			return mode;
	}
	return forced || wanted(FLAW_SPECTRE_V2) ? v2_by_cpu() : V2_NONE;
}

static enum task_control control_word(const char *option, enum task_control by_default)
{
	if (option_is(option, "on"))
		return CONTROL_ALWAYS;
	if (option_is(option, "off"))
		return CONTROL_NONE;
	if (option_is(option, "seccomp"))
		return CONTROL_SECCOMP;
	if (option_is(option, "prctl"))
		return CONTROL_PRCTL;
	return level == LEVEL_FULL ? CONTROL_ALWAYS : by_default;
}

static void task_controls_choose(void)
{
	struct mitigations *m = &mitigations;

	if (wanted(FLAW_SSB) && has_ssbd())
		m->store_bypass = control_word("spec_store_bypass_disable", CONTROL_PRCTL);
	if (v2 == V2_NONE || !(has_ibpb() || has_stibp()))
		return;
	m->indirect_branch = control_word("spectre_v2_user", CONTROL_PRCTL);
	m->ibpb = has_ibpb() && m->indirect_branch;
	/* Restricted branches keep threads of a core apart by themselves, Intel's way. */
	m->stibp = has_stibp() && m->indirect_branch && smt && (!v2_is_eibrs() || cpu_has(CPU_AUTO_IBRS));
}

static bool has_bhi_control(void)
{
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).eax >= 2 && (cpuid(7, 2).edx & BIT(4));
}

static bool has_rrsba_control(void)
{
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).eax >= 2 && (cpuid(7, 2).edx & BIT(2));
}

static void spec_ctrl_choose(void)
{
	struct mitigations *m = &mitigations;

	m->auto_ibrs = v2_is_eibrs() && cpu_has(CPU_AUTO_IBRS);
	if (!has_spec_ctrl())
		return;
	if (v2 == V2_IBRS || (v2_is_eibrs() && !m->auto_ibrs))
		m->spec_ctrl |= SPEC_CTRL_IBRS;
	if ((v2 == V2_RETPOLINE || v2 == V2_EIBRS_RETPOLINE) && has_rrsba_control())
		m->spec_ctrl |= SPEC_CTRL_RRSBA_DIS;
	if (v2_is_eibrs() && wanted(FLAW_BHI) && has_bhi_control())
		m->spec_ctrl |= SPEC_CTRL_BHI_DIS;
	if (m->store_bypass == CONTROL_ALWAYS)
		m->spec_ctrl |= SPEC_CTRL_SSBD;
	if (m->indirect_branch == CONTROL_ALWAYS && m->stibp)
		m->spec_ctrl |= SPEC_CTRL_STIBP;
}

/* AMD's; Intel's is met by restricted branches, see v2_by_cpu. */
static enum retbleed retbleed_choose(void)
{
	bool ibpb = option_is("retbleed", "ibpb") || option_is("retbleed", "ibpb,nosmt");

	if (!wanted(FLAW_RETBLEED) || !vendor_amd())
		return RETBLEED_NONE;
	if (has_ibpb() && (ibpb || !HAS_RETURN_THUNKS))
		return RETBLEED_IBPB;
	return HAS_RETURN_THUNKS ? RETBLEED_UNTRAINED : RETBLEED_NONE;
}

#define SRSO_MICROCODE BIT(28) /* IBPB empties everything */

/* Zen 1 and 2 always do. */
static bool srso_microcode(void)
{
	return cpu_identity.family < 0x19 ? has_ibpb() : cpu_feature_words[CPU_A1_EAX] & SRSO_MICROCODE;
}

static enum srso srso_choose(void)
{
	bool microcode = srso_microcode();

	if (!wanted(FLAW_SRSO) || !vendor_amd())
		return SRSO_NONE;
	if (microcode && cpu_flawed(FLAW_SRSO) && cpu_identity.family < 0x19 && !smt)
		return SRSO_NO_SMT;
	if (microcode && (retbleed == RETBLEED_IBPB || option_is("spec_rstack_overflow", "ibpb")))
		return SRSO_IBPB;
	if (option_is("spec_rstack_overflow", "microcode") || option_is("spec_rstack_overflow", "ibpb"))
		return SRSO_NONE;
	return HAS_RETURN_THUNKS ? SRSO_SAFE : SRSO_NONE;
}

static enum its its_choose(void)
{
	if (!wanted(FLAW_ITS) || v2 == V2_NONE || v2 == V2_LFENCE || v2 == V2_EIBRS_LFENCE)
		return ITS_NONE;
	if (option_is("indirect_target_selection", "vmexit") && cpu_flawed(FLAW_ITS_NATIVE))
		return ITS_NO_GUESTS;
	return HAS_RETURN_THUNKS ? ITS_ALIGNED : ITS_NONE;
}

static bool retpolines(void)
{
	return v2 == V2_RETPOLINE || v2 == V2_EIBRS_RETPOLINE;
}

/* Retpolines leave nothing to history, unless the CPU looks elsewhere when its return stack is empty. */
static bool history_is_harmless(void)
{
	return retpolines() &&
	       (!(cpu_capabilities & CAP_RRSBA) || (mitigations.spec_ctrl & SPEC_CTRL_RRSBA_DIS));
}

/* After spec_ctrl_choose: a control of the CPU's own is better. */
static bool clear_history_choose(void)
{
	if (!wanted(FLAW_BHI) || v2 == V2_NONE)
		return false;
	if (level == LEVEL_FULL)
		return true;
	return !history_is_harmless() && !(mitigations.spec_ctrl & SPEC_CTRL_BHI_DIS);
}

static enum return_mode return_mode(void)
{
	if (srso == SRSO_SAFE)
		return cpu_identity.family < 0x19 ? RETURN_SAFE : RETURN_ALIAS;
	if (retbleed == RETBLEED_UNTRAINED)
		return RETURN_UNTRAINED;
	return its == ITS_ALIGNED ? RETURN_ALIGNED : RETURN_PLAIN;
}

static bool entry_ibpb(void)
{
	return has_ibpb() && (retbleed == RETBLEED_IBPB || srso == SRSO_IBPB);
}

static bool clear_buffers(void)
{
	return wanted(FLAW_MDS) || (wanted(FLAW_TAA) && cpu_has(CPU_RTM)) || wanted(FLAW_MMIO) ||
	       (wanted(FLAW_RFDS) && (cpu_capabilities & CAP_RFDS_CLEAR)) ||
	       wanted(FLAW_TSA);
}

/* SMAP holds back speculation, too, but not on a CPU with Meltdown. */
static bool fence_swapgs(void)
{
	bool smap = cpu_has(CPU_SMAP) && !cpu_flawed(FLAW_MELTDOWN);

	return wanted(FLAW_SPECTRE_V1) && (level == LEVEL_FULL || (!smap && cpu_flawed(FLAW_SWAPGS)));
}

static bool isolate_tables(void)
{
	return option_is("pti", "on") || wanted(FLAW_MELTDOWN);
}

/* Off like Debian's Linux, which leaves the choice to the same word. */
static bool move_stacks(void)
{
	static const char *const yes[] = {"on", "1", "y", "Y"}, *const no[] = {"off", "0", "n", "N"};

	for (u32 i = 0; i < ARRAY_SIZE(yes); i++) {
		if (option_is("randomize_kstack_offset", yes[i]))
			return true;
		if (option_is("randomize_kstack_offset", no[i]))
			return false;
	}
	return level == LEVEL_FULL;
}

static u32 alternatives_choose(void)
{
	u32 a = cpu_has(CPU_SMAP) ? 0 : BIT(ALT_NO_SMAP);

	a |= fence_swapgs() ? BIT(ALT_FENCE_SWAPGS) : 0;
	a |= isolate_tables() ? BIT(ALT_PTI) | BIT(ALT_TRAP_ENTRY) | BIT(ALT_EXIT) : 0;
	a |= clear_buffers() ? BIT(ALT_CLEAR_BUFFERS) : 0;
	a |= v2 == V2_IBRS ? BIT(ALT_IBRS) : 0;
	a |= entry_ibpb() ? BIT(ALT_ENTRY_IBPB) : 0;
	a |= return_mode() == RETURN_UNTRAINED ? BIT(ALT_UNTRAIN) : 0;
	a |= return_mode() == RETURN_SAFE ? BIT(ALT_UNTRAIN_SAFE) : 0;
	a |= return_mode() == RETURN_ALIAS ? BIT(ALT_UNTRAIN_ALIAS) : 0;
	a |= clear_history ? BIT(ALT_CLEAR_HISTORY) | BIT(ALT_SYSCALL_ENTRY) : 0;
	a |= v2 != V2_NONE ? BIT(ALT_SWITCH_RSB) : 0;
	a |= level == LEVEL_FULL ? BIT(ALT_ENTRY_RSB) : 0;
	a |= move_stacks() ? BIT(ALT_STACK_OFFSET) : 0;
	if (a & (BIT(ALT_IBRS) | BIT(ALT_ENTRY_IBPB) | BIT(ALT_ENTRY_RSB) | BIT(ALT_UNTRAIN) |
		 BIT(ALT_UNTRAIN_SAFE) | BIT(ALT_UNTRAIN_ALIAS)))
		a |= BIT(ALT_SYSCALL_ENTRY) | BIT(ALT_TRAP_ENTRY);
	if (a & BIT(ALT_FENCE_SWAPGS))
		a |= BIT(ALT_TRAP_ENTRY);
	if (a & (BIT(ALT_CLEAR_BUFFERS) | BIT(ALT_IBRS)))
		a |= BIT(ALT_EXIT);
	return a;
}

static enum branch_mode branch_mode(void)
{
	switch (v2) {
	case V2_RETPOLINE:
	case V2_EIBRS_RETPOLINE:
		return BRANCH_RETPOLINE;
	case V2_LFENCE:
	case V2_EIBRS_LFENCE:
		return BRANCH_LFENCE;
	default:
		return its == ITS_ALIGNED ? BRANCH_ALIGNED : BRANCH_PLAIN;
	}
}

void mitigations_init(void)
{
	level = level_read();
	off_words_read();
	smt = cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx > 1;
	v2 = v2_choose();
	task_controls_choose();
	spec_ctrl_choose();
	retbleed = retbleed_choose();
	srso = srso_choose();
	its = its_choose();
	clear_history = clear_history_choose();
	mitigations.srbds_off = switched_off & BIT(FLAW_SRBDS);
	alternatives_apply(alternatives_choose(), branch_mode(), return_mode());
}

void mitigations_cpu_init(void)
{
	const struct mitigations *m = &mitigations;

	/* Global entries would let user mode see where the kernel lies, and more. */
	if (!alternative(ALT_PTI))
		write_cr4(read_cr4() | CR4_PGE);
	this_cpu_write(gate_kernel_cr3, read_cr3());
	this_cpu_write(spec_ctrl_kernel, m->spec_ctrl);
	this_cpu_write(spec_ctrl_user,
		       alternative(ALT_IBRS) ? m->spec_ctrl & ~(u32)SPEC_CTRL_IBRS : m->spec_ctrl);
	if (m->spec_ctrl)
		wrmsr(MSR_SPEC_CTRL, m->spec_ctrl);
	if (m->auto_ibrs)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AUTOIBRS);
	if (m->store_bypass == CONTROL_ALWAYS && !cpu_has(CPU_SSBD) && !cpu_has(CPU_AMD_SSBD))
		wrmsr(MSR_VIRT_SPEC_CTRL, SPEC_CTRL_SSBD);
	if (m->srbds_off && cpu_has(CPU_SRBDS_CTRL))
		wrmsr(MSR_MCU_OPT_CTRL, rdmsr(MSR_MCU_OPT_CTRL) | MCU_OPT_RNGDS_OFF);
}

/* ---- what sysfs says ---- */

const char *const arch_bug_names[NR_CPU_BUGS] = {
	"gather_data_sampling", "indirect_target_selection", "itlb_multihit", "l1tf", "mds",
	"meltdown", "mmio_stale_data", "reg_file_data_sampling", "retbleed", "spec_rstack_overflow",
	"spec_store_bypass", "spectre_v1", "spectre_v2", "srbds", "tsa", "tsx_async_abort", "vmscape",
};

static const char *smt_text(void)
{
	if (cpu_has(CPU_HYPERVISOR))
		return "; SMT Host state unknown";
	return smt ? "; SMT vulnerable" : "; SMT disabled";
}

/* microcode: VERW clears what it should. */
static int show_buffers(char *buf, size_t size, enum flaw f, bool microcode)
{
	const char *text = "Vulnerable";

	if (wanted(f))
		text = microcode ? "Mitigation: Clear CPU buffers"
				 : "Vulnerable: Clear CPU buffers attempted, no microcode";
	return format(buf, size, "%s%s\n", text, smt_text());
}

static int show_taa(char *buf, size_t size)
{
	if (!cpu_has(CPU_RTM))
		return format(buf, size, "Mitigation: TSX disabled\n");
	if (!wanted(FLAW_TAA) && !wanted(FLAW_MDS))
		return format(buf, size, "Vulnerable\n");
	return show_buffers(buf, size, wanted(FLAW_TAA) ? FLAW_TAA : FLAW_MDS,
			    cpu_has(CPU_MD_CLEAR) && (!(cpu_capabilities & CAP_MDS_NO) ||
						      (cpu_capabilities & CAP_TSX_CTRL)));
}

static int show_mmio(char *buf, size_t size)
{
	bool clears = (cpu_capabilities & CAP_FB_CLEAR) ||
		      (cpu_has(CPU_MD_CLEAR) && cpu_has(CPU_FLUSH_L1D) && !(cpu_capabilities & CAP_MDS_NO));

	if (cpu_flawed(FLAW_MMIO_UNKNOWN))
		return format(buf, size, "Unknown: No mitigations\n");
	if (!wanted(FLAW_MMIO))
		return format(buf, size, "Vulnerable\n");
	return show_buffers(buf, size, FLAW_MMIO, clears);
}

static const char *ibpb_text(void)
{
	if (!has_ibpb())
		return "";
	if (!mitigations.ibpb)
		return "; IBPB: disabled";
	return mitigations.indirect_branch == CONTROL_ALWAYS ? "; IBPB: always-on" : "; IBPB: conditional";
}

static const char *stibp_text(void)
{
	if (v2_is_eibrs() && !cpu_has(CPU_AUTO_IBRS))
		return "";
	if (!mitigations.stibp)
		return "; STIBP: disabled";
	return mitigations.indirect_branch == CONTROL_ALWAYS ? "; STIBP: forced" : "; STIBP: conditional";
}

static const char *bhi_text(void)
{
	if (!cpu_flawed(FLAW_BHI))
		return "; BHI: Not affected";
	if (mitigations.spec_ctrl & SPEC_CTRL_BHI_DIS)
		return "; BHI: BHI_DIS_S";
	if (clear_history)
		return "; BHI: SW loop, KVM: SW loop";
	if (history_is_harmless())
		return "; BHI: Retpoline";
	return "; BHI: Vulnerable";
}

static int show_spectre_v2(char *buf, size_t size)
{
	static const char *const modes[] = {
		[V2_NONE] = "Vulnerable",
		[V2_RETPOLINE] = "Mitigation: Retpolines",
		[V2_LFENCE] = "Vulnerable: LFENCE",
		[V2_EIBRS] = "Mitigation: Enhanced / Automatic IBRS",
		[V2_EIBRS_LFENCE] = "Mitigation: Enhanced / Automatic IBRS + LFENCE",
		[V2_EIBRS_RETPOLINE] = "Mitigation: Enhanced / Automatic IBRS + Retpolines",
		[V2_IBRS] = "Mitigation: IBRS",
	};

	return format(buf, size, "%s%s%s%s; PBRSB-eIBRS: %s%s\n", modes[v2], ibpb_text(), stibp_text(),
		      alternative(ALT_SWITCH_RSB) ? "; RSB filling" : "",
		      cpu_flawed(FLAW_PBRSB) ? "Vulnerable" : "Not affected", bhi_text());
}

static int show_retbleed(char *buf, size_t size)
{
	const char *text = v2 == V2_IBRS ? "Mitigation: IBRS" :
			   v2_is_eibrs() ? "Mitigation: Enhanced IBRS" : "Vulnerable";

	if (!vendor_amd())
		return format(buf, size, "%s\n", text);
	if (retbleed == RETBLEED_NONE)
		return format(buf, size, "Vulnerable\n");
	return format(buf, size, "Mitigation: %s; SMT %s\n",
		      retbleed == RETBLEED_IBPB ? "IBPB" : "untrained return thunk", smt ? "vulnerable" : "disabled");
}

static int show_srso(char *buf, size_t size)
{
	static const char *const modes[] = {
		[SRSO_NONE] = "Vulnerable",
		[SRSO_NO_SMT] = "Mitigation: SMT disabled",
		[SRSO_SAFE] = "Mitigation: safe RET",
		[SRSO_IBPB] = "Mitigation: IBPB",
	};

	return format(buf, size, "%s%s\n", modes[srso], srso_microcode() ? "" : ", no microcode");
}

static const char *store_bypass_text(void)
{
	switch (mitigations.store_bypass) {
	case CONTROL_ALWAYS:
		return "Mitigation: Speculative Store Bypass disabled";
	case CONTROL_PRCTL:
		return "Mitigation: Speculative Store Bypass disabled via prctl";
	case CONTROL_SECCOMP:
		return "Mitigation: Speculative Store Bypass disabled via prctl and seccomp";
	default:
		return "Vulnerable";
	}
}

static const char *spectre_v1_text(void)
{
	if (wanted(FLAW_SPECTRE_V1))
		return "Mitigation: usercopy/swapgs barriers and __user pointer sanitization";
	return "Vulnerable: __user pointer sanitization and usercopy barriers only; no swapgs barriers";
}

static const char *its_text(void)
{
	switch (its) {
	case ITS_ALIGNED:
		return "Mitigation: Aligned branch/return thunks";
	case ITS_NO_GUESTS:
		return "Mitigation: Vulnerable, KVM: Not affected";
	default:
		return "Vulnerable";
	}
}

static const char *microcode_text(enum flaw f, bool has)
{
	if (cpu_has(CPU_HYPERVISOR))
		return "Unknown: Dependent on hypervisor status";
	if (!wanted(f))
		return "Vulnerable";
	return has ? "Mitigation: Microcode" : "Vulnerable: No microcode";
}

/* The others need one of a few fixed texts. */
static const char *fixed_text(enum cpu_bug bug)
{
	switch (bug) {
	case BUG_MELTDOWN:
		return alternative(ALT_PTI) ? "Mitigation: PTI" : "Vulnerable";
	case BUG_L1TF: /* always: see pte_make */
		return "Mitigation: PTE Inversion";
	case BUG_ITLB_MULTIHIT: /* there are no guests */
		return cpu_feature_words[CPU_1_ECX] & BIT(5) ? "KVM: Mitigation: VMX disabled"
							    : "KVM: Mitigation: VMX unsupported";
	case BUG_SPEC_STORE_BYPASS:
		return store_bypass_text();
	case BUG_SPECTRE_V1:
		return spectre_v1_text();
	case BUG_REG_FILE_DATA_SAMPLING:
		if (!wanted(FLAW_RFDS))
			return "Vulnerable";
		return cpu_capabilities & CAP_RFDS_CLEAR ? "Mitigation: Clear Register File"
							 : "Vulnerable: No microcode";
	case BUG_INDIRECT_TARGET_SELECTION:
		return its_text();
	case BUG_SRBDS:
		return microcode_text(FLAW_SRBDS, cpu_has(CPU_SRBDS_CTRL));
	case BUG_GATHER_DATA_SAMPLING:
		return microcode_text(FLAW_GDS, cpu_capabilities & CAP_GDS_CTRL);
	case BUG_TSA:
		if (!wanted(FLAW_TSA))
			return "Vulnerable";
		return cpu_has(CPU_VERW_CLEAR) ? "Mitigation: Clear CPU buffers" :
			"Vulnerable: Clear CPU buffers attempted, no microcode";
	default:
		return "Vulnerable";
	}
}

static const u8 bug_flaw[NR_CPU_BUGS] = {
	FLAW_GDS, FLAW_ITS, FLAW_ITLB_MULTIHIT, FLAW_L1TF, FLAW_MDS, FLAW_MELTDOWN, FLAW_MMIO, FLAW_RFDS,
	FLAW_RETBLEED, FLAW_SRSO, FLAW_SSB, FLAW_SPECTRE_V1, FLAW_SPECTRE_V2, FLAW_SRBDS, FLAW_TSA,
	FLAW_TAA, FLAW_VMSCAPE,
};

int arch_vulnerability(enum cpu_bug bug, char *buf, size_t size)
{
	bool affected = cpu_flawed(bug_flaw[bug]) ||
			(bug == BUG_MMIO_STALE_DATA && cpu_flawed(FLAW_MMIO_UNKNOWN));

	/* A hypervisor is not what we are: nothing of a guest's survives in our user mode. */
	if (!affected || bug == BUG_VMSCAPE)
		return format(buf, size, "Not affected\n");
	switch (bug) {
	case BUG_MDS:
		return show_buffers(buf, size, FLAW_MDS, cpu_has(CPU_MD_CLEAR));
	case BUG_TSX_ASYNC_ABORT:
		return show_taa(buf, size);
	case BUG_MMIO_STALE_DATA:
		return show_mmio(buf, size);
	case BUG_SPECTRE_V2:
		return show_spectre_v2(buf, size);
	case BUG_RETBLEED:
		return show_retbleed(buf, size);
	case BUG_SPEC_RSTACK_OVERFLOW:
		return show_srso(buf, size);
	default:
		return format(buf, size, "%s\n", fixed_text(bug));
	}
}

static int mitigations_tell(void)
{
	char text[160];

	show_spectre_v2(text, sizeof(text));
	pr_info("mitigations: Spectre V2: %s", text);
	pr_info("mitigations: alternatives %x, page-table isolation %s", alternatives_chosen,
		alternative(ALT_PTI) ? "enabled" : "off");
	return 0;
}
INIT_CALL(INIT_LATE, mitigations_tell);
