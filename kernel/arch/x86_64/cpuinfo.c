/* The text of /proc/cpuinfo, in Linux's format and with Linux's names of the features. */
#include <arch/cpu.h>
#include <lib/format.h>
#include <lib/string.h>
#include <x86/alternatives.h>
#include <x86/bugs.h>
#include <x86/clocks.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>

struct word_names {
	enum cpu_word word;
	const char *names[32];
};

/* In the order in which Linux lists its words. */
static const struct word_names flag_names[] = {
	{CPU_1_EDX, {"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL,
		     "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", NULL,
		     "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe"}},
	{CPU_81_EDX, {[11] = "syscall", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt",
		      [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm", [30] = "3dnowext",
		      [31] = "3dnow"}},
	{CPU_1_ECX, {"pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2",
		     "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca",
		     "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
		     "xsave", NULL, "avx", "f16c", "rdrand", "hypervisor"}},
	{CPU_81_ECX, {"lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a",
		      "misalignsse", "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt",
		      [15] = "lwp", [16] = "fma4", [17] = "tce", [21] = "tbm"}},
	{CPU_7_EBX, {"fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep", "bmi2",
		     "erms", "invpcid", "rtm", [14] = "mpx", [16] = "avx512f", [17] = "avx512dq",
		     [18] = "rdseed", [19] = "adx", [20] = "smap", [21] = "avx512ifma",
		     [23] = "clflushopt", [24] = "clwb", [28] = "avx512cd", [29] = "sha_ni",
		     [30] = "avx512bw", [31] = "avx512vl"}},
	{CPU_D1_EAX, {"xsaveopt", "xsavec", "xgetbv1", "xsaves"}},
	{CPU_7_ECX, {[1] = "avx512vbmi", [2] = "umip", [3] = "pku", [6] = "avx512_vbmi2",
		     [8] = "gfni", [9] = "vaes", [10] = "vpclmulqdq", [11] = "avx512_vnni",
		     [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq", [16] = "la57",
		     [22] = "rdpid", [25] = "cldemote", [27] = "movdiri", [28] = "movdir64b"}},
	{CPU_7_EDX, {[4] = "fsrm", [10] = "md_clear", [14] = "serialize", [28] = "flush_l1d",
		     [29] = "arch_capabilities"}},
};

static void emit_flags(void (*emit)(void *, const char *), void *ctx)
{
	for (u32 i = 0; i < ARRAY_SIZE(flag_names); i++) {
		u32 bits = cpu_feature_words[flag_names[i].word];

		for (u32 b = 0; b < 32; b++) {
			if (!(bits >> b & 1) || !flag_names[i].names[b])
				continue;
			emit(ctx, " ");
			emit(ctx, flag_names[i].names[b]);
		}
	}
}

static void emit_bugs(void (*emit)(void *, const char *), void *ctx)
{
	if (alternative(ALT_PTI))
		emit(ctx, " pti");
	emit(ctx, "\nbugs\t\t:");
	for (u32 f = 0; f < NR_FLAWS; f++) {
		if (!cpu_flawed(f))
			continue;
		emit(ctx, " ");
		emit(ctx, flaw_names[f]);
	}
}

static void vendor_name(char name[13])
{
	struct cpuid_regs r = cpuid(0, 0);

	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.edx, 4);
	memcpy(name + 8, &r.ecx, 4);
	name[12] = '\0';
}

static void model_name(char name[49])
{
	memset(name, 0, 49);
	if (cpuid(0x80000000, 0).eax < 0x80000004) {
		str_copy(name, "unknown", 49);
		return;
	}
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid(0x80000002 + i, 0);

		memcpy(name + 16 * i, &r, 16);
	}
}

static void emit_identity(u32 cpu, void (*emit)(void *, const char *), void *ctx)
{
	u32 sig = cpuid(1, 0).eax, family = sig >> 8 & 15, model = sig >> 4 & 15;
	char vendor[13], name[49], text[256];

	if (family == 6 || family == 15)
		model |= sig >> 12 & 0xf0;
	if (family == 15)
		family += sig >> 20 & 0xff;
	vendor_name(vendor);
	model_name(name);
	format(text, sizeof(text),
	       "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
	       "model name\t: %s\nstepping\t: %u\nmicrocode\t: 0x1\n",
	       cpu, vendor, family, model, name, sig & 15);
	emit(ctx, text);
}

void arch_cpuinfo(u32 cpu, void (*emit)(void *ctx, const char *text), void *ctx)
{
	u64 khz = clocks_tsc_hz() / 1000;
	u32 sizes = cpuid(0x80000000, 0).eax >= 0x80000008 ? cpuid(0x80000008, 0).eax : 0x3024;
	char text[384];

	emit_identity(cpu, emit, ctx);
	format(text, sizeof(text),
	       "cpu MHz\t\t: %llu.%03llu\ncache size\t: 0 KB\nphysical id\t: 0\nsiblings\t: %u\n"
	       "core id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\n"
	       "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
	       khz / 1000, khz % 1000, nr_cpus, cpu, nr_cpus, cpu_apic_id[cpu], cpu_apic_id[cpu],
	       cpuid(0, 0).eax);
	emit(ctx, text);
	emit_flags(emit, ctx);
	emit_bugs(emit, ctx);
	format(text, sizeof(text),
	       "\nbogomips\t: %llu.%02llu\nclflush size\t: 64\ncache_alignment\t: 64\n"
	       "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
	       khz / 500, khz / 5 % 100, sizes & 0xff, sizes >> 8 & 0xff);
	emit(ctx, text);
}
