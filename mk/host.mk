# The host's parts: the command, the guest's pid 1, the embedded root file system.
#
# Included by the top-level Makefile; `make -f mk/host.mk` builds these parts alone.
# Results: build/gatehouse, build/init, build/root.cpio.

B ?= build
Q ?= @
ifeq ($(origin CC),default)
CC := gcc
endif
ifndef say
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif
HOST := $(B)/host$(if $(findstring clang,$(CC)),-clang)

HOST_WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow
HOST_CFLAGS := -std=gnu11 -O2 -g $(HOST_WARNINGS) -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	-fPIE -Iuser/init -Itools/gatehouse -Ikernel/syscall/include -Ikernel/trace/include
# musl-gcc wraps GCC whatever $(CC) is: pid 1 is a guest program.
INIT_CC ?= musl-gcc
INIT_CFLAGS := -std=gnu11 -Os $(HOST_WARNINGS) -fno-asynchronous-unwind-tables \
	-ffunction-sections -Ikernel/trace/include -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu
BUSYBOX ?= $(firstword $(wildcard /bin/busybox /usr/bin/busybox))

TOOL_OBJ := $(patsubst %.c,$(HOST)/%.o,$(wildcard tools/gatehouse/*.c))
INIT_OBJ := $(patsubst %.c,$(HOST)/%.o,$(wildcard user/init/*.c))
MKROOT_OBJ := $(HOST)/tools/mkroot/mkroot.o \
	$(addprefix $(HOST)/tools/gatehouse/,cpio.o root.o error.o)

.PHONY: all host
all: host
host: $(B)/gatehouse $(B)/init $(B)/root.cpio

$(HOST)/user/init/%.o: user/init/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(INIT_CC) $(INIT_CFLAGS) -MMD -MP -c -o $@ $<

$(HOST)/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gatehouse: $(TOOL_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) -pie -o $@ $^ -lseccomp -ljson-c

$(B)/init: $(INIT_OBJ)
	$(call say,LD,$@)
	$(Q)$(INIT_CC) -static -s -Wl,--gc-sections -o $@ $^

$(HOST)/mkroot: $(MKROOT_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) -pie -o $@ $^

$(B)/root.cpio: $(HOST)/mkroot $(B)/init tools/mkroot/mkroot.sh $(wildcard tools/mkroot/etc/*) \
		$(BUSYBOX)
	@[ -n "$(BUSYBOX)" ] || { echo "no busybox for the root: install busybox-static" >&2; exit 1; }
	$(call say,ROOT,$@)
	$(Q)sh tools/mkroot/mkroot.sh $(BUSYBOX) $(B)/init tools/mkroot/etc > $(HOST)/root.list
	$(Q)$(HOST)/mkroot < $(HOST)/root.list > $@.new
	$(Q)mv $@.new $@

-include $(TOOL_OBJ:.o=.d) $(INIT_OBJ:.o=.d) $(MKROOT_OBJ:.o=.d)

# make run [CMD='shell command'] [RUN_OPTIONS='--cpus 2 …']
.PHONY: run
run: all
	$(Q)$(B)/gatehouse run $(if $(KERNEL),--kernel $(KERNEL)) $(RUN_OPTIONS) -- \
		$(if $(CMD),sh -c "$$CMD")
override export CMD := $(value CMD)

PREFIX ?= /usr/local
.PHONY: install
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/gatehouse
	install $(B)/gatehouse $(DESTDIR)$(PREFIX)/bin
	install $(B)/init $(DESTDIR)$(PREFIX)/lib/gatehouse
	install -m 644 $(B)/root.cpio $(B)/gatehouse.elf $(DESTDIR)$(PREFIX)/lib/gatehouse

# Tests of the command, on the kernel that GATEHOUSE_TEST_KERNEL names (default: Gatehouse's).
$(B)/tests/tool/pty_drive: tests/tool/pty_drive.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HOST_CFLAGS) -pie -o $@ $< -lutil

UNIT_SRC := tests/tool/unit.c $(addprefix tools/gatehouse/,channel.c cpio.c error.c stream.c)
$(B)/tests/tool/unit: $(UNIT_SRC) $(wildcard tools/gatehouse/*.h) user/init/control.h
	@mkdir -p $(@D)
	$(call say,CC,tests/tool/unit.c)
	$(Q)$(CC) -std=gnu11 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined \
		-fno-sanitize-recover=all -Iuser/init -Itools/gatehouse -o $@ $(UNIT_SRC) -lcmocka

$(B)/tests/tool/calls: tests/tool/calls.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(INIT_CC) -std=gnu11 -O2 -Wall -Wextra -Werror -static -s -o $@ $<

.PHONY: test-tool
test-tool: host $(B)/tests/tool/pty_drive $(B)/tests/tool/unit $(B)/tests/tool/calls
	$(Q)tests/tool/run.sh
