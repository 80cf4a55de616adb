/*
 * The guest's root file system as an initramfs image.
 */
#pragma once

#include <stdint.h>

#include "cpio.h"

/* Copies the entries of a newc archive, without its trailer. Dies on a malformed one. */
void root_add_archive(struct cpio_writer *writer, const char *path);

/* Adds one host file as `name`. Dies on what cannot be read. */
void root_add_file(struct cpio_writer *writer, const char *path, const char *name, mode_t mode);
