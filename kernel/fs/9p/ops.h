/*
 * The operations of 9p2000.L, one function each. All sleep. They return 0, the server's errno, -EIO
 * (nonsense from the server, a lost share), -EINTR (killed) or -ENOMEM.
 */
#pragma once

#include "client.h"

struct p9_name {
	const char *s;
	u32 len;
};

int p9_attach(struct p9_client *c, struct p9_fid *root, struct p9_qid *qid) __must_check;
/*
 * Walks nr names (at most P9_MAX_WALK; 0 makes a copy) to a new fid; qids, which may be NULL, has
 * room for nr. All or nothing: -ENOENT when the server stops half-way.
 */
int p9_walk(struct p9_fid *from, const struct p9_name *names, u32 nr, struct p9_qid *qids,
	    struct p9_fid **to) __must_check;
int p9_getattr(struct p9_fid *f, struct p9_attr *a) __must_check;
int p9_setattr(struct p9_fid *f, const struct p9_setattr *a) __must_check;
/* flags O_*; on success f is open and access becomes f->access. */
int p9_open(struct p9_fid *f, u32 flags, u32 access, struct p9_qid *qid) __must_check;
/* dir's fid becomes the open file. */
int p9_create(struct p9_fid *dir, const struct p9_name *name, u32 flags, u32 access, u32 mode,
	      u32 gid, struct p9_qid *qid) __must_check;
int p9_mkdir(struct p9_fid *dir, const struct p9_name *name, u32 mode, u32 gid,
	     struct p9_qid *qid) __must_check;
int p9_mknod(struct p9_fid *dir, const struct p9_name *name, u32 mode, u64 rdev, u32 gid,
	     struct p9_qid *qid) __must_check;
int p9_symlink(struct p9_fid *dir, const struct p9_name *name, const char *target, u32 gid,
	       struct p9_qid *qid) __must_check;
int p9_link(struct p9_fid *dir, struct p9_fid *f, const struct p9_name *name) __must_check;
int p9_rename(struct p9_fid *from, const struct p9_name *old, struct p9_fid *to,
	      const struct p9_name *new) __must_check;
int p9_unlink(struct p9_fid *dir, const struct p9_name *name, bool is_dir) __must_check;
/* A fresh text for kfree. */
int p9_readlink(struct p9_fid *f, char **out) __must_check;
int p9_fsync(struct p9_fid *f, bool data_only) __must_check;
int p9_statfs(struct p9_fid *f, struct p9_statfs *st) __must_check;
/* Directory data from pos into buf, with *len bytes of room; *len is 0 at the end. */
int p9_readdir(struct p9_fid *f, u64 pos, void *buf, u32 *len) __must_check;
/* A fid to read the attribute (name "": the list of names) from, and its size. */
int p9_xattr_walk(struct p9_fid *f, const char *name, struct p9_fid **to, u64 *size) __must_check;
/* A copy of a fid becomes a place to write `size` bytes to, whose clunk sets the attribute. */
int p9_xattr_create(struct p9_fid *f, const char *name, u64 size, u32 flags) __must_check;
/* Clunks and waits for the answer: for fids whose clunk has a result. Consumes f, which has one user. */
int p9_clunk(struct p9_fid *f) __must_check;
/* One request to or from a kernel buffer (direct map). Bytes moved. */
ssize_t p9_read(struct p9_fid *f, u64 pos, void *buf, u32 len) __must_check;
ssize_t p9_write(struct p9_fid *f, u64 pos, const void *buf, u32 len) __must_check;
/* One request for `len` bytes of consecutive whole pages. Bytes moved. */
ssize_t p9_read_pages(struct p9_fid *f, u64 pos, struct page **pages, u32 len) __must_check;
ssize_t p9_write_pages(struct p9_fid *f, u64 pos, struct page **pages, u32 len) __must_check;
