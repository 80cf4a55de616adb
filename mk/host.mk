# The host's parts: the command, the guest's pid 1, the embedded root file system.
#
# Included by the top-level Makefile; `make -f mk/host.mk` builds these parts alone.
# Results: build/gatehouse, build/init, build/root.cpio.

BUILD ?= build
ifeq ($(origin CC),default)
CC = gcc
endif

HOST_WARNINGS = -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow
HOST_CFLAGS = -std=gnu11 -O2 -g $(HOST_WARNINGS) -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	-Iuser/init -Itools/gatehouse
# musl-gcc wraps GCC whatever $(CC) is: pid 1 is a guest program, not part of the host's tool chain.
INIT_CC ?= musl-gcc
INIT_CFLAGS = -std=gnu11 -Os $(HOST_WARNINGS) -fno-asynchronous-unwind-tables -ffunction-sections
BUSYBOX ?= $(firstword $(wildcard /bin/busybox /usr/bin/busybox))

TOOL_SRC = $(wildcard tools/gatehouse/*.c)
TOOL_OBJ = $(TOOL_SRC:%.c=$(BUILD)/host/%.o)
INIT_SRC = $(wildcard user/init/*.c)
INIT_OBJ = $(INIT_SRC:%.c=$(BUILD)/host/%.o)
MKROOT_OBJ = $(BUILD)/host/tools/mkroot/mkroot.o \
	$(addprefix $(BUILD)/host/tools/gatehouse/,cpio.o root.o error.o)
ROOT_ETC = $(wildcard tools/mkroot/etc/*)

.PHONY: host
host: $(BUILD)/gatehouse $(BUILD)/init $(BUILD)/root.cpio

$(BUILD)/host/user/init/%.o: user/init/%.c
	@mkdir -p $(@D)
	$(INIT_CC) $(INIT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/host/tools/%.o: tools/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gatehouse: $(TOOL_OBJ)
	$(CC) -pie -o $@ $^

$(BUILD)/init: $(INIT_OBJ)
	$(INIT_CC) -static -s -Wl,--gc-sections -o $@ $^

$(BUILD)/mkroot: $(MKROOT_OBJ)
	$(CC) -o $@ $^

$(BUILD)/root.cpio: $(BUILD)/mkroot $(BUILD)/init tools/mkroot/mkroot.sh $(ROOT_ETC) $(BUSYBOX)
	sh tools/mkroot/mkroot.sh $(BUSYBOX) $(BUILD)/init tools/mkroot/etc > $@.list
	$(BUILD)/mkroot < $@.list > $@.new
	mv $@.new $@

-include $(TOOL_OBJ:.o=.d) $(INIT_OBJ:.o=.d) $(MKROOT_OBJ:.o=.d)
