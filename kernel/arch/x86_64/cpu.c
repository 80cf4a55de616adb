/*
 * The processors' identity: feature words, /proc/cpuinfo, hardware capabilities, the random-number
 * instructions, idling. Immutable after cpu_features_init() and arch_smp_boot().
 */
#include <arch/cpu.h>
#include <lib/string.h>
#include <x86/cpu_init.h>
#include <x86/cpuid.h>
#include <x86/msr.h>

DEFINE_PER_CPU(uptr, this_cpu_off);
DEFINE_PER_CPU(u32, cpu_number);

uptr percpu_offset[MAX_CPUS] __ro_after_init;
u32 cpu_apic_id[MAX_CPUS] __ro_after_init;
u32 nr_cpus __ro_after_init = 1;
struct cpumask cpus_online = {1};

u32 cpu_feature_words[NR_CPU_WORDS] __ro_after_init;
u64 arch_hwcap __ro_after_init;
u64 arch_hwcap2 __ro_after_init;
const char arch_machine_name[] = "x86_64";

void cpu_features_init(void)
{
	u32 *w = cpu_feature_words;
	u32 max = cpuid(0, 0).eax, max_ext = cpuid(0x80000000, 0).eax;

	w[CPU_1_EDX] = cpuid(1, 0).edx;
	w[CPU_1_ECX] = cpuid(1, 0).ecx;
	if (max >= 6)
		w[CPU_6_EAX] = cpuid(6, 0).eax;
	if (max >= 7) {
		struct cpuid_regs r = cpuid(7, 0);

		w[CPU_7_EBX] = r.ebx;
		w[CPU_7_ECX] = r.ecx;
		w[CPU_7_EDX] = r.edx;
	}
	if (max >= 0xd)
		w[CPU_D1_EAX] = cpuid(0xd, 1).eax;
	if (max_ext >= 0x80000001) {
		w[CPU_81_ECX] = cpuid(0x80000001, 0).ecx;
		w[CPU_81_EDX] = cpuid(0x80000001, 0).edx;
	}
	if (max_ext >= 0x80000007)
		w[CPU_87_EDX] = cpuid(0x80000007, 0).edx;
	if (max_ext >= 0x80000008)
		w[CPU_88_EBX] = cpuid(0x80000008, 0).ebx;
	if (max_ext >= 0x80000021)
		w[CPU_A1_EAX] = cpuid(0x80000021, 0).eax;
	arch_hwcap = w[CPU_1_EDX];
	arch_hwcap2 = cpu_has(CPU_FSGSBASE) ? 1 << 1 : 0;
}

bool cpu_hypervisor(char signature[13], u32 *max_leaf)
{
	struct cpuid_regs r;

	if (!cpu_has(CPU_HYPERVISOR))
		return false;
	r = cpuid(0x40000000, 0);
	memcpy(signature, &r.ebx, 4);
	memcpy(signature + 4, &r.ecx, 4);
	memcpy(signature + 8, &r.edx, 4);
	signature[12] = '\0';
	*max_leaf = r.eax;
	return true;
}

void arch_cpu_idle(void)
{
	/* STI takes effect after HLT has begun: a wake-up in between is not lost. */
	__asm__ __volatile__("sti; hlt" ::: "memory");
}

u64 arch_cycles(void)
{
	return rdtsc();
}

static bool rdseed(u64 *v)
{
	bool ok;

	__asm__ __volatile__("rdseed %0" : "=r"(*v), "=@ccc"(ok));
	return ok;
}

static bool rdrand(u64 *v)
{
	bool ok;

	__asm__ __volatile__("rdrand %0" : "=r"(*v), "=@ccc"(ok));
	return ok;
}

static bool random_word(u64 *v)
{
	for (u32 i = 0; i < 8 && cpu_has(CPU_RDSEED); i++) {
		if (rdseed(v))
			return true;
		cpu_relax();
	}
	for (u32 i = 0; i < 10 && cpu_has(CPU_RDRAND); i++) {
		if (rdrand(v))
			return true;
	}
	return false;
}

size_t arch_random(void *buf, size_t len)
{
	size_t done = 0;
	u64 v;

	while (done < len && random_word(&v)) {
		size_t n = MIN(len - done, sizeof(v));

		memcpy((u8 *)buf + done, &v, n);
		done += n;
	}
	return done;
}
