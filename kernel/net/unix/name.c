/*
 * Names of sockets. A path names the socket that is bound to its inode; an abstract name is any
 * string of bytes, separate for each socket type. Two hash tables find them, and a list holds all
 * sockets; one spinlock guards the three. Abstract names are hashed with a secret key.
 *
 * A name is set once and stays until the socket's memory goes: readers load `addr` with acquire
 * order and need no lock.
 */
#include <boot/init.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/random.h>

#include "unix.h"

#define TABLE_BITS 10
#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define AUTOBIND_NAMES 0x100000u

static DEFINE_SPINLOCK(table_lock, LOCK_RANK_SOCKET_TABLE);
static struct list_head all_sockets = LIST_INIT(all_sockets); /* table_lock */
static struct hlist_head abstract_names[1 << TABLE_BITS];          /* table_lock */
static struct hlist_head bound_inodes[1 << TABLE_BITS];            /* table_lock */
static u64 hash_key[2] __ro_after_init;

void unix_addr_put(struct unix_addr *a)
{
	if (ref_put(&a->ref))
		kfree(a);
}

/* path: path_len bytes. */
static struct unix_addr *addr_alloc(const char *path, size_t path_len)
{
	struct unix_addr *a = kmalloc(sizeof(*a) + path_len, GFP_KERNEL);

	if (!a)
		return NULL;
	ref_init(&a->ref);
	a->len = (u32)(PATH_OFFSET + path_len);
	a->hash = 0;
	a->family = AF_UNIX;
	memcpy(a->path, path, path_len);
	return a;
}

static size_t path_len(const struct unix_addr *a)
{
	return a->len - PATH_OFFSET;
}

int unix_check_addr(const struct socket_address *addr, u32 len)
{
	if (len <= PATH_OFFSET || len > sizeof(struct sockaddr_un))
		return -EINVAL;
	return addr->storage.ss_family == AF_UNIX ? 0 : -EINVAL;
}

void unix_list_add(struct unix_sock *u)
{
	spin_lock(&table_lock);
	list_add_tail(&u->all_node, &all_sockets);
	spin_unlock(&table_lock);
}

void unix_list_remove(struct unix_sock *u)
{
	spin_lock(&table_lock);
	list_del(&u->all_node);
	spin_unlock(&table_lock);
}

struct unix_sock *unix_list_next(struct unix_sock *u)
{
	struct unix_sock *next = NULL;
	struct list_head *at;

	spin_lock(&table_lock);
	for (at = u ? u->all_node.next : all_sockets.next; at != &all_sockets; at = at->next) {
		next = list_entry(at, struct unix_sock, all_node);
		if (ref_get_unless_zero(&next->ref))
			break;
		next = NULL;
	}
	spin_unlock(&table_lock);
	if (u)
		unix_put(u);
	return next;
}

void unix_unhash(struct unix_sock *u)
{
	spin_lock(&table_lock);
	hlist_del(&u->name_node);
	spin_unlock(&table_lock);
}

/* ---- Look-up ---- */

static struct hlist_head *abstract_bucket(u64 hash)
{
	return &abstract_names[hash >> (64 - TABLE_BITS)];
}

static u64 abstract_hash(const char *path, size_t len, u16 type)
{
	return hash_bytes(path, len, hash_key) ^ type;
}

static struct unix_sock *abstract_lookup_locked(u64 hash, const char *path, size_t len, u16 type)
{
	struct unix_sock *u;

	hlist_for_each(u, abstract_bucket(hash), name_node)
		if (u->addr->hash == hash && u->s.type == type && path_len(u->addr) == len &&
		    !memcmp(u->addr->path, path, len))
			return u;
	return NULL;
}

static int find_abstract(const char *path, size_t len, u16 type, struct unix_sock **out)
{
	u64 hash = abstract_hash(path, len, type);
	struct unix_sock *u;

	spin_lock(&table_lock);
	u = abstract_lookup_locked(hash, path, len, type);
	if (u)
		unix_get(u);
	spin_unlock(&table_lock);
	*out = u;
	return u ? 0 : -ECONNREFUSED;
}

static struct hlist_head *inode_bucket(const struct inode *i)
{
	return &bound_inodes[hash_u64((u64)(uptr)i, TABLE_BITS)];
}

static struct unix_sock *find_bound(const struct inode *inode)
{
	struct unix_sock *u;

	spin_lock(&table_lock);
	hlist_for_each(u, inode_bucket(inode), name_node)
		if (u->path.dentry->inode == inode)
			break;
	if (u)
		unix_get(u);
	spin_unlock(&table_lock);
	return u;
}

static int find_at(const struct path *path, u16 type, struct unix_sock **out)
{
	struct inode *inode = path->dentry->inode;
	int err = inode_permission(inode, MAY_WRITE);

	if (err)
		return err;
	if (!inode_is_sock(inode))
		return -ECONNREFUSED;
	*out = find_bound(inode);
	if (!*out)
		return -ECONNREFUSED;
	if ((*out)->s.type != type) {
		unix_put(*out);
		return -EPROTOTYPE;
	}
	path_accessed(path);
	return 0;
}

/* The terminated text of a path name. */
static void path_text(const struct socket_address *addr, u32 len, char text[UNIX_PATH_MAX + 1])
{
	const struct sockaddr_un *un = (const void *)&addr->storage;

	memcpy(text, un->sun_path, len - PATH_OFFSET);
	text[len - PATH_OFFSET] = '\0';
}

