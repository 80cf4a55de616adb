module := arch/x86_64
uses := lib sync sched mm task time boot dev signal syscall
# The gate, traps, contexts.
gate_srcs := entry.S gate.c traps.c switch.S context.c fpu.c signal_frame.c usercopy.c
# Boot, paging, processors, interrupts, clocks.
machine_srcs :=
srcs := $(gate_srcs) $(machine_srcs)
ktests :=
$(eval $(register_module))
