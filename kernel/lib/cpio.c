/*
 * The cpio reader: a cursor over memory that never leaves it.
 *
 * An archive is a sequence of headers of 110 hexadecimal characters, each followed by a name and
 * by data, both padded to 4 bytes from the archive's start. Several archives may follow each other
 * with zeros in between, as boot loaders like to glue them.
 */
#include <lib/cpio.h>
#include <lib/errno.h>
#include <lib/string.h>

#define MAGIC_LEN  6
#define NR_FIELDS  13
#define FIELD_LEN  8
#define HEADER_LEN (MAGIC_LEN + NR_FIELDS * FIELD_LEN)

enum field {
	F_INO, F_MODE, F_UID, F_GID, F_NLINK, F_MTIME, F_SIZE, F_DEV_MAJOR, F_DEV_MINOR,
	F_RDEV_MAJOR, F_RDEV_MINOR, F_NAME_SIZE, F_CHECK,
};

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_field(const unsigned char *s, u32 *out)
{
	u32 v = 0;

	for (int i = 0; i < FIELD_LEN; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (u32)digit;
	}
	*out = v;
	return true;
}

static bool read_header(const unsigned char *h, u32 *field)
{
	if (memcmp(h, "070701", MAGIC_LEN) != 0 && memcmp(h, "070702", MAGIC_LEN) != 0)
		return false;
	for (int i = 0; i < NR_FIELDS; i++)
		if (!read_field(h + MAGIC_LEN + i * FIELD_LEN, &field[i]))
			return false;
	return true;
}

/* Takes n bytes, then the padding (as far as there is any). NULL: fewer are left. */
static const void *take(struct cpio_reader *r, size_t n)
{
	const void *p = r->data + r->pos;

	if (n > r->len - r->pos)
		return NULL;
	r->pos += n;
	r->pos += MIN((size_t)(-r->pos & 3), r->len - r->pos);
	return p;
}

static bool next_entry(struct cpio_reader *r, struct cpio_entry *e)
{
	u32 f[NR_FIELDS];

	if (r->len - r->pos < HEADER_LEN || !read_header(r->data + r->pos, f))
		return false;
	r->pos += HEADER_LEN; /* the name follows at once */
	if (f[F_NAME_SIZE] < 2 || f[F_NAME_SIZE] > CPIO_NAME_MAX)
		return false;
	e->name = take(r, f[F_NAME_SIZE]);
	if (!e->name || e->name[f[F_NAME_SIZE] - 1] || !*e->name)
		return false;
	e->data = take(r, f[F_SIZE]);
	if (!e->data)
		return false;
	e->ino = f[F_INO];
	e->mode = f[F_MODE];
	e->uid = f[F_UID];
	e->gid = f[F_GID];
	e->nr_links = f[F_NLINK];
	e->mtime = f[F_MTIME];
	e->size = f[F_SIZE];
	e->dev_major = f[F_DEV_MAJOR];
	e->dev_minor = f[F_DEV_MINOR];
	e->rdev_major = f[F_RDEV_MAJOR];
	e->rdev_minor = f[F_RDEV_MINOR];
	e->trailer = strcmp(e->name, "TRAILER!!!") == 0;
	return true;
}

bool cpio_next(struct cpio_reader *r, struct cpio_entry *entry, int *err)
{
	*err = 0;
	while (r->pos < r->len && !r->data[r->pos])
		r->pos++;
	if (r->pos == r->len)
		return false;
	if (next_entry(r, entry))
		return true;
	*err = -EINVAL;
	return false;
}
