/* The system's names, as uname(2) reports them. */
#pragma once

#include <linux/utsname.h>

/* A consistent copy. May sleep. */
void uts_get(struct new_utsname *out);
/* From /proc/sys/kernel; the text is cut to 64 bytes. 0 or -EPERM. */
int uts_set_nodename(const char *name) __attribute__((warn_unused_result));
int uts_set_domainname(const char *name) __attribute__((warn_unused_result));
