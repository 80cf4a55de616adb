/* /proc/net/unix. Sockets come and go meanwhile; each line is true when it is made. */
#include <lib/format.h>
#include <lib/string.h>
#include <net/unix.h>

#include "unix.h"

#define SO_ACCEPTCON 0x10000 /* "listens", in the Flags column */

/* Linux's SS_*: what the layer above thinks of the connection. */
static u32 column_state(const struct unix_sock *u, bool has_file)
{
	bool connected = READ_ONCE(u->state) == UNIX_CONNECTED;

	if (has_file)
		return connected ? 3 : 1;
	return connected ? 2 : 4;
}

static u64 inode_number(const struct unix_sock *u, bool *has_file)
{
	struct file *f;
	u64 ino = 0;

	rcu_read_lock();
	f = rcu_dereference(u->s.file);
	*has_file = f;
	if (f)
		ino = f->inode->ino;
	rcu_read_unlock();
	return ino;
}

/* A blank and the name; an abstract one with @ for each NUL. */
static void name_text(const struct unix_addr *a, char *text)
{
	size_t len = a->len - offsetof(struct sockaddr_un, sun_path);

	*text++ = ' ';
	if (a->path[0])
		len--; /* the terminator */
	for (size_t i = 0; i < len; i++)
		*text++ = a->path[i] ? a->path[i] : '@';
	*text = '\0';
}

static void show_one(const struct unix_sock *u, void (*emit)(void *, const char *), void *ctx)
{
	const struct unix_addr *a = smp_load_acquire(&u->addr);
	char name[UNIX_PATH_MAX + 3] = "", line[256];
	bool has_file;
	u64 ino = inode_number(u, &has_file);

	if (a)
		name_text(a, name);
	format(line, sizeof(line), "0000000000000000: %08X 00000000 %08X %04X %02X %5llu%s\n",
	       (u32)ref_read(&u->ref), READ_ONCE(u->state) == UNIX_LISTENING ? SO_ACCEPTCON : 0,
	       u->s.type, column_state(u, has_file), ino, name);
	emit(ctx, line);
}

void unix_show(void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct unix_sock *u = NULL;

	emit(ctx, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	while ((u = unix_list_next(u))) {
		if (!READ_ONCE(u->dead))
			show_one(u, emit, ctx);
	}
}
