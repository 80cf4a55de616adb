/*
 * Sockets as files: families, the file system that holds their inodes, and the operations of an
 * open socket. A socket without a file (a connection that nobody has accepted yet) belongs to its
 * family; from socket_open on, the file does, and its release operation gives it back.
 */
#include <arch/speculation.h>
#include <boot/init.h>
#include <lib/bits.h>
#include <lib/errno.h>
#include <lib/format.h>
#include <lib/log.h>
#include <asm/ioctls.h>
#include <net/device.h>
#include <vfs/anon_fs.h>
#include <vfs/file_alloc.h>

#include "internal.h"

#define SOCKFS_MAGIC 0x534f434b

static struct mount *sock_mnt __ro_after_init;
static const struct socket_family *families[AF_MAX] __ro_after_init;

void socket_family_register(const struct socket_family *f)
{
	families[f->family] = f;
}

void socket_init(struct socket *s, const struct socket_ops *ops, u16 family, u16 type, s32 protocol)
{
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	spin_init(&s->lock, LOCK_RANK_SOCKET);
	s->sndbuf = s->rcvbuf = SOCKBUF_MAX;
	s->rcvlowat = 1;
	s->peek_off = -1;
	s->sndtimeo_ns = s->rcvtimeo_ns = U64_MAX;
	wait_queue_init(&s->read_wait);
	wait_queue_init(&s->write_wait);
}

void socket_fini(struct socket *s)
{
	if (s->peer_cred)
		cred_put(s->peer_cred);
}

void socket_set_peer(struct socket *s, s32 pid, const struct cred *cred)
{
	const struct cred *old;

	if (cred)
		cred_get(cred);
	spin_lock(&s->lock);
	old = s->peer_cred;
	s->peer_pid = pid;
	s->peer_cred = cred;
	spin_unlock(&s->lock);
	if (old)
		cred_put(old);
}

u64 socket_deadline(u64 timeout_ns, bool may_wait)
{
	u64 now;

	if (!may_wait || !timeout_ns)
		return 0;
	if (timeout_ns == U64_MAX)
		return U64_MAX;
	now = clock_monotonic();
	return now + timeout_ns < now ? U64_MAX : now + timeout_ns;
}

int socket_create(u32 family, u32 type, s32 protocol, struct socket **out)
{
	if (family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type >= SOCK_TYPE_MAX)
		return -EINVAL;
	family = (u32)index_clamp(family, AF_MAX);
	type = (u32)index_clamp(type, SOCK_TYPE_MAX);
	if (!families[family])
		return -EAFNOSUPPORT;
	return families[family]->create(type, protocol, out);
}

/* ---- The open file ---- */

static ssize_t socket_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	struct msg m = {.iter = to};
	struct socket *s = f->private;

	if (unlikely(!io_count(to)))
		return 0;
	if (unlikely(to->nowait || READ_ONCE(f->flags) & O_NONBLOCK))
		m.flags = MSG_DONTWAIT;
	return s->ops->receive(s, &m);
}

static ssize_t socket_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	struct msg m = {.iter = from};
	struct socket *s = f->private;

	if (unlikely(from->nowait || READ_ONCE(f->flags) & O_NONBLOCK))
		m.flags = MSG_DONTWAIT;
	return s->ops->send(s, &m);
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->private;

	return s->ops->poll(s, f, pt);
}

static int socket_async(struct file *f, int fd, bool on)
{
	struct socket *s = f->private;

	return async_list_set(&s->async, f, fd, on);
}

/* BSD's names for F_SETOWN and F_GETOWN. */
static long owner_ioctl(struct file *f, u32 cmd, struct user_int arg)
{
	int value;

	if (cmd == FIOGETOWN || cmd == SIOCGPGRP) {
		value = file_get_owner_number(f);
		return user_write(arg, &value);
	}
	return user_read(&value, arg) ? -EFAULT : file_set_owner_number(f, value);
}

static long socket_ioctl(struct file *f, unsigned int cmd, u64 arg)
{
	struct socket *s = f->private;

	if (cmd >= FIOSETOWN && cmd <= SIOCGPGRP)
		return owner_ioctl(f, cmd, user_handle(int, arg));

	long ret = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
	return ret == -ENOTTY ? net_device_ioctl(cmd, arg) : ret;
}

static void socket_put_told(struct file *f)
{
	struct socket *s = f->private;

	s->ops->put_told(s);
}

static void socket_release(struct file *f)
{
	struct socket *s = f->private;

	s->ops->release(s);
}

static const struct file_ops socket_fops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.async = socket_async,
	.ioctl = socket_ioctl,
	.put_told = socket_put_told,
	.release = socket_release,
};

struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_fops ? f->private : NULL;
}

int socket_at(int fd, struct fd *f, struct socket **out)
{
	*f = fd_get(fd);
	if (!f->file)
		return -EBADF;
	*out = socket_of(f->file);
	if (likely(*out))
		return 0;
	fd_put(*f);
	return -ENOTSOCK;
}

/* ---- The file system ---- */

static int socket_name(struct dentry *d, char *buf, size_t size)
{
	int len = format(buf, size, "socket:[%llu]", d->inode->ino);

	return (size_t)len < size ? 0 : -ENAMETOOLONG;
}

static const struct dentry_ops socket_dentry_ops = {.name = socket_name};

/* /proc/self/fd shows the object, but it cannot be opened a second time. */
static int socket_reopen(struct inode *inode, struct file *f)
{
	return -ENXIO;
}

static const struct file_ops socket_inode_fops = {.name = "socket", .open = socket_reopen};

int socket_open(struct socket *s, u32 flags, struct file **out)
{
	struct inode *inode = inode_alloc(sock_mnt->sb, S_IFSOCK | S_IRWXUGO);
	struct path path;
	struct file *f;
	int err;

	if (!inode)
		return -ENFILE;
	inode->fops = &socket_inode_fops;
	err = anon_path(sock_mnt, inode, &socket_dentry_ops, NULL, &path);
	if (err)
		return err;
	err = file_alloc(&path, O_RDWR | (flags & O_NONBLOCK), &f);
	path_put(&path);
	if (err)
		return err;
	f->ops = &socket_fops;
	f->private = s;
	file_open_nonseekable(inode, f);
	rcu_assign(s->file, f);
	*out = f;
	return 0;
}

static int mount_sockfs(const struct fs_type *t, const char *source, u32 flags, const char *options,
			struct super_block **out)
{
	return anon_super(t, SOCKFS_MAGIC, out);
}

static struct fs_type sockfs = {.name = "sockfs", .no_device = true, .mount = mount_sockfs};

static int sockfs_init(void)
{
	if (fs_register(&sockfs))
		return -EBUSY;
	sock_mnt = mount_internal(&sockfs);
	return sock_mnt ? 0 : -ENOMEM;
}
INIT_CALL(INIT_CORE, sockfs_init);
