/*
 * Coding and decoding 9p2000.L messages. All integers are little endian, as is every machine this
 * kernel runs on. No state, no locks, any context.
 */
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/string.h>
#include "proto.h"

#define ERRNO_MAX 4095u
#define KIND_MASK 0170000u
#define NSEC_MAX  1000000000u

static void put(struct p9_writer *w, const void *v, u32 len)
{
	if (w->bad || len > w->size - w->used) {
		w->bad = true;
		return;
	}
	memcpy(w->data + w->used, v, len);
	w->used += len;
}

void p9_put16(struct p9_writer *w, u16 v)
{
	put(w, &v, sizeof(v));
}

void p9_put8(struct p9_writer *w, u8 v)
{
	put(w, &v, sizeof(v));
}

void p9_put32(struct p9_writer *w, u32 v)
{
	put(w, &v, sizeof(v));
}

void p9_put64(struct p9_writer *w, u64 v)
{
	put(w, &v, sizeof(v));
}

void p9_put_string(struct p9_writer *w, const char *s, u32 len)
{
	if (len > U16_MAX) {
		w->bad = true;
		return;
	}
	p9_put16(w, (u16)len);
	put(w, s, len);
}

void p9_put_setattr(struct p9_writer *w, const struct p9_setattr *a)
{
	p9_put32(w, a->valid);
	p9_put32(w, a->mode);
	p9_put32(w, a->uid);
	p9_put32(w, a->gid);
	p9_put64(w, a->size);
	p9_put64(w, (u64)a->atime_sec);
	p9_put64(w, a->atime_nsec);
	p9_put64(w, (u64)a->mtime_sec);
	p9_put64(w, a->mtime_nsec);
}

void p9_begin(struct p9_writer *w, void *buf, u32 size, enum p9_type type, u16 tag)
{
	*w = (struct p9_writer){.data = buf, .size = size};
	p9_put32(w, 0);
	p9_put8(w, (u8)type);
	p9_put16(w, tag);
}

u32 p9_end(struct p9_writer *w, u32 payload)
{
	u32 total = w->used + payload;

	if (w->bad || w->used < P9_HEADER || total < payload)
		return 0;
	memcpy(w->data, &total, sizeof(total));
	return w->used;
}

void p9_set_tag(void *request, u16 tag)
{
	memcpy((u8 *)request + 5, &tag, sizeof(tag));
}

static const void *take(struct p9_reader *r, u32 len)
{
	const void *at = r->data + r->pos;

	if (r->bad || len > r->size - r->pos) {
		r->bad = true;
		return NULL;
	}
	r->pos += len;
	return at;
}

static void get(struct p9_reader *r, void *v, u32 len)
{
	const void *at = take(r, len);

	if (at)
		memcpy(v, at, len);
	else
		memset(v, 0, len);
}

u8 p9_get8(struct p9_reader *r)
{
	u8 v;

	get(r, &v, sizeof(v));
	return v;
}

u16 p9_get16(struct p9_reader *r)
{
	u16 v;

	get(r, &v, sizeof(v));
	return v;
}

u32 p9_get32(struct p9_reader *r)
{
	u32 v;

	get(r, &v, sizeof(v));
	return v;
}

u64 p9_get64(struct p9_reader *r)
{
	u64 v;

	get(r, &v, sizeof(v));
	return v;
}

const char *p9_get_string(struct p9_reader *r, u32 *len)
{
	u32 n = p9_get16(r);
	const char *s = take(r, n);

	*len = s ? n : 0;
	return s;
}

void p9_get_qid(struct p9_reader *r, struct p9_qid *qid)
{
	qid->type = p9_get8(r);
	qid->version = p9_get32(r);
	qid->path = p9_get64(r);
}

static int reply_error(struct p9_reader *r)
{
	u32 code = p9_get32(r);

	return r->bad || !code || code > ERRNO_MAX ? -EIO : -(int)code;
}

int p9_reply(struct p9_reader *r, const void *buf, u32 inlined, u32 written, enum p9_type request,
	     u16 tag)
{
	u32 size;
	u8 type;

	*r = (struct p9_reader){.data = buf, .size = MIN(inlined, written)};
	size = p9_get32(r);
	type = p9_get8(r);
	if (p9_get16(r) != tag || r->bad || size < P9_HEADER || size > written)
		return -EIO;
	r->size = MIN(r->size, size);
	if (type == P9_RLERROR)
		return reply_error(r);
	return type == request + 1 ? 0 : -EIO;
}

/* The kinds of object that exist; the type bits of the qid must agree for what matters. */
static bool kind_valid(const struct p9_attr *a)
{
	bool dir = (a->mode & KIND_MASK) == 0040000;

	switch (a->mode & KIND_MASK) {
	case 0010000: /* FIFO */
	case 0020000: /* character device */
	case 0040000: /* directory */
	case 0060000: /* block device */
	case 0100000: /* file */
	case 0120000: /* symlink */
	case 0140000: /* socket */
		return dir == ((a->qid.type & P9_QID_DIR) != 0);
	default:
		return false;
	}
}

static u32 get_nsec(struct p9_reader *r)
{
	u64 v = p9_get64(r);

	if (v >= NSEC_MAX)
		r->bad = true;
	return (u32)v;
}

void p9_get_attr(struct p9_reader *r, struct p9_attr *a)
{
	u64 valid = p9_get64(r);

	p9_get_qid(r, &a->qid);
	a->mode = p9_get32(r);
	a->uid = p9_get32(r);
	a->gid = p9_get32(r);
	a->nlink = p9_get64(r);
	a->rdev = p9_get64(r);
	a->size = p9_get64(r);
	p9_get64(r); /* block size */
	a->blocks = p9_get64(r);
	a->atime_sec = (s64)p9_get64(r);
	a->atime_nsec = get_nsec(r);
	a->mtime_sec = (s64)p9_get64(r);
	a->mtime_nsec = get_nsec(r);
	a->ctime_sec = (s64)p9_get64(r);
	a->ctime_nsec = get_nsec(r);
	if ((valid & P9_GETATTR_BASIC) != P9_GETATTR_BASIC || !kind_valid(a) ||
	    a->size > (u64)S64_MAX || a->nlink > U32_MAX)
		r->bad = true;
}

void p9_get_statfs(struct p9_reader *r, struct p9_statfs *st)
{
	st->type = p9_get32(r);
	st->bsize = p9_get32(r);
	st->blocks = p9_get64(r);
	st->bfree = p9_get64(r);
	st->bavail = p9_get64(r);
	st->files = p9_get64(r);
	st->ffree = p9_get64(r);
	st->fsid = p9_get64(r);
	st->namelen = p9_get32(r);
}

bool p9_name_valid(const char *name, u32 len)
{
	if (!len || len > P9_NAME_MAX)
		return false;
	for (u32 i = 0; i < len; i++)
		if (!name[i] || name[i] == '/')
			return false;
	return true;
}

bool p9_get_dirent(struct p9_reader *r, struct p9_dirent *e)
{
	if (r->bad || r->pos == r->size)
		return false;
	p9_get_qid(r, &e->qid);
	e->next = p9_get64(r);
	e->type = p9_get8(r);
	e->name = p9_get_string(r, &e->len);
	if (!e->name || !p9_name_valid(e->name, e->len) || e->next > (u64)S64_MAX || e->type > 15)
		r->bad = true;
	return !r->bad;
}
