/*
 * Host directories that the guest mounts over virtio-9p: the live root and the volumes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

struct share {
	const char *path;  /* on the host */
	const char *guest; /* where it is mounted; "/": the root */
	char tag[16];
	bool read_only;
	bool privileged; /* QEMU runs as root: it can give files any owner */
	bool is_linux;
};

/*
 * The shares that the options ask for, the root first; their number. Dies on a directory that is not
 * one or cannot be searched, and on wrong use.
 */
size_t shares_choose(const struct share **shares, const struct run_options *options, bool is_linux);

/* What the guest's init is told (CONTROL_MOUNT); the caller frees it. */
char *share_describe(const struct share *share);
