# Host unit tests: every kernel/**/test/host_*.c is one cmocka program. A line `links: a.c b.c` in
# its first comment names the kernel sources under test, relative to kernel/.
#
#   make hosttest    builds all of them with ASan and UBSan, runs them, sums up

HOSTTEST_SRCS := $(wildcard kernel/*/test/host_*.c kernel/*/*/test/host_*.c)
HOSTTEST_OUT := $(B)/hosttest
HOSTTEST_BINS := $(patsubst kernel/%.c,$(HOSTTEST_OUT)/%,$(HOSTTEST_SRCS))
HOSTTEST_CFLAGS := -std=gnu11 -O1 -g -DGATEHOUSE_HOST -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-sign-compare -Wno-missing-field-initializers -fno-strict-aliasing -fwrapv \
	-fno-sanitize-recover=all -fsanitize=address,undefined -Wno-unknown-warning-option \
	$(addprefix -I,$(wildcard kernel/*/include kernel/*/*/include))
hosttest_links = $(addprefix kernel/,$(shell sed -n 's/.*links: *\([^*]*\).*/\1/p' $(1) | head -1))

# The compiler tells the headers of the last source of a line only: any of them makes the tests anew.
HOSTTEST_HEADERS := $(wildcard kernel/*/include/*/*.h kernel/*/*/include/*/*.h)

define hosttest_rule
$(HOSTTEST_OUT)/$(1): kernel/$(1).c $$(call hosttest_links,kernel/$(1).c) kernel/lib/test/host.c kernel/lib/test/host.h $$(HOSTTEST_HEADERS)
	$$(call say,HOSTCC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(HOSTTEST_CFLAGS) -Ikernel/lib/test -o $$@ $$(filter %.c,$$^) -lcmocka
endef
$(foreach t,$(patsubst kernel/%.c,%,$(HOSTTEST_SRCS)),$(eval $(call hosttest_rule,$(t))))

hosttest: $(HOSTTEST_BINS)
	$(Q)passed=0; failed=0; for t in $(HOSTTEST_BINS); do \
		CMOCKA_MESSAGE_OUTPUT=TAP $$t >$$t.log 2>&1; status=$$?; \
		p=$$(grep -c '^ok ' $$t.log); f=$$(grep -c '^not ok ' $$t.log); \
		[ $$status -eq 0 ] || { [ $$f -gt 0 ] || f=1; grep -v '^ok ' $$t.log | head -40; }; \
		passed=$$((passed + p)); failed=$$((failed + f)); \
	done; echo "host tests: $$passed passed, $$failed failed"; [ $$failed -eq 0 ]

.PHONY: hosttest

# Fuzz targets: every kernel/**/test/fuzz_*.c is one libFuzzer program, with the same `links:` line.
#
#   make fuzz-parsers TIME=20    builds them with Clang and runs each for that long
FUZZ_OUT := $(B)/fuzz
FUZZ_BINS := $(patsubst kernel/%.c,$(FUZZ_OUT)/%,$(wildcard kernel/*/test/fuzz_*.c kernel/*/*/test/fuzz_*.c))

define fuzz_rule
$(FUZZ_OUT)/$(1): kernel/$(1).c $$(call hosttest_links,kernel/$(1).c) kernel/lib/test/host.c
	$$(call say,FUZZCC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)clang $$(HOSTTEST_CFLAGS) -fsanitize=fuzzer -Ikernel/lib/test -o $$@ $$(filter %.c,$$^)
-include $(FUZZ_OUT)/$(1).d
endef
$(foreach t,$(patsubst $(FUZZ_OUT)/%,%,$(FUZZ_BINS)),$(eval $(call fuzz_rule,$(t))))

fuzz-parsers: $(FUZZ_BINS)
	$(Q)for t in $(FUZZ_BINS); do \
		$$t -max_total_time=$(or $(TIME),20) -artifact_prefix=$$t- >$$t.log 2>&1 || { tail -30 $$t.log; exit 1; }; \
		tail -1 $$t.log; \
	done

.PHONY: fuzz-parsers
