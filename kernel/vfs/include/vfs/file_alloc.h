/* Making struct file, for open(2) alone: everybody else uses file_open_* and file_create_anon. */
#pragma once

#include <vfs/file.h>

/*
 * A file on p with one reference and references of its own on the path and the caller's
 * credentials. flags O_*: f->flags is set without O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC and
 * O_CLOEXEC; f->mode gets FMODE_READ and FMODE_WRITE, FMODE_PREAD and FMODE_SEEK (FMODE_PATH alone, and
 * empty operations, for O_PATH); f->ops is the inode's fops. No operation is called. -ENFILE: there
 * are as many as fs.file-max allows; -ENOMEM.
 */
int file_alloc(const struct path *p, u32 flags, struct file **out) __must_check;
/*
 * Frees a file whose open failed: no flush, no release; drops path and credentials. FMODE_WROTE is
 * honoured (file_drop_write), as in the last file_put.
 */
void file_free(struct file *f);
/* Gives back what FMODE_WROTE stands for: the write counts of inode and mount. Owner: open.c. */
void file_drop_write(struct file *f);