int unix_find(const struct socket_address *addr, u32 len, u16 type, struct unix_sock **out)
{
	const struct sockaddr_un *un = (const void *)&addr->storage;
	char text[UNIX_PATH_MAX + 1] __uninit;
	struct path path;
	int err;

	if (!un->sun_path[0])
		return find_abstract(un->sun_path, len - PATH_OFFSET, type, out);
	path_text(addr, len, text);
	err = path_lookup(AT_FDCWD, text, LOOKUP_FOLLOW, &path);
	if (err)
		return err;
	err = find_at(&path, type, out);
	path_put(&path);
	return err;
}

/* ---- Binding: bind_lock held ---- */

/* The name becomes visible; consumes a. -EADDRINUSE. */
static int publish_abstract(struct unix_sock *u, struct unix_addr *a)
{
	int err = 0;

	a->hash = abstract_hash(a->path, path_len(a), u->s.type);
	spin_lock(&table_lock);
	if (abstract_lookup_locked(a->hash, a->path, path_len(a), u->s.type)) {
		err = -EADDRINUSE;
	} else {
		smp_store_release(&u->addr, a);
		hlist_add_head(&u->name_node, abstract_bucket(a->hash));
	}
	spin_unlock(&table_lock);
	return err;
}

static int bind_abstract(struct unix_sock *u, const struct socket_address *addr, u32 len)
{
	const struct sockaddr_un *un = (const void *)&addr->storage;
	struct unix_addr *a;
	int err;

	if (u->addr)
		return -EINVAL;
	a = addr_alloc(un->sun_path, len - PATH_OFFSET);
	if (!a)
		return -ENOMEM;
	err = publish_abstract(u, a);
	if (err)
		unix_addr_put(a);
	return err;
}

static void publish_path(struct unix_sock *u, struct unix_addr *a, const struct path *path)
{
	spin_lock(&table_lock);
	u->path = *path;
	smp_store_release(&u->addr, a);
	hlist_add_head(&u->name_node, inode_bucket(path->dentry->inode));
	spin_unlock(&table_lock);
}

static int bind_path(struct unix_sock *u, const struct socket_address *addr, u32 len)
{
	char text[UNIX_PATH_MAX + 1] __uninit;
	u32 mode = S_IFSOCK | (READ_ONCE(u->s.file->inode->mode) & S_IALLUGO);
	struct unix_addr *a;
	struct path path;
	int err;

	path_text(addr, len, text);
	if (u->addr) { /* Linux looks at the name first */
		err = path_lookup(AT_FDCWD, text, 0, &path);
		if (!err)
			path_put(&path);
		return err ? -EINVAL : -EADDRINUSE;
	}
	a = addr_alloc(text, strlen(text) + 1);
	if (!a)
		return -ENOMEM;
	err = vfs_mknod_path(text, mode, &path);
	if (err) {
		unix_addr_put(a);
		return err == -EEXIST ? -EADDRINUSE : err;
	}
	publish_path(u, a, &path);
	return 0;
}

int unix_bind(struct socket *s, const struct socket_address *addr, u32 len)
{
	const struct sockaddr_un *un = (const void *)&addr->storage;
	struct unix_sock *u = unix_of(s);
	int err;

	if (len == PATH_OFFSET && un->sun_family == AF_UNIX)
		return unix_autobind(u);
	err = unix_check_addr(addr, len);
	if (err)
		return err;
	err = mutex_lock_interruptible(&u->bind_lock);
	if (err)
		return err;
	err = un->sun_path[0] ? bind_path(u, addr, len) : bind_abstract(u, addr, len);
	mutex_unlock(&u->bind_lock);
	return err;
}

/* A name of five hexadecimal digits that is free, the first at random. */
static int autobind_locked(struct unix_sock *u)
{
	u32 first = (u32)random_u64();
	struct unix_addr *a;
	char text[7];
	int err;

	if (u->addr)
		return 0;
	a = addr_alloc("\0xxxxx", 6);
	if (!a)
		return -ENOMEM;
	for (u32 i = 0; i < AUTOBIND_NAMES; i++) {
		format(text, sizeof(text), "%05x", (first + i) % AUTOBIND_NAMES);
		memcpy(a->path + 1, text, 5);
		err = publish_abstract(u, a);
		if (!err)
			return 0;
	}
	unix_addr_put(a);
	return -ENOSPC;
}

int unix_autobind(struct unix_sock *u)
{
	int err;

	if (smp_load_acquire(&u->addr))
		return 0;
	err = mutex_lock_interruptible(&u->bind_lock);
	if (err)
		return err;
	err = autobind_locked(u);
	mutex_unlock(&u->bind_lock);
	return err;
}

/* ---- Telling it ---- */

static int copy_addr(const struct unix_addr *a, struct socket_address *out)
{
	if (!a) {
		out->storage.ss_family = AF_UNIX;
		return PATH_OFFSET;
	}
	memcpy(&out->storage, &a->family, a->len);
	return (int)a->len;
}

int unix_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct unix_sock *u = unix_of(s), *other = u;
	int len;

	if (peer) {
		spin_lock(&s->lock);
		other = u->peer;
		if (other)
			unix_get(other);
		spin_unlock(&s->lock);
		if (!other)
			return -ENOTCONN;
	}
	len = copy_addr(smp_load_acquire(&other->addr), out);
	if (peer)
		unix_put(other);
	return len;
}

void unix_copy_name(struct msg *m, const struct unix_sock *from)
{
	const struct unix_addr *a = smp_load_acquire(&from->addr);

	if (a)
		m->name_len = (u32)copy_addr(a, m->name);
}

static int names_init(void)
{
	random_bytes(hash_key, sizeof(hash_key));
	return 0;
}
INIT_CALL(INIT_CORE, names_init);
