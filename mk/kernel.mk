# The kernel image. Every kernel/…/module.mk names its module, the modules that it may include, its
# sources, and registers itself: module, uses, srcs, then $(eval $(register_module)). Sources that
# nobody waits for (set-up, controls, reports) are named in cold too, and compiled for size: the
# image has a limit, and what is small leaves the caches to what is hot.

# The canary is a per-CPU variable. Clang 14 knows per-CPU ones at fixed offsets only, and a global one by name: its
# assembly is given the segment and our name.
STACK_PROTECTOR := -fstack-protector-strong $(if $(findstring clang,$(CC)),-mstack-protector-guard=global, \
	-mstack-protector-guard=tls -mstack-protector-guard-reg=gs -mstack-protector-guard-symbol=stack_canary)
KCFLAGS := -std=gnu11 -g -ffreestanding -nostdinc -fno-pic -fno-pie -fno-common \
	-fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks -fno-omit-frame-pointer \
	$(STACK_PROTECTOR) -fno-asynchronous-unwind-tables -fcf-protection=none \
	-mcmodel=kernel -mno-red-zone -mgeneral-regs-only $(if $(findstring clang,$(CC)),-mstack-alignment=8,-mpreferred-stack-boundary=3) -march=x86-64 -mtune=generic \
	-ftrivial-auto-var-init=$(if $(filter release,$(FLAVOR)),zero,pattern) -fno-jump-tables \
	$(if $(findstring clang,$(CC)),-mretpoline-external-thunk,-mindirect-branch=thunk-extern -mindirect-branch-register) \
	-Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wshadow=local \
	-Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare
ifneq ($(findstring clang,$(CC)),)
KCFLAGS := $(subst -Wshadow=local,,$(KCFLAGS)) -Wthread-safety \
	-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang \
	-Wno-gnu-variable-sized-type-not-at-end -Wno-address-of-packed-member -Wno-unknown-warning-option
else
KCFLAGS += -Wno-address-of-packed-member
endif

# Returns through a thunk, where the compiler knows how (Clang from 15 on).
RETURN_THUNKS := $(shell $(CC) -Werror -mfunction-return=thunk-extern -x c -E /dev/null >/dev/null 2>&1 && echo -mfunction-return=thunk-extern)
KCFLAGS += $(RETURN_THUNKS)

KDEFS := $(if $(RETURN_THUNKS),-DCONFIG_RETURN_THUNKS)
ifneq ($(FLAVOR),release)
KDEFS += -DCONFIG_DEBUG -DCONFIG_KTEST
endif
ifeq ($(FLAVOR),kasan)
KDEFS += -DCONFIG_KASAN
ifneq ($(findstring clang,$(CC)),)
KASAN_FLAGS := -fsanitize=kernel-address -mllvm -asan-mapping-offset=0xdffffc0000000000 \
	-mllvm -asan-instrumentation-with-call-threshold=0
else
KASAN_FLAGS := -fsanitize=kernel-address -fasan-shadow-offset=0xdffffc0000000000 \
	--param asan-instrumentation-with-call-threshold=0 --param asan-stack=1 --param asan-globals=1
endif
endif
ifeq ($(FLAVOR),ubsan)
KDEFS += -DCONFIG_UBSAN
UBSAN_FLAGS := -fsanitize=bounds,shift,integer-divide-by-zero,unreachable,bool,enum,alignment,null,vla-bound \
	-Wno-array-bounds # GCC warns of the indices that its own checks reject
endif

ifeq ($(FLAVOR),race)
KDEFS += -DCONFIG_RACE
RACE_FLAGS := -fsanitize=thread --param tsan-distinguish-volatile=1 --param tsan-instrument-func-entry-exit=0 -Wno-tsan
endif
ifeq ($(FLAVOR),cover)
KDEFS += -DCONFIG_COVERAGE
COVER_FLAGS := -fsanitize-coverage=trace-pc
endif

# Linux's ABI headers, and nothing else of the host.
UAPI := $(B)/uapi
MULTIARCH := $(firstword $(wildcard /usr/include/x86_64-linux-gnu /usr/include))
KINCLUDES := $(addprefix -I,$(wildcard kernel/*/include kernel/*/*/include)) -isystem $(UAPI) \
	-isystem $(shell $(CC) -print-file-name=include)

$(UAPI)/.made:
	$(Q)mkdir -p $(UAPI)
	$(Q)ln -sfn /usr/include/linux $(UAPI)/linux
	$(Q)ln -sfn /usr/include/asm-generic $(UAPI)/asm-generic
	$(Q)ln -sfn $(MULTIARCH)/asm $(UAPI)/asm
	$(Q)touch $@

KSRCS :=
KMODULES :=
KCOLD :=
define register_module
mdir := $$(patsubst %/module.mk,%,$$(lastword $$(MAKEFILE_LIST)))
KSRCS += $$(addprefix $$(mdir)/,$(srcs))
$(if $(findstring CONFIG_KTEST,$(KDEFS)),KSRCS += $$(addprefix $$(mdir)/,$(ktests)))
KMODULES += $$(mdir)
KCOLD += $$(patsubst %.c,$(K)/$$(mdir)/%.o,$$(cold))
srcs :=
cold :=
ktests :=
uses :=
endef
include $(sort $(wildcard kernel/*/module.mk kernel/*/*/module.mk))

