/* The #! line. */
#pragma once

#include <lib/errno.h>
#include <lib/types.h>

/*
 * Cuts the line in head (len bytes, at least one more byte of room, zero behind the file's end)
 * into interpreter and optional argument (NULL: none); both point into head. 0 or -ENOEXEC.
 */
int script_parse(char *head, size_t len, char **interp, char **arg) __must_check;
