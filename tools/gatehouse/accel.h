/*
 * Choosing QEMU's accelerator.
 */
#pragma once

#include <stdbool.h>

#include "options.h"

/* KVM or TCG for these options; with `auto`, KVM only where it has just proved to work. */
enum accel_choice accel_choose(const struct run_options *options);

/*
 * Runs a tiny 64-bit guest through /dev/kvm, in a child process and with a deadline. True when the
 * guest did its work at the speed of hardware. Never blocks for longer than the deadline.
 */
bool kvm_probe(void);
