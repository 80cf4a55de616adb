# Test programs: static Linux programs built with musl, one per file of tests/<set>/.
#
#   make tests                 build them all under build/tests/<set>/
#   make test-<set>-<platform> run a set: abi boundary regress stress; host linux gatehouse
#
# Included by the top Makefile; also usable alone: make -f mk/tests.mk tests

B ?= build
TEST_CC ?= musl-gcc
TEST_SETS := abi boundary regress stress
TEST_OUT := $(B)/tests
TEST_UAPI := $(B)/uapi
TEST_CFLAGS = -std=gnu11 -O2 -g0 -D_GNU_SOURCE -Wall -Wextra -Werror -fno-strict-aliasing \
	-Wno-stringop-overread -Wno-stringop-overflow -Wno-array-bounds -Wno-nonnull \
	-fno-stack-protector -pthread -Itests/include -isystem $(TEST_UAPI) \
	-MMD -MP -MF $(TEST_OUT)/deps/$(@F)-$(notdir $(@D)).d
TEST_LDFLAGS := -static -s

TEST_PROGRAMS := $(foreach s,$(TEST_SETS),\
	$(patsubst tests/%.c,$(TEST_OUT)/%,$(wildcard tests/$(s)/*.c)))

.PHONY: tests
tests: $(TEST_PROGRAMS) $(TEST_OUT)/runner

$(TEST_UAPI)/.ready:
	mkdir -p $(TEST_UAPI)
	ln -sfn /usr/include/linux $(TEST_UAPI)/linux
	ln -sfn /usr/include/asm-generic $(TEST_UAPI)/asm-generic
	ln -sfn /usr/include/x86_64-linux-gnu/asm $(TEST_UAPI)/asm
	touch $@

$(TEST_OUT)/test.o: tests/include/test.c $(TEST_UAPI)/.ready
	@mkdir -p $(@D) $(TEST_OUT)/deps
	$(TEST_CC) $(TEST_CFLAGS) -c -o $@ $<

$(TEST_OUT)/runner: tests/runner/runner.c $(TEST_UAPI)/.ready
	@mkdir -p $(@D) $(TEST_OUT)/deps
	$(TEST_CC) $(TEST_CFLAGS) $(TEST_LDFLAGS) -o $@ $<

$(TEST_PROGRAMS): $(TEST_OUT)/%: tests/%.c $(TEST_OUT)/test.o $(TEST_UAPI)/.ready
	@mkdir -p $(@D) $(TEST_OUT)/deps
	$(TEST_CC) $(TEST_CFLAGS) $(TEST_LDFLAGS) -o $@ $< $(TEST_OUT)/test.o

# The system-call fuzzer: the kernel's own table is its grammar.
$(TEST_OUT)/fuzz/sysfuzz: $(wildcard tests/fuzz/*.c tests/fuzz/*.h kernel/syscall/include/syscall/*.def) $(TEST_UAPI)/.ready
	@mkdir -p $(@D) $(TEST_OUT)/deps
	$(TEST_CC) $(TEST_CFLAGS) $(TEST_LDFLAGS) -Ikernel/syscall/include -o $@ $(filter %.c,$^)
tests: $(TEST_OUT)/fuzz/sysfuzz

# make fuzz [TIME=seconds] [FLAVOR=kasan] [ALL=1]; ALL: programs with nearly all capabilities. With FLAVOR=cover,
# what reaches new code is kept in build/tests/found; `tests/fuzz/run -f cover -- -x` tells what of a corpus is needed.
.PHONY: fuzz
fuzz: all tests
	tests/fuzz/run $(if $(ALL),-a) -f $(FLAVOR) -t $(or $(TIME),60) $(if $(filter cover,$(FLAVOR)),-k $(B)/tests/found)

# The lines that abi, boundary and the corpus reach in the code that guards the gate, and in all.
.PHONY: coverage
GUARDS := $(addprefix kernel/arch/x86_64/,gate.c usercopy.c signal_frame.c) kernel/mm/user.c \
	$(addprefix kernel/,seccomp signal ptrace syscall)
MAPS := $(addprefix $(TEST_OUT)/map.,abi boundary corpus)
coverage: all tests
	$(Q)$(MAKE) -s FLAVOR=cover kernel
	TEST_COVERAGE=$(TEST_OUT)/map.abi tests/run -c 2 -f cover abi
	TEST_COVERAGE=$(TEST_OUT)/map.boundary tests/run -c 2 -f cover boundary
	tests/fuzz/run -f cover -t 200 -m $(TEST_OUT)/map.corpus -- -x
	$(Q)tests/fuzz/report $(MAPS) -- $(GUARDS)
	$(Q)tests/fuzz/report $(MAPS) | tail -1

-include $(wildcard $(TEST_OUT)/deps/*.d)

# One guest boot each; TEST_CPUS, TEST_MACHINE and FLAVOR choose the machine and the kernel.
TEST_CPUS ?= 1
TEST_MACHINE ?= microvm
TEST_RUN = tests/run -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
TEST_SET_TARGETS := $(foreach s,$(TEST_SETS),$(foreach p,host linux gatehouse,test-$(s)-$(p)))

.PHONY: $(TEST_SET_TARGETS) test-busybox test-busybox-suite test-busybox-suite-slow
$(TEST_SET_TARGETS): tests
	$(TEST_RUN) -p $(lastword $(subst -, ,$@)) $(word 2,$(subst -, ,$@))

$(foreach s,$(TEST_SETS),test-$(s)-linux test-$(s)-gatehouse) test-busybox: $(B)/gatehouse $(B)/init
$(foreach s,$(TEST_SETS),test-$(s)-gatehouse) test-busybox: $(KERNEL)

test-busybox:
	tests/busybox/compare -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)

.PHONY: test-tools
test-tools: $(B)/gatehouse $(B)/init $(KERNEL)
	tests/apps/tools

# Power cuts: POWERCUT_POINTS crash images of recorded runs of all workloads, half of them of the first;
# those of PostgreSQL take some seconds each.
POWERCUT_POINTS ?= 1000
POWERCUT_OUT := $(TEST_OUT)/powercut

$(POWERCUT_OUT)/spool $(TEST_OUT)/mutated/walk $(TEST_OUT)/mutated/alias $(TEST_OUT)/faults/check: $(TEST_OUT)/%: tests/%.c $(TEST_UAPI)/.ready
	@mkdir -p $(@D) $(TEST_OUT)/deps
	$(TEST_CC) $(TEST_CFLAGS) $(TEST_LDFLAGS) -o $@ $<
$(TEST_OUT)/mutated/walk $(TEST_OUT)/mutated/alias: tests/mutated/image.h
$(POWERCUT_OUT)/replay: tests/powercut/replay.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -o $@ $<
tests: $(POWERCUT_OUT)/spool $(POWERCUT_OUT)/replay $(TEST_OUT)/mutated/walk $(TEST_OUT)/mutated/alias $(TEST_OUT)/faults/check

.PHONY: powercut
powercut: tests $(B)/gatehouse $(B)/init $(KERNEL)
	tests/powercut/run -n $$(($(POWERCUT_POINTS) / 2)) -o 1000
	tests/powercut/run -w sqlite -n $$(($(POWERCUT_POINTS) / 4)) -o 200
	tests/powercut/run -w git -n $$(($(POWERCUT_POINTS) * 3 / 20)) -o 60
	tests/powercut/run -w postgresql -n $$(($(POWERCUT_POINTS) / 10)) -o 100

# The host's e2fsprogs and Gatehouse read each other's Debian root, byte for byte.
.PHONY: test-interop
test-interop: $(B)/gatehouse $(B)/init $(KERNEL)
	tests/interop/run -f $(or $(FLAVOR),release) "$$(tests/apps/make-root -l tests/apps/packages-disk)"

# busybox's own suite; the second is its `bc`, minutes of computing.
test-busybox-suite: $(B)/gatehouse $(B)/init $(KERNEL)
	tests/suites/busybox
test-busybox-suite-slow: $(B)/gatehouse $(B)/init $(KERNEL)
	tests/suites/busybox -s

# Programs of Debian's beside Linux: cases, stressors, tools; suites of programs that nobody here wrote.
# Hours on a small machine the first time, most of them Linux's, whose records are kept.
.PHONY: test-apps test-apps-disk test-apps-debug test-apps-rules test-stress-ng
.PHONY: test-posix-suite test-kernel-suite test-ptrace-suite test-strace-suite
test-apps test-apps-disk test-apps-debug test-apps-rules test-stress-ng test-posix-suite test-kernel-suite \
		test-ptrace-suite test-strace-suite: $(B)/gatehouse $(B)/init $(KERNEL)
test-apps:
	tests/apps/compare -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-apps-disk:
	tests/apps/compare -d -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-apps-debug:
	tests/apps/compare -g -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-apps-rules:
	tests/apps/compare -s -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-stress-ng:
	tests/apps/stress-ng -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-posix-suite:
	tests/suites/posix -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-kernel-suite:
	tests/suites/kernel -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-ptrace-suite:
	tests/suites/ptrace -c $(TEST_CPUS) -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)
test-strace-suite:
	tests/suites/strace -m $(TEST_MACHINE) -f $(or $(FLAVOR),release)

# What is said of the CPU's flaws, on several models of QEMU's, beside Linux.
.PHONY: test-mitigations
test-mitigations: $(B)/gatehouse $(B)/init $(KERNEL)
	tests/mitigations/compare

# The host's gdb opens a core file of Gatehouse's.
.PHONY: test-gdb
test-gdb: $(B)/gatehouse $(B)/init $(KERNEL)
	tests/gdb/run

BENCH_OUT := $(B)/bench
BENCH_PROGRAMS := $(addprefix $(BENCH_OUT)/,ops preempt scale share disk files spawn first_user pvh_entry)

$(addprefix $(BENCH_OUT)/,ops preempt scale share disk files spawn): $(BENCH_OUT)/%: bench/%.c bench/measure.h $(TEST_UAPI)/.ready
	@mkdir -p $(@D)
	$(TEST_CC) -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -Werror -pthread -static -s \
		-isystem $(TEST_UAPI) -o $@ $<
$(BENCH_OUT)/first_user: bench/first_user.S $(TEST_UAPI)/.ready
	@mkdir -p $(@D)
	gcc -isystem $(TEST_UAPI) -nostdlib -static -no-pie -s -o $@ $<
$(BENCH_OUT)/pvh_entry: bench/pvh_entry.S
	@mkdir -p $(@D)
	gcc -m32 -nostdlib -static -no-pie -Wl,-Ttext=0x100000,--build-id=none -s -o $@ $<

.PHONY: bench bench-latency bench-programs bench-scale bench-share bench-disk bench-disk-programs bench-mitigations
bench bench-latency bench-programs bench-scale bench-share bench-disk bench-disk-programs bench-mitigations: $(BENCH_PROGRAMS) $(B)/gatehouse $(B)/init $(B)/root.cpio $(KERNEL)
bench:
	bench/run
bench-latency:
	bench/latency
bench-programs:
	bench/run-programs
	bench/run-programs -w 3 make-lua strace-make-lua
bench-scale:
	bench/scale-run
bench-share:
	bench/run-share
bench-disk-programs:
	bench/run-disk-programs
bench-disk:
	bench/run-disk
	bench/run-disk -f
	bench/run-disk -i
bench-mitigations:
	bench/run-mitigations

# Everything that continuous integration runs.
.PHONY: test test-debug-kernel test-flavours
test-debug-kernel:
	$(Q)$(MAKE) -s FLAVOR=debug kernel
test: all tests test-debug-kernel
	$(Q)tests/all

# The attacks with heavy parameters: 10 000 register sets for each call number, 100 000 crossings.
.PHONY: test-full
test-full: all tests
	TEST_FULL=1 TEST_VERBOSE=1 TEST_TIMEOUT=7000 TEST_RUN_TIMEOUT=9000 tests/run -c 2 boundary

# What the checked flavours say to all of it: an hour or so on two cores.
test-flavours: all tests
	$(Q)for flavour in debug kasan ubsan; do $(MAKE) -s FLAVOR=$$flavour kernel || exit 1; done
	$(Q)tests/flavours
