/*
 * Control messages of AF_UNIX: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS).
 *
 * The descriptors of a send are first collected with references of their own. Attaching them to a
 * message makes a second list with further references, which is "under way": known to the holder
 * (whose queue the message goes to), to each socket among the files, and charged to the sender's
 * user. The in-flight mutex guards all of that, and a message's `fds` from then on. Only when the
 * message is queued are the sender's own references dropped, so a file is never held by a queue alone
 * before it can be found there; gc.c relies on it.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/pid.h>

#include "unix.h"

#define OVERFLOW_ID 65534 /* what user space sees for "nobody known" */

static struct unix_sock *unix_of_file(const struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

static struct scm_fds *fds_alloc(size_t capacity)
{
	struct scm_fds *fds = kmalloc(sizeof(*fds) + capacity * sizeof(fds->entry[0]), GFP_KERNEL);

	if (!fds)
		return NULL;
	fds->count = 0;
	fds->capacity = (u32)capacity;
	fds->user = NULL;
	fds->holder = NULL;
	fds->msg = NULL;
	list_init(&fds->node);
	return fds;
}

/* Consumes the reference. */
static void fds_add(struct scm_fds *fds, struct file *f)
{
	struct scm_entry *e = &fds->entry[fds->count++];

	e->file = f;
	e->fds = fds;
	list_init(&e->node);
}

void scm_fds_free(struct scm_fds *fds)
{
	while (fds->count) /* the last one first, as Linux */
		file_put(fds->entry[--fds->count].file);
	kfree(fds);
}

void scm_fini(struct scm *scm)
{
	if (likely(!scm->fds))
		return;
	scm_fds_free(scm->fds);
	scm->fds = NULL;
}

/* ---- Sending ---- */

static int parse_rights(struct scm *scm, const u8 *data, size_t len, size_t bytes_left)
{
	size_t nr = len / sizeof(int);

	if (!nr)
		return 0;
	if (nr > SCM_MAX_FD)
		return -EINVAL;
	if (!scm->fds)
		scm->fds = fds_alloc(MIN(bytes_left / sizeof(int), (size_t)SCM_MAX_FD));
	if (!scm->fds)
		return -ENOMEM;
	if (scm->fds->count + nr > scm->fds->capacity)
		return -EINVAL;
	for (size_t i = 0; i < nr; i++) {
		struct fd f;
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		f = fd_get_raw(fd);
		if (!f.file)
			return -EBADF;
		file_get(f.file);
		fds_add(scm->fds, f.file);
		fd_put(f);
	}
	return 0;
}

static bool own_uid(const struct cred *c, u32 uid)
{
	return uid == c->uid || uid == c->euid || uid == c->suid || capable(CAP_SETUID);
}

static bool own_gid(const struct cred *c, u32 gid)
{
	return gid == c->gid || gid == c->egid || gid == c->sgid || capable(CAP_SETGID);
}

/* A process may name itself; more takes capabilities. */
static int parse_credentials(struct scm *scm, const u8 *data, size_t len)
{
	const struct cred *c = current->cred;
	struct ucred_abi u;
	bool exists;

	if (len != sizeof(u))
		return -EINVAL;
	memcpy(&u, data, sizeof(u));
	if (u.uid == U32_MAX || u.gid == U32_MAX)
		return -EINVAL;
	if ((u.pid != current->process->pid && !capable(CAP_SYS_ADMIN)) || !own_uid(c, u.uid) ||
	    !own_gid(c, u.gid))
		return -EPERM;
	rcu_read_lock();
	exists = u.pid > 0 && pid_find(u.pid);
	rcu_read_unlock();
	if (!exists)
		return -ESRCH;
	scm->creds = (struct scm_creds){u.pid, u.uid, u.gid};
	return 0;
}

int scm_parse(const struct msg *m, struct scm *scm)
{
	struct cmsghdr_abi hdr;
	const u8 *data;
	size_t pos = 0;
	int ret;

	while ((ret = msg_next_control(m, &pos, &hdr, &data)) > 0) {
		size_t len = hdr.len - sizeof(hdr);

		if (hdr.level != SOL_SOCKET)
			continue;
		if (hdr.type == SCM_RIGHTS)
			ret = parse_rights(scm, data, len, m->control_len - (size_t)(data - m->control));
		else if (hdr.type == SCM_CREDENTIALS)
			ret = parse_credentials(scm, data, len);
		else
			ret = -EINVAL;
		if (ret)
			break;
	}
	if (ret < 0) {
		scm_fini(scm);
		return ret;
	}
	if (scm->fds && !scm->fds->count)
		scm_fini(scm);
	return 0;
}

/* RLIMIT_NOFILE bounds what a user has under way, too. */
static bool too_many_inflight(const struct user_account *user)
{
	return (u64)atomic_read(&user->nr_inflight) > rlimit(RLIMIT_NOFILE) &&
	       !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

static struct scm_fds *fds_copy(const struct scm_fds *from)
{
	struct scm_fds *fds = fds_alloc(from->count);

	if (!fds)
		return NULL;
	for (u32 i = 0; i < from->count; i++) {
		file_get(from->entry[i].file);
		fds_add(fds, from->entry[i].file);
	}
	return fds;
}

static void link_locked(struct scm_fds *fds, struct unix_msg *msg, struct unix_sock *holder)
{
	fds->holder = holder;
	fds->msg = msg;
	msg->fds = fds;
	list_add_tail(&fds->node, &holder->held);
	for (u32 i = 0; i < fds->count; i++) {
		struct unix_sock *u = unix_of_file(fds->entry[i].file);

		if (!u)
			continue;
		list_add_tail(&fds->entry[i].node, &u->inflight);
		WRITE_ONCE(u->nr_inflight, u->nr_inflight + 1);
		file_tell_puts(fds->entry[i].file);
	}
}

void scm_unlink_locked(struct scm_fds *fds)
{
	list_del(&fds->node);
	fds->holder = NULL;
	fds->msg->fds = NULL;
	fds->msg = NULL;
	for (u32 i = 0; i < fds->count; i++) {
		struct unix_sock *u = unix_of_file(fds->entry[i].file);

		if (!u)
			continue;
		list_del(&fds->entry[i].node);
		WRITE_ONCE(u->nr_inflight, u->nr_inflight - 1);
		if (!u->nr_inflight)
			list_del(&u->gc_node);
	}
	atomic_add(&fds->user->nr_inflight, -(int)fds->count);
	user_account_put(fds->user);
	fds->user = NULL;
}

int scm_attach(struct unix_msg *msg, struct scm *scm, struct unix_sock *to)
{
	struct user_account *user = current->cred->user;
	struct scm_fds *fds;

	if (too_many_inflight(user))
		return -ETOOMANYREFS;
	fds = fds_copy(scm->fds);
	if (!fds)
		return -ENOMEM;
	user_account_ref(user);
	fds->user = user;
	atomic_add(&user->nr_inflight, (int)fds->count);
	mutex_lock(&unix_inflight_mutex);
	link_locked(fds, msg, to);
	mutex_unlock(&unix_inflight_mutex);
	return 0;
}

/* ---- Receiving ---- */

/* Takes the list out of the message; NULL: the collector has been here. */
static struct scm_fds *unlink_from(struct unix_msg *msg)
{
	struct scm_fds *fds;

	mutex_lock(&unix_inflight_mutex);
	fds = msg->fds;
	if (fds)
		scm_unlink_locked(fds);
	mutex_unlock(&unix_inflight_mutex);
	return fds;
}

void scm_destroy_attached(struct unix_msg *msg)
{
	struct scm_fds *fds = unlink_from(msg);

	if (!fds)
		return;
	/* In a kernel thread the last reference to a file releases it at once, and that may be a
	 * socket with such messages in its queue, and so on: not on one stack. */
	if (current->flags & TASK_F_KTHREAD)
		gc_defer_free(fds);
	else
		scm_fds_free(fds);
}

void scm_detach(struct unix_msg *msg, struct scm *scm)
{
	struct scm_fds *fds = unlink_from(msg);

	if (scm->fds)
		scm_fds_free(scm->fds);
	scm->fds = fds;
}

int scm_copy(struct unix_msg *msg, struct scm *scm)
{
	struct scm_fds *copy = NULL;

	mutex_lock(&unix_inflight_mutex);
	if (msg->fds)
		copy = fds_copy(msg->fds);
	mutex_unlock(&unix_inflight_mutex);
	if (!copy)
		return msg->fds ? -ENOMEM : 0;
	if (scm->fds)
		scm_fds_free(scm->fds);
	scm->fds = copy;
	return 0;
}

static void put_credentials(struct msg *m, const struct scm_creds *c)
{
	struct ucred_abi u = {c->pid, c->uid == U32_MAX ? OVERFLOW_ID : c->uid,
			      c->gid == U32_MAX ? OVERFLOW_ID : c->gid};

	msg_put_control(m, SOL_SOCKET, SCM_CREDENTIALS, &u, sizeof(u));
}

/* The file becomes a descriptor, whose number goes to `to`. Takes no reference on failure. */
static int install(struct file *f, bool cloexec, struct user_int to)
{
	int fd, err = fd_reserve(0, cloexec, &fd);

	if (err)
		return err;
	err = user_write(to, &fd);
	if (err) {
		fd_release(fd);
		return err;
	}
	file_get(f);
	fd_install(fd, f);
	return 0;
}

static void put_rights(struct msg *m, const struct scm_fds *fds)
{
	u64 at = user_address(m->control_out), room = 0;
	struct cmsghdr_abi hdr = {.level = SOL_SOCKET, .type = SCM_RIGHTS};
	u32 done = 0;

	if (m->control_left > sizeof(hdr))
		room = (m->control_left - sizeof(hdr)) / sizeof(int);
	for (; done < fds->count && done < room; done++)
		if (install(fds->entry[done].file, m->out_flags & MSG_CMSG_CLOEXEC,
			    user_handle(int, at + sizeof(hdr) + done * sizeof(int))))
			break;
	if (done < fds->count)
		m->out_flags |= MSG_CTRUNC;
	if (!done)
		return;
	hdr.len = CMSG_LEN(done * sizeof(int));
	if (user_write_bytes(m->control_out, &hdr, sizeof(hdr)))
		return;
	room = MIN(CMSG_SPACE(done * sizeof(int)), m->control_left);
	m->control_out = user_handle(bytes, at + room);
	m->control_left -= room;
}

void scm_deliver(struct socket *s, struct msg *m, struct scm *scm)
{
	bool creds = socket_flag(s, SOCKET_PASSCRED);

	if (user_is_null(m->control_out)) {
		if (creds || scm->fds)
			m->out_flags |= MSG_CTRUNC;
	} else {
		if (creds)
			put_credentials(m, &scm->creds);
		if (scm->fds)
			put_rights(m, scm->fds);
	}
	scm_fini(scm);
}
