/* msgctl, and the table of queues in /proc/sysvipc/msg. */
#include <lib/format.h>
#include <lib/string.h>
#include <syscall/table.h>
#include "msg.h"

DEFINE_USER_PTR(msqid_ds, struct msqid64_ds);
DEFINE_USER_PTR(msginfo, struct msginfo);

static void fill_stat(struct msg_queue *q, struct msqid64_ds *d)
{
	memset(d, 0, sizeof(*d));
	ipc_fill_perm(&q->object, &d->msg_perm);
	d->msg_stime = q->stime;
	d->msg_rtime = q->rtime;
	d->msg_ctime = q->ctime;
	d->msg_cbytes = q->bytes;
	d->msg_qnum = q->count;
	d->msg_qbytes = q->max_bytes;
	d->msg_lspid = q->send_pid;
	d->msg_lrpid = q->receive_pid;
}

static long stat(struct ipc_ns *ns, s32 id, int cmd, struct user_msqid_ds buf)
{
	struct msqid64_ds d;
	struct ipc_object *o;
	long result;
	int err = ipc_lock_stat(&ns->msg, id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, &o, &result);

	if (err)
		return err;
	fill_stat(msg_queue_of(o), &d);
	ipc_unlock(o);
	err = user_write(buf, &d);
	return err ? err : result;
}

static int set_locked(struct msg_queue *q, const struct msqid64_ds *d)
{
	int err = ipc_check_owner(&q->object);

	if (err)
		return err;
	if (d->msg_qbytes > READ_ONCE(q->object.ns->limits->msgmnb) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	err = ipc_set_perm(&q->object, &d->msg_perm);
	if (err)
		return err;
	q->max_bytes = d->msg_qbytes;
	q->ctime = ipc_now();
	msg_wake_all(q, 0);
	return 0;
}

static long set(struct ipc_ns *ns, s32 id, struct user_msqid_ds buf)
{
	struct msqid64_ds d;
	struct ipc_object *o;
	int err = user_read(&d, buf);

	if (!err)
		err = ipc_lock(&ns->msg, id, &o);
	if (err)
		return err;
	err = set_locked(msg_queue_of(o), &d);
	ipc_unlock(o);
	return err;
}

static long info(struct ipc_ns *ns, int cmd, struct user_msginfo buf)
{
	struct msginfo i;
	int err;

	memset(&i, 0, sizeof(i)); /* it has padding */
	i.msgmni = (int)READ_ONCE(ns->limits->msgmni);
	i.msgmax = (int)READ_ONCE(ns->limits->msgmax);
	i.msgmnb = (int)READ_ONCE(ns->limits->msgmnb);
	i.msgssz = MSGSSZ;
	i.msgseg = MSGSEG;
	i.msgpool = MSGPOOL;
	i.msgmap = MSGMAP;
	i.msgtql = MSGTQL;
	if (cmd == MSG_INFO) {
		mutex_lock(&ns->msg.lock);
		i.msgpool = (int)ns->msg.nr;
		mutex_unlock(&ns->msg.lock);
		i.msgmap = (int)atomic64_read(&ns->msg_count);
		i.msgtql = (int)atomic64_read(&ns->msg_bytes);
	}
	err = user_write(buf, &i);
	return err ? err : ipc_max_index(&ns->msg);
}

long sys_msgctl(int id, int cmd, struct user_bytes buf)
{
	struct ipc_ns *ns = ipc_ns_current();

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return info(ns, cmd, user_cast(msginfo, buf));
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return stat(ns, id, cmd, user_cast(msqid_ds, buf));
	case IPC_SET:
		return set(ns, id, user_cast(msqid_ds, buf));
	case IPC_RMID:
		return msg_remove(ns, id);
	default:
		return -EINVAL;
	}
}

void msg_show(struct ipc_ns *ns, void (*emit)(void *ctx, const char *text), void *ctx)
{
	struct ipc_object *o;
	struct msqid64_ds d;
	char line[200];
	s32 id;

	emit(ctx, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  "
		  "cgid      stime      rtime      ctime\n");
	for (u64 index = 0; (o = ipc_next(&ns->msg, &index)); index++) {
		fill_stat(msg_queue_of(o), &d);
		id = o->id;
		ipc_unlock(o);
		format(line, sizeof(line), "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10ld "
		       "%10ld %10ld\n", d.msg_perm.key, id, d.msg_perm.mode,
		       (unsigned long)d.msg_cbytes, (unsigned long)d.msg_qnum, d.msg_lspid,
		       d.msg_lrpid, d.msg_perm.uid, d.msg_perm.gid, d.msg_perm.cuid,
		       d.msg_perm.cgid, (long)d.msg_stime, (long)d.msg_rtime, (long)d.msg_ctime);
		emit(ctx, line);
	}
}
