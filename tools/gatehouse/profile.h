/*
 * seccomp profiles in the OCI and Docker JSON format, made into a filter program.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* A filter as seccomp(2) takes it. */
struct profile {
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
	struct sock_filter *filter;
	size_t len; /* instructions; 0: none */
};

/*
 * Reads the file that --seccomp names. Dies with one line when it is no valid profile. Without the
 * option *profile is empty.
 */
void profile_load(struct profile *profile, const struct run_options *options);
