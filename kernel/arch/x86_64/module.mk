module := arch/x86_64
uses := lib sync sched mm task time boot dev signal syscall
# The gate, traps, contexts.
gate_srcs := entry.S gate.c traps.c switch.S context.c fpu.c signal_frame.c usercopy.c
# Boot, paging, processors, interrupts, clocks.
machine_srcs := pvh.S pvh_info.c early.c gdt.c cpu.c cpuinfo.c setup.c paging.c tlb.c lapic.c ioapic.c irq.c \
	smp.c string.S trampoline.S clocks.c kvmclock.c timer.c rtc.c power.c backtrace.c
srcs := $(gate_srcs) $(machine_srcs)
ktests := test/paging.c test/smp.c
NOSAN_OBJS += arch/x86_64/pvh_info
$(eval $(register_module))
