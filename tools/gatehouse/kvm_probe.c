/*
 * Does /dev/kvm run 64-bit kernel code, and at the speed of hardware?
 *
 * Hosts exist where /dev/kvm opens, a virtual machine can be made, and the guest then hangs or
 * crawls. Only running one tells. The guest here is a page of machine code in long mode at
 * privilege level 0: it changes its page table root, touches memory, counts a million down and
 * reports through a port. A child process runs it, because a hung KVM_RUN cannot be relied on to
 * return; the parent waits until the deadline and leaves the child to SIGKILL.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accel.h"

#define DEADLINE_MS 150

#define GUEST_SIZE 0x200000u
#define PML4_AT 0x1000u
#define PDPT_AT 0x2000u
#define PD_AT 0x3000u
#define CODE_AT 0x4000u
#define DATA_AT 0x100000u

#define PROBE_PORT 0xf4u
#define PROBE_ANSWER 0x47u

/* clang-format off */
static const uint8_t guest_code[] = {
	0x0f, 0x20, 0xd8,                               /* mov  rax, cr3 */
	0x0f, 0x22, 0xd8,                               /* mov  cr3, rax */
	0xb9, 0x40, 0x42, 0x0f, 0x00,                   /* mov  ecx, 1000000 */
	0xbf, 0x00, 0x00, 0x10, 0x00,                   /* mov  edi, DATA_AT */
	0x48, 0x01, 0x0f,                               /* loop: add [rdi], rcx */
	0xff, 0xc9,                                     /* dec  ecx */
	0x75, 0xf9,                                     /* jnz  loop */
	0x0f, 0x01, 0x3f,                               /* invlpg [rdi] */
	0x48, 0xb8, 0x20, 0x29, 0x5a, 0x6a, 0x74, 0, 0, 0, /* mov rax, 1+2+…+1000000 */
	0x48, 0x39, 0x07,                               /* cmp  [rdi], rax */
	0x75, 0x04,                                     /* jne  halt */
	0xb0, PROBE_ANSWER,                             /* mov  al, answer */
	0xe6, PROBE_PORT,                               /* out  port, al */
	0xf4,                                           /* halt: hlt */
};
/* clang-format on */

static void guest_build(uint8_t *memory)
{
	uint64_t entry;

	memcpy(memory + CODE_AT, guest_code, sizeof(guest_code));
	entry = PDPT_AT | 3;
	memcpy(memory + PML4_AT, &entry, sizeof(entry));
	entry = PD_AT | 3;
	memcpy(memory + PDPT_AT, &entry, sizeof(entry));
	entry = 0 | 0x83; /* one 2 MiB page: present, writable, large */
	memcpy(memory + PD_AT, &entry, sizeof(entry));
}

static bool enter_long_mode(int vcpu)
{
	struct kvm_segment code = {.limit = 0xffffffff,
				   .selector = 8,
				   .type = 11,
				   .present = 1,
				   .s = 1,
				   .l = 1,
				   .g = 1};
	struct kvm_segment data = {.limit = 0xffffffff,
				   .selector = 16,
				   .type = 3,
				   .present = 1,
				   .s = 1,
				   .db = 1,
				   .g = 1};
	struct kvm_regs regs = {.rip = CODE_AT, .rflags = 2, .rsp = GUEST_SIZE};
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return false;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = 0x80000001; /* PG, PE */
	sregs.cr3 = PML4_AT;
	sregs.cr4 = 0x20;   /* PAE */
	sregs.efer = 0x500; /* LMA, LME */
	return ioctl(vcpu, KVM_SET_SREGS, &sregs) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0;
}

static int make_vcpu(int kvm)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_SIZE};
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0)
		return -1;
	void *memory =
		mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -1;
	guest_build(memory);
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return -1;
	return ioctl(vm, KVM_CREATE_VCPU, 0);
}

/* True when the guest has given its answer. May hang: that is what the probe is for. */
static bool guest_answers(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0 || ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return false;
	int vcpu = make_vcpu(kvm);
	int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || run_size < (int)sizeof(struct kvm_run))
		return false;
	const struct kvm_run *run =
		mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || !enter_long_mode(vcpu) || ioctl(vcpu, KVM_RUN, 0) < 0)
		return false;
	return run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_OUT &&
	       run->io.port == PROBE_PORT &&
	       *((const uint8_t *)run + run->io.data_offset) == PROBE_ANSWER;
}

bool kvm_probe(void)
{
	int report[2];
	char answer = 0;

	if (pipe2(report, O_CLOEXEC) < 0)
		return false;
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer = guest_answers() ? 'y' : 'n';
		_exit(write(report[1], &answer, 1) != 1);
	}
	close(report[1]);
	struct pollfd ready = {.fd = report[0], .events = POLLIN};
	if (child > 0 && poll(&ready, 1, DEADLINE_MS) == 1 && read(report[0], &answer, 1) != 1)
		answer = 0;
	close(report[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		/* A child stuck inside KVM may outlast this process; it is not waited for. */
		waitpid(child, NULL, answer ? 0 : WNOHANG);
	}
	return answer == 'y';
}
