module := arch/x86_64
uses := lib sync sched mm task time boot dev signal syscall
# The gate, traps, contexts.
gate_srcs :=
# Boot, paging, processors, interrupts, clocks.
machine_srcs :=
srcs := $(gate_srcs) $(machine_srcs)
ktests :=
$(eval $(register_module))
