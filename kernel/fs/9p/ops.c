/*
 * One function per 9p2000.L operation: builds the request, waits, takes the reply apart. Process
 * context, no locks of its own. A reply that says more than was asked for is malformed: -EIO.
 */
#include <arch/mmu.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/limits.h>
#include <mm/slab.h>
#include <vfs/inode.h>
#include "ops.h"

/* Names and reply headers beside what the operation says itself. */
#define PATH_ROOM 4608u

/* Sends q, whose reply carries nothing of interest, and frees it. */
static int call_plain(struct p9_request *q)
{
	int err = p9_call(q);

	p9_free(q);
	return err;
}

/* The same for a reply that is a qid. */
static int call_qid(struct p9_request *q, struct p9_qid *qid)
{
	int err = p9_call(q);

	if (!err) {
		p9_get_qid(&q->r, qid);
		err = q->r.bad ? -EIO : 0;
	}
	p9_free(q);
	return err;
}

static void put_fid(struct p9_request *q, const struct p9_fid *f)
{
	p9_put32(&q->w, f->id);
}

static void put_name(struct p9_request *q, const struct p9_name *name)
{
	p9_put_string(&q->w, name->s, name->len);
}

static void put_text(struct p9_request *q, const char *s)
{
	p9_put_string(&q->w, s, (u32)strlen(s));
}

int p9_attach(struct p9_client *c, struct p9_fid *root, struct p9_qid *qid)
{
	struct p9_request *q = p9_new(c, P9_TATTACH);

	if (!q)
		return -ENOMEM;
	put_fid(q, root);
	p9_put32(&q->w, P9_NOFID);
	put_text(q, "root");
	put_text(q, "");
	p9_put32(&q->w, 0); /* uid: new objects belong to root, then to whom chown says */
	return call_qid(q, qid);
}

static int walk_reply(struct p9_request *q, u32 nr, struct p9_qid *qids)
{
	struct p9_qid unused;
	u32 got = p9_get16(&q->r);

	if (q->r.bad || got > nr)
		return -EIO;
	if (got < nr)
		return -ENOENT;
	for (u32 i = 0; i < nr; i++)
		p9_get_qid(&q->r, qids ? &qids[i] : &unused);
	return q->r.bad ? -EIO : 0;
}

static int walk_to(struct p9_fid *from, const struct p9_name *names, u32 nr, struct p9_qid *qids,
		   const struct p9_fid *to)
{
	struct p9_request *q = nr > 1 ? p9_new_sized(from->client, P9_TWALK, PATH_ROOM, P9_RX_SMALL)
				      : p9_new(from->client, P9_TWALK);
	int err;

	if (!q)
		return -ENOMEM;
	put_fid(q, from);
	put_fid(q, to);
	p9_put16(&q->w, (u16)nr);
	for (u32 i = 0; i < nr; i++)
		put_name(q, &names[i]);
	err = p9_call(q);
	if (!err)
		err = walk_reply(q, nr, qids);
	p9_free(q);
	return err;
}

int p9_walk(struct p9_fid *from, const struct p9_name *names, u32 nr, struct p9_qid *qids,
	    struct p9_fid **to)
{
	struct p9_fid *f = p9_fid_new(from->client);
	int err;

	if (!f)
		return -ENOMEM;
	err = walk_to(from, names, nr, qids, f);
	if (!err)
		*to = f;
	else if (err == -EIO || err == -EINTR)
		p9_fid_put(f); /* the server may know it: a clunk is never wrong */
	else
		p9_fid_forget(f);
	return err;
}

int p9_getattr(struct p9_fid *f, struct p9_attr *a)
{
	struct p9_request *q = p9_new(f->client, P9_TGETATTR);
	int err;

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	p9_put64(&q->w, P9_GETATTR_BASIC);
	err = p9_call(q);
	if (!err) {
		p9_get_attr(&q->r, a);
		err = q->r.bad ? -EIO : 0;
	}
	p9_free(q);
	return err;
}

int p9_setattr(struct p9_fid *f, const struct p9_setattr *a)
{
	struct p9_request *q = p9_new(f->client, P9_TSETATTR);

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	p9_put_setattr(&q->w, a);
	return call_plain(q);
}

int p9_open(struct p9_fid *f, u32 flags, u32 access, struct p9_qid *qid)
{
	struct p9_request *q = p9_new(f->client, P9_TLOPEN);
	int err;

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	p9_put32(&q->w, flags);
	err = call_qid(q, qid);
	if (!err)
		f->access = access;
	return err;
}

int p9_create(struct p9_fid *dir, const struct p9_name *name, u32 flags, u32 access, u32 mode,
	      u32 gid, struct p9_qid *qid)
{
	struct p9_request *q = p9_new(dir->client, P9_TLCREATE);
	int err;

	if (!q)
		return -ENOMEM;
	put_fid(q, dir);
	put_name(q, name);
	p9_put32(&q->w, flags);
	p9_put32(&q->w, mode);
	p9_put32(&q->w, gid);
	err = call_qid(q, qid);
	if (!err)
		dir->access = access;
	return err;
}