KOBJS := $(patsubst %,$(K)/%.o,$(basename $(KSRCS)))
LDS := kernel/arch/$(ARCH)/kernel.lds

# Flags for one object: objects listed in NOSAN_OBJS run too early, or are the sanitizer itself.
NOSAN_OBJS += sync/race dev/mem/coverage lib/mem lib/string arch/x86_64/early mm/kasan lib/ubsan boot/options
sanflags = $(if $(filter $(addprefix $(K)/kernel/,$(addsuffix .o,$(NOSAN_OBJS))),$@),,$(KASAN_FLAGS) $(UBSAN_FLAGS) $(COVER_FLAGS) $(RACE_FLAGS))

# Functions begin on a line of 16 bytes; padding within them costs fetches and the image 24 KiB.
KOPT := -O2 $(if $(findstring clang,$(CC)),,-fno-align-loops -fno-align-jumps -fno-align-labels)
$(KCOLD): KOPT := -Os

KFLAGS_STAMP := $(K)/.flags
$(shell mkdir -p $(K); printf '%s' '$(CC) $(KOPT) $(KCFLAGS) $(KCOLD) $(KDEFS) $(KASAN_FLAGS) $(UBSAN_FLAGS) $(COVER_FLAGS) $(RACE_FLAGS)' >$(K)/.flags.new; \
	cmp -s $(K)/.flags.new $(KFLAGS_STAMP) || cp $(K)/.flags.new $(KFLAGS_STAMP))

# A global canary that is left over, however it is spelled, is an undefined symbol for the linker.
ASSEMBLE := -Wa,--no-warn -c # it warns of debug information that is its own
to_object = $(if $(findstring clang,$(CC)),-S -MT $@ -o $(@:.o=.s),-c -o $@)
compile = $(CC) $(KOPT) $(KCFLAGS) $(KDEFS) $(sanflags) $(KINCLUDES) -MMD -MP $(to_object) $<$(if $(findstring clang,$(CC)), && \
	sed -i 's/__stack_chk_guard(%rip)/%gs:stack_canary(%rip)/' $(@:.o=.s) && $(CC) $(ASSEMBLE) -o $@ $(@:.o=.s))

$(K)/%.o: %.c $(UAPI)/.made $(KFLAGS_STAMP)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(compile)

$(K)/%.o: %.S $(UAPI)/.made $(KFLAGS_STAMP)
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -std=gnu11,$(KCFLAGS)) $(KDEFS) -D__ASSEMBLY__ $(KINCLUDES) -MMD -MP -c -o $@ $<

$(K)/kernel.lds: $(LDS) $(KFLAGS_STAMP)
	$(Q)$(CC) -E -P -x c $(KDEFS) -D__ASSEMBLY__ $(KINCLUDES) -o $@ $<

KLDFLAGS := -nostdlib -static -no-pie -Wl,-z,max-page-size=4096,-z,noexecstack,--build-id=none,--no-warn-rwx-segments -T $(K)/kernel.lds

# Two links: the tables of symbols, branch sites and relocations lie behind everything whose address they record.
$(K)/ksyms: tools/ksyms.c | $(K)/.flags
	$(Q)$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -o $@ $<
$(K)/ksyms-empty.S: $(K)/ksyms tools/sites.awk tools/relocs.awk
	$(Q)($(K)/ksyms; awk -v text=0 -f tools/sites.awk; awk -f tools/relocs.awk) </dev/null >$@
$(K)/ksyms-empty.o $(K)/ksyms.o: $(K)/%.o: $(K)/%.S
	$(Q)$(CC) -c -o $@ $<
$(K)/first.elf: $(KOBJS) $(K)/ksyms-empty.o $(K)/kernel.lds
	$(call say,LD,$@)
	$(Q)gcc $(KLDFLAGS) -Wl,--strip-debug,--emit-relocs -o $@ $(KOBJS) $(K)/ksyms-empty.o
$(K)/ksyms.S: $(K)/first.elf $(K)/ksyms tools/sites.awk tools/relocs.awk
	$(Q)nm -n $< | $(K)/ksyms >$@
	$(Q)readelf -rW $< | awk -v text=$$(nm $< | sed -n 's/ T _text$$//p') -f tools/sites.awk >>$@
	$(Q)(nm $<; readelf -rW $<) | awk -f tools/relocs.awk >>$@
$(KERNEL).debug: $(K)/first.elf $(K)/ksyms.o
	$(call say,LD,$@)
	$(Q)gcc $(KLDFLAGS) -o $@ $(KOBJS) $(K)/ksyms.o
$(KERNEL): $(KERNEL).debug
	$(Q)objcopy --strip-all $< $@

kernel: $(KERNEL)
# Compiles everything without linking: for work on single modules.
objects: $(KOBJS)

-include $(KOBJS:.o=.d)
.PHONY: kernel objects
