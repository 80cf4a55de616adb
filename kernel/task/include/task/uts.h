/* The system's names, as uname(2) reports them. */
#pragma once

#include <linux/utsname.h>

/* A consistent copy. May sleep. */
void uts_get(struct new_utsname *out);
/* The text is cut to 64 bytes; who may do it is the caller's question. May sleep. */
void uts_set_nodename(const char *name);
void uts_set_domainname(const char *name);
