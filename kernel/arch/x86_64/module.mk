module := arch/x86_64
uses := lib sync sched mm task time boot dev signal syscall
# The gate, traps, contexts.
gate_srcs := entry.S thunks.S returns.S gate.c traps.c switch.S context.c core_notes.c ptrace.c debug_regs.c io_ports.c ldt.c espfix.c fpu.c signal_frame.c usercopy.c
# Boot, paging, processors, interrupts, clocks.
machine_srcs := pvh.S pvh_info.c early.c alternatives.c bugs.c mitigations.c speculation.c pti.c canary.c kaslr.c gdt.c cpu.c cpuinfo.c topology.c setup.c paging.c shadow.c tlb.c lapic.c ioapic.c irq.c \
	smp.c string.S trampoline.S clocks.c kvmclock.c timer.c rtc.c power.c backtrace.c \
	vdso.c vdso_image.S
srcs := $(gate_srcs) $(machine_srcs)
ktests := test/paging.c test/pti.c test/returns.c test/smp.c test/speculation.c
NOSAN_OBJS += arch/x86_64/pvh_info arch/x86_64/kaslr arch/x86_64/cpu arch/x86_64/shadow
cold := clocks.c cpuinfo.c debug_regs.c early.c ioapic.c io_ports.c kvmclock.c power.c \
	ptrace.c pvh_info.c rtc.c setup.c smp.c topology.c backtrace.c
$(eval $(register_module))

# The vDSO is user-mode code: none of the kernel's flags, and linked on its own.
VDSO := $(K)/vdso/vdso.so
VDSO_CFLAGS := -std=gnu11 -O2 -ffreestanding -nostdinc -fPIC -fvisibility=hidden -fno-common \
	-fno-strict-aliasing -fno-stack-protector -fomit-frame-pointer -fcf-protection=none \
	-fasynchronous-unwind-tables -mgeneral-regs-only -mtune=generic -Wall -Wextra -Werror \
	-Wno-unused-parameter
VDSO_LDFLAGS := -nostdlib -shared -Wl,-soname,linux-vdso.so.1,--hash-style=both,-Bsymbolic \
	-Wl,--eh-frame-hdr,--build-id=sha1,-z,max-page-size=4096,-z,noexecstack,-z,text,-z,norelro,-s
$(K)/vdso/vdso.o: kernel/arch/x86_64/vdso/vdso.c $(UAPI)/.made $(KFLAGS_STAMP)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) $(KINCLUDES) -MMD -MP -c -o $@ $<
$(VDSO): $(K)/vdso/vdso.o kernel/arch/x86_64/vdso/vdso.lds
	$(call say,LD,$@)
	$(Q)gcc $(VDSO_LDFLAGS) -Wl,-T,kernel/arch/x86_64/vdso/vdso.lds -o $@ $<
$(K)/kernel/arch/x86_64/vdso_image.o: KDEFS += -DVDSO_IMAGE='"$(VDSO)"'
$(K)/kernel/arch/x86_64/vdso_image.o: $(VDSO)
-include $(K)/vdso/vdso.d