int p9_mkdir(struct p9_fid *dir, const struct p9_name *name, u32 mode, u32 gid, struct p9_qid *qid)
{
	struct p9_request *q = p9_new(dir->client, P9_TMKDIR);

	if (!q)
		return -ENOMEM;
	put_fid(q, dir);
	put_name(q, name);
	p9_put32(&q->w, mode);
	p9_put32(&q->w, gid);
	return call_qid(q, qid);
}

int p9_mknod(struct p9_fid *dir, const struct p9_name *name, u32 mode, u64 rdev, u32 gid,
	     struct p9_qid *qid)
{
	struct p9_request *q = p9_new(dir->client, P9_TMKNOD);

	if (!q)
		return -ENOMEM;
	put_fid(q, dir);
	put_name(q, name);
	p9_put32(&q->w, mode);
	p9_put32(&q->w, (u32)(rdev >> 20));
	p9_put32(&q->w, (u32)(rdev & 0xfffff));
	p9_put32(&q->w, gid);
	return call_qid(q, qid);
}

int p9_symlink(struct p9_fid *dir, const struct p9_name *name, const char *target, u32 gid,
	       struct p9_qid *qid)
{
	struct p9_request *q = p9_new_sized(dir->client, P9_TSYMLINK, PATH_ROOM, P9_RX_SMALL);

	if (!q)
		return -ENOMEM;
	put_fid(q, dir);
	put_name(q, name);
	put_text(q, target);
	p9_put32(&q->w, gid);
	return call_qid(q, qid);
}

int p9_link(struct p9_fid *dir, struct p9_fid *f, const struct p9_name *name)
{
	struct p9_request *q = p9_new(dir->client, P9_TLINK);

	if (!q)
		return -ENOMEM;
	put_fid(q, dir);
	put_fid(q, f);
	put_name(q, name);
	return call_plain(q);
}

int p9_rename(struct p9_fid *from, const struct p9_name *old, struct p9_fid *to,
	      const struct p9_name *new)
{
	struct p9_request *q = p9_new_sized(from->client, P9_TRENAMEAT, 2 * P9_TX_SMALL,
					    P9_RX_SMALL);

	if (!q)
		return -ENOMEM;
	put_fid(q, from);
	put_name(q, old);
	put_fid(q, to);
	put_name(q, new);
	return call_plain(q);
}

int p9_unlink(struct p9_fid *dir, const struct p9_name *name, bool is_dir)
{
	struct p9_request *q = p9_new(dir->client, P9_TUNLINKAT);

	if (!q)
		return -ENOMEM;
	put_fid(q, dir);
	put_name(q, name);
	p9_put32(&q->w, is_dir ? 0x200 /* AT_REMOVEDIR */ : 0);
	return call_plain(q);
}

/* A link's text: not empty, shorter than PATH_MAX, without NUL. */
static int link_text(struct p9_reader *r, char **out)
{
	u32 len;
	const char *s = p9_get_string(r, &len);

	if (r->bad || !len || len >= PATH_MAX || memchr(s, '\0', len))
		return -EIO;
	*out = kmalloc(len + 1, GFP_KERNEL);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, s, len);
	(*out)[len] = '\0';
	return 0;
}

int p9_readlink(struct p9_fid *f, char **out)
{
	struct p9_request *q = p9_new_sized(f->client, P9_TREADLINK, 32, PATH_ROOM);
	int err;

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	err = p9_call(q);
	if (!err)
		err = link_text(&q->r, out);
	p9_free(q);
	return err;
}

int p9_fsync(struct p9_fid *f, bool data_only)
{
	struct p9_request *q = p9_new(f->client, P9_TFSYNC);

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	p9_put32(&q->w, data_only);
	return call_plain(q);
}

int p9_statfs(struct p9_fid *f, struct p9_statfs *st)
{
	struct p9_request *q = p9_new(f->client, P9_TSTATFS);
	int err;

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	err = p9_call(q);
	if (!err) {
		p9_get_statfs(&q->r, st);
		err = q->r.bad ? -EIO : 0;
	}
	p9_free(q);
	return err;
}

int p9_xattr_walk(struct p9_fid *f, const char *name, struct p9_fid **to, u64 *size)
{
	struct p9_request *q = p9_new(f->client, P9_TXATTRWALK);
	struct p9_fid *new = q ? p9_fid_new(f->client) : NULL;
	int err = new ? 0 : -ENOMEM;

	if (!err) {
		put_fid(q, f);
		put_fid(q, new);
		put_text(q, name);
		err = p9_call(q);
		if (err == -EIO || err == -EINTR)
			p9_fid_put(new);
		else if (err)
			p9_fid_forget(new);
	}
	if (!err) {
		*size = p9_get64(&q->r);
		*to = new;
		if (q->r.bad) {
			p9_fid_put(new);
			err = -EIO;
		}
	}
	if (q)
		p9_free(q);
	return err;
}

