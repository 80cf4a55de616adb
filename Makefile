# Gatehouse: `make` builds everything into build/; see README.md for the targets.
# FLAVOR=release|debug|kasan|ubsan|race|cover   CC=gcc|clang   V=1 shows the commands.
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

ifeq ($(origin CC),default)
CC := gcc
endif
FLAVOR ?= release
ARCH := x86_64
Q := $(if $(V),,@)
# Neither with V=1 nor with make -s, whose letter is in the first word of MAKEFLAGS.
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-7s %s\n' '$(1)' '$(2)')

B := build
K := $(B)/kernel-$(FLAVOR)$(if $(findstring clang,$(CC)),-clang)
SUFFIX := $(if $(filter release,$(FLAVOR)),,-$(FLAVOR))$(if $(findstring clang,$(CC)),-clang)
KERNEL := $(B)/gatehouse$(SUFFIX).elf

include mk/kernel.mk
-include mk/host.mk
-include mk/tests.mk
-include mk/hosttest.mk

all: $(KERNEL)

# docs/syscalls.md, from the tables and the kernel that was linked.
docs: $(KERNEL)
	$(Q)tools/gen-syscalls-doc $(KERNEL).debug >$(B)/syscalls.md
	$(Q)cmp -s $(B)/syscalls.md docs/syscalls.md || cp $(B)/syscalls.md docs/syscalls.md

clean:
	$(Q)rm -rf $(B)

.PHONY: all clean docs
