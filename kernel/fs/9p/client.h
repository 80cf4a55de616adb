/*
 * A session with a 9p server: requests, tags, fids. Many requests may be in flight; each belongs to
 * the task that waits for it, or to nobody (clunks).
 */
#pragma once

#include <dev/virtio_9p.h>
#include <lib/atomic.h>
#include <sync/wait.h>
#include "proto.h"

struct page;
struct p9_client;

#define P9_TAGS       128u /* as many as the ring has places */
#define P9_FLUSH_TAGS 8u   /* the last of them are for Tflush only */
#define P9_MSIZE      (512u << 10)
/* Pages that one read or write moves: with both headers they fit into one request's buffers. */
#define P9_IO_PAGES   120u
#define P9_TX_SMALL   512u
#define P9_RX_SMALL   256u

/* A server-side handle. The number stays with the structure, which is used again and again. */
struct p9_fid {
	u32 id;                  /* const */
	struct ref ref;
	u32 access;              /* MAY_* of an open fid, 0: not open; const once shared */
	struct p9_client *client; /* const */
	struct p9_fid *next;     /* free list: client lock */
};

struct p9_client {
	struct virtio_9p *channel; /* const */
	u32 msize;                 /* const */
	u32 io_max;                /* const: bytes of one read or write */
	struct spinlock lock;      /* LOCK_RANK_DEVICE, interrupts disabled */
	u64 tags[P9_TAGS / 64];    /* lock: in use */
	struct p9_fid *free_fids;  /* lock */
	struct p9_fid *dead_fids;  /* lock: to be clunked when there is room */
	u32 next_fid;              /* lock */
	bool failed;               /* atomic: virtio_9p_fail has been called */
	struct wait_queue room;    /* a tag or a place in the ring is free */
	struct wait_queue wait[P9_TAGS]; /* by tag: the request has ended */
};

struct p9_request {
	struct virtio_9p_request vr;
	struct p9_client *client;
	enum p9_type type;
	u16 tag, wait_tag;        /* whose waiter wants to know of the end */
	bool done;                /* release/acquire */
	bool detached;            /* nobody waits: the end frees it */
	bool small;
	u32 written;
	struct p9_fid *clunked;   /* its number is free again with the end */
	struct p9_writer w;       /* the request: build it after p9_new */
	struct p9_reader r;       /* the reply, after p9_call */
	u8 *rx;
	u32 rx_size;
	struct virtio_buf *bufs;  /* own_bufs, or a page with the table in its second half */
	u32 n_out, n_in, payload; /* bytes of page data that go out */
	void *table;
	struct virtio_buf own_bufs[2];
	u8 own_table[2 * VIRTIO_TABLE_ENTRY] __aligned(16);
	u8 data[];                /* request, then reply */
};

/* How long a reply is waited for, ns; tests shorten it. */
extern u64 p9_reply_patience, p9_flush_patience;

/* Opens the channel and agrees on a version. 0, -ENOENT, -EBUSY, -ENOMEM, -EIO, -EPROTO. */
int p9_client_create(const char *tag, u32 msize, struct p9_client **out) __must_check;
/* Clunks what is left and closes the channel. No request is in flight. */
void p9_client_destroy(struct p9_client *c);

/* A request with its header written, or NULL. May sleep. */
struct p9_request *p9_new(struct p9_client *c, enum p9_type type);
struct p9_request *p9_new_sized(struct p9_client *c, enum p9_type type, u32 tx, u32 rx);
/* Sends it and waits: 0 and q->r stands behind the reply's header, or the server's errno, -EIO,
 * -EINTR (a fatal signal came and the server gave the request up). */
int p9_call(struct p9_request *q) __must_check;
void p9_free(struct p9_request *q);
/* Sends without waiting; frees the request at its end. False: no room now, nothing happened. */
bool p9_send_detached(struct p9_request *q) __must_check;
/* Appends bytes of a page as payload: in for the reply's, else for the request's. */
int p9_add_page(struct p9_request *q, struct page *page, u32 offset, u32 len, bool in) __must_check;

/* A fid with one reference that the server does not know yet; NULL: no memory. */
struct p9_fid *p9_fid_new(struct p9_client *c);
static inline void p9_fid_get(struct p9_fid *f)
{
	ref_get(&f->ref);
}
/* Drops a reference; the last one clunks. NULL is allowed. Does not sleep. */
void p9_fid_put(struct p9_fid *f);
/* Instead of the last put, when the server has never known the fid or has dropped it. */
void p9_fid_forget(struct p9_fid *f);
