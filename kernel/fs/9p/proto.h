/*
 * The wire format of 9p2000.L: a cursor that writes requests and one that reads replies. Pure code,
 * built on the host as well. The server is not trusted: a reader never leaves its buffer, and a
 * malformed field makes it bad for good, which the caller tests once at the end.
 */
#pragma once

#include <lib/types.h>

enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
}; /* a reply's type is its request's plus 1 */

#define P9_NOTAG 0xffffu
#define P9_NOFID 0xffffffffu
#define P9_HEADER 7u     /* size[4] type[1] tag[2] */
#define P9_IO_REPLY 11u  /* header of Rread and Rreaddir: count[4] follows; also an Rlerror's size */
#define P9_WRITE_HEADER 23u /* of Twrite: fid[4] offset[8] count[4] follow */
#define P9_IO_OVERHEAD 24u  /* msize less this is the most that one read or write moves */
#define P9_MAX_WALK 16u
#define P9_NAME_MAX 255u

#define P9_QID_DIR     0x80u
#define P9_QID_SYMLINK 0x02u

struct p9_qid {
	u8 type;
	u32 version;
	u64 path;
};

struct p9_attr {
	struct p9_qid qid;
	u32 mode, uid, gid;
	u64 nlink, rdev, size, blocks;
	s64 atime_sec, mtime_sec, ctime_sec;
	u32 atime_nsec, mtime_nsec, ctime_nsec;
};

#define P9_GETATTR_BASIC 0x7ffu
#define P9_SETATTR_MODE  BIT(0)
#define P9_SETATTR_UID   BIT(1)
#define P9_SETATTR_GID   BIT(2)
#define P9_SETATTR_SIZE  BIT(3)
#define P9_SETATTR_ATIME BIT(4)
#define P9_SETATTR_MTIME BIT(5)
#define P9_SETATTR_ATIME_SET BIT(7)
#define P9_SETATTR_MTIME_SET BIT(8)

struct p9_setattr {
	u32 valid, mode, uid, gid;
	u64 size;
	s64 atime_sec, mtime_sec;
	u32 atime_nsec, mtime_nsec;
};

struct p9_statfs {
	u32 type, bsize, namelen;
	u64 blocks, bfree, bavail, files, ffree, fsid;
};

struct p9_dirent {
	struct p9_qid qid;
	u64 next;         /* position behind the entry */
	u8 type;          /* DT_* */
	const char *name; /* in the reply, not terminated */
	u32 len;
};

/* A request under construction. */
struct p9_writer {
	u8 *data;
	u32 size, used;
	bool bad; /* it did not fit */
};

void p9_begin(struct p9_writer *w, void *buf, u32 size, enum p9_type type, u16 tag);
void p9_put8(struct p9_writer *w, u8 v);
void p9_put16(struct p9_writer *w, u16 v);
void p9_put32(struct p9_writer *w, u32 v);
void p9_put64(struct p9_writer *w, u64 v);
void p9_put_string(struct p9_writer *w, const char *s, u32 len);
void p9_put_setattr(struct p9_writer *w, const struct p9_setattr *a);
/* Fills the size in; payload: bytes that follow the buffer. The buffer's part, or 0 when bad. */
u32 p9_end(struct p9_writer *w, u32 payload);
void p9_set_tag(void *request, u16 tag);

/* A reply that is being read. */
struct p9_reader {
	const u8 *data;
	u32 size, pos;
	bool bad;
};

/*
 * Checks the header of a reply of which `written` bytes arrived, `inlined` of them in buf, and
 * starts reading behind it. 0; the errno of an Rlerror; -EIO for anything malformed.
 */
int p9_reply(struct p9_reader *r, const void *buf, u32 inlined, u32 written, enum p9_type request,
	     u16 tag) __must_check;
u8 p9_get8(struct p9_reader *r);
u16 p9_get16(struct p9_reader *r);
u32 p9_get32(struct p9_reader *r);
u64 p9_get64(struct p9_reader *r);
/* Bytes that stay in the buffer; NULL and *len 0 when bad. */
const char *p9_get_string(struct p9_reader *r, u32 *len);
void p9_get_qid(struct p9_reader *r, struct p9_qid *qid);
/* Also bad: attributes that no file has (kind, sizes, times). */
void p9_get_attr(struct p9_reader *r, struct p9_attr *a);
void p9_get_statfs(struct p9_reader *r, struct p9_statfs *st);
/*
 * The next entry of directory data, whose end is r->size. False at the end and for an entry that
 * no directory has (r->bad then).
 */
bool p9_get_dirent(struct p9_reader *r, struct p9_dirent *e);
/* True for what may be the name of a directory entry. */
bool p9_name_valid(const char *name, u32 len);