int p9_xattr_create(struct p9_fid *f, const char *name, u64 size, u32 flags)
{
	struct p9_request *q = p9_new(f->client, P9_TXATTRCREATE);

	if (!q)
		return -ENOMEM;
	put_fid(q, f);
	put_text(q, name);
	p9_put64(&q->w, size);
	p9_put32(&q->w, flags);
	return call_plain(q);
}

int p9_clunk(struct p9_fid *f)
{
	struct p9_request *q = p9_new(f->client, P9_TCLUNK);
	int err;

	if (!q) {
		p9_fid_put(f);
		return -ENOMEM;
	}
	put_fid(q, f);
	err = call_plain(q);
	if (err == -EINTR)
		p9_fid_put(f); /* it may not have been executed */
	else
		p9_fid_forget(f);
	return err;
}

/* ---- Data ---- */

/* Adds len bytes of a buffer in the direct map as payload. */
static int add_buffer(struct p9_request *q, const void *buf, u32 len, bool in)
{
	struct page *p = page_of(buf);
	u32 offset = (u32)((uptr)buf & (PAGE_SIZE - 1));

	/* Physically contiguous: one piece, as long as it is. */
	return p9_add_page(q, p, offset, len, in);
}

static int add_pages(struct p9_request *q, struct page **pages, u32 len, bool in)
{
	int err = 0;

	for (u32 done = 0; done < len && !err; done += (u32)PAGE_SIZE)
		err = p9_add_page(q, pages[done / PAGE_SIZE], 0, MIN(len - done, (u32)PAGE_SIZE),
				  in);
	return err;
}

/* Tread or Treaddir, whose data lands behind the header; consumes q. */
static ssize_t call_read(struct p9_request *q, struct p9_fid *f, u64 pos, u32 len)
{
	ssize_t n;
	int err;

	put_fid(q, f);
	p9_put64(&q->w, pos);
	p9_put32(&q->w, len);
	err = p9_call(q);
	n = p9_get32(&q->r);
	if (!err && (q->r.bad || n > len || n + P9_IO_REPLY > q->written))
		err = -EIO;
	p9_free(q);
	return err ? err : n;
}

static ssize_t call_write(struct p9_request *q, u32 len)
{
	int err = p9_call(q);
	u32 n = p9_get32(&q->r);

	if (!err && (q->r.bad || n > len))
		err = -EIO;
	p9_free(q);
	return err ? err : (ssize_t)n;
}

static struct p9_request *write_begin(struct p9_fid *f, u64 pos, u32 len)
{
	struct p9_request *q = p9_new(f->client, P9_TWRITE);

	if (q) {
		put_fid(q, f);
		p9_put64(&q->w, pos);
		p9_put32(&q->w, len);
	}
	return q;
}

static ssize_t read_to_buffer(struct p9_fid *f, enum p9_type type, u64 pos, void *buf, u32 len)
{
	struct p9_request *q = p9_new_sized(f->client, type, P9_TX_SMALL, P9_IO_REPLY);

	if (!q)
		return -ENOMEM;
	if (add_buffer(q, buf, len, true)) {
		p9_free(q);
		return -ENOMEM;
	}
	return call_read(q, f, pos, len);
}

int p9_readdir(struct p9_fid *f, u64 pos, void *buf, u32 *len)
{
	ssize_t n = read_to_buffer(f, P9_TREADDIR, pos, buf, *len);

	*len = n > 0 ? (u32)n : 0;
	return n < 0 ? (int)n : 0;
}

ssize_t p9_read(struct p9_fid *f, u64 pos, void *buf, u32 len)
{
	return read_to_buffer(f, P9_TREAD, pos, buf, len);
}

ssize_t p9_write(struct p9_fid *f, u64 pos, const void *buf, u32 len)
{
	struct p9_request *q = write_begin(f, pos, len);

	if (!q)
		return -ENOMEM;
	if (len && add_buffer(q, buf, len, false)) {
		p9_free(q);
		return -ENOMEM;
	}
	return call_write(q, len);
}

ssize_t p9_read_pages(struct p9_fid *f, u64 pos, struct page **pages, u32 len)
{
	struct p9_request *q = p9_new_sized(f->client, P9_TREAD, P9_TX_SMALL, P9_IO_REPLY);
	int err = q ? add_pages(q, pages, len, true) : -ENOMEM;

	if (!err)
		return call_read(q, f, pos, len);
	if (q)
		p9_free(q);
	return err;
}

ssize_t p9_write_pages(struct p9_fid *f, u64 pos, struct page **pages, u32 len)
{
	struct p9_request *q = write_begin(f, pos, len);
	int err = q ? add_pages(q, pages, len, false) : -ENOMEM;

	if (!err)
		return call_write(q, len);
	if (q)
		p9_free(q);
	return err;
}
