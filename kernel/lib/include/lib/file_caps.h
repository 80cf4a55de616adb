/* The value of the extended attribute security.capability: what a file grants to its program. */
#pragma once

#include <lib/types.h>

struct file_caps {
	u64 permitted, inheritable;
	u32 rootid;     /* the user whose root it is for; 0: everybody's */
	bool effective; /* the permitted set becomes effective at once */
};

#define FILE_CAPS_MAX_BYTES 24

/* 0, or -EINVAL for what is no such value. *out is complete only on success. */
int file_caps_parse(const void *value, size_t size, struct file_caps *out) __must_check;
/* Turns a value of revision 3 for root itself into revision 2, in place. The size, or -EINVAL. */
ssize_t file_caps_as_shown(void *value, size_t size) __must_check;
/* May the value be written today: revision 2 or 3 of the right size, without unknown flags? */
bool file_caps_writable(const void *value, size_t size);
