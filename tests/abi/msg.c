/* System V message queues. */
#include "test.h"

#include <limits.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

struct note {
	long type;
	char text[9000];
};

static int made[4], nr_made;

static void remove_all(void)
{
	while (nr_made)
		msgctl(made[--nr_made], IPC_RMID, NULL);
}

static int make(void)
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0600));

	if (!nr_made)
		atexit(remove_all);
	made[nr_made++] = id;
	return id;
}

static int put(int id, long type, const char *text, int flags)
{
	struct note n = { .type = type };

	strcpy(n.text, text);
	return msgsnd(id, &n, strlen(text), flags);
}

#define CHECK_GET(id, want_type, flags, type_, text_)                                              \
	do {                                                                                       \
		struct note n_;                                                                    \
		int len_ = CHECK_OK(msgrcv(id, &n_, sizeof(n_.text), want_type, flags));           \
		n_.text[len_] = 0;                                                                 \
		CHECK_EQ(n_.type, type_);                                                          \
		CHECK_STR(n_.text, text_);                                                         \
	} while (0)

static struct msqid_ds stat_of(int id)
{
	struct msqid_ds d;

	CHECK_OK(msgctl(id, IPC_STAT, &d));
	return d;
}

TEST(msgget_makes_and_finds_by_key)
{
	key_t key = 0x49000000 + getpid();
	int id;

	CHECK_ERR(msgget(key, 0600), ENOENT);
	id = CHECK_OK(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_EQ(msgget(key, 0), id);
	CHECK_ERR(msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERR(msgctl(id, IPC_RMID, NULL), EINVAL);
	CHECK_ERR(msgget(key, 0), ENOENT);
}

TEST(messages_are_chosen_by_type)
{
	int id = make();

	CHECK_OK(put(id, 5, "five", 0));
	CHECK_OK(put(id, 3, "three", 0));
	CHECK_OK(put(id, 9, "nine", 0));
	CHECK_OK(put(id, 3, "three again", 0));
	CHECK_OK(put(id, 1, "one", 0));
	CHECK_GET(id, 9, 0, 9, "nine");
	CHECK_GET(id, -4, 0, 1, "one");
	CHECK_GET(id, -4, 0, 3, "three");
	CHECK_GET(id, 5, MSG_EXCEPT, 3, "three again");
	CHECK_ERR(msgrcv(id, &(struct note){ 0 }, 100, 5, MSG_EXCEPT | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &(struct note){ 0 }, 100, 4, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &(struct note){ 0 }, 100, -4, IPC_NOWAIT), ENOMSG);
	CHECK_GET(id, LONG_MIN, 0, 5, "five");
	CHECK_ERR(msgrcv(id, &(struct note){ 0 }, 100, 0, IPC_NOWAIT), ENOMSG);
}

TEST(long_messages_are_refused_or_cut)
{
	int id = make();
	struct note n;

	CHECK_OK(put(id, 1, "0123456789", 0));
	CHECK_ERR(msgrcv(id, &n, 5, 0, 0), E2BIG);
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	CHECK_EQ(msgrcv(id, &n, 5, 0, MSG_NOERROR), 5);
	CHECK_EQ(memcmp(n.text, "01234", 5), 0);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	CHECK_EQ(stat_of(id).msg_cbytes, 0);
}

TEST(arguments_are_checked)
{
	int id = make();
	struct note n = { .type = 1 };

	CHECK_ERR(msgsnd(id, &n, 8193, 0), EINVAL);
	CHECK_OK(msgsnd(id, &n, 8192, 0));
	CHECK_OK(msgsnd(id, &n, 0, 0));
	CHECK_ERR(msgsnd(id, &n, -1, 0), EINVAL);
	CHECK_ERR(msgsnd(-1, &n, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, (void *)1, 1, 0), EFAULT);
	n.type = 0;
	CHECK_ERR(msgsnd(id, &n, 1, 0), EINVAL);
	n.type = -1;
	CHECK_ERR(msgsnd(id, &n, 1, 0), EINVAL);
	CHECK_ERR(msgrcv(id, &n, -1, 0, 0), EINVAL);
	CHECK_ERR(msgrcv(-1, &n, 1, 0, 0), EINVAL);
	CHECK_ERR(msgrcv(id, (void *)1, 9000, 0, 0), EFAULT); /* and is lost */
	CHECK_EQ(stat_of(id).msg_qnum, 1);
}

TEST(copy_looks_without_taking)
{
	int id = make();
	struct note n;

	CHECK_OK(put(id, 4, "first", 0));
	CHECK_OK(put(id, 2, "second", 0));
	CHECK_ERR(msgrcv(id, &n, 100, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &n, 100, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
	if (msgrcv(id, &n, 100, 0, MSG_COPY | IPC_NOWAIT) < 0 && errno == ENOSYS)
		SKIP("a kernel without CONFIG_CHECKPOINT_RESTORE");
	CHECK_GET(id, 1, MSG_COPY | IPC_NOWAIT, 2, "second");
	CHECK_GET(id, 0, MSG_COPY | IPC_NOWAIT, 4, "first");
	CHECK_ERR(msgrcv(id, &n, 100, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &n, 2, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_EQ(stat_of(id).msg_qnum, 2);
}

static pid_t receiver(int id, size_t size, long type, int flags)
{
	pid_t pid = test_fork();
	struct note n;

	if (pid == 0)
		_exit(msgrcv(id, &n, size, type, flags) < 0 ? errno : 0);
	wait_state(pid, "SZ");
	return pid;
}

TEST(receivers_wait_for_their_type)
{
	int id = make();
	pid_t a = receiver(id, 100, 7, 0), b = receiver(id, 100, -3, 0);

	CHECK_OK(put(id, 5, "for nobody", 0));
	CHECK_OK(put(id, 2, "b", 0));
	CHECK_EXITS(b, 0);
	CHECK_EQ(stat_of(id).msg_lrpid, b);
	CHECK_OK(put(id, 7, "a", 0));
	CHECK_EXITS(a, 0);
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	CHECK_EQ(stat_of(id).msg_lspid, getpid());
}

TEST(a_waiting_receiver_with_a_small_buffer_learns_it)
{
	int id = make();
	pid_t small = receiver(id, 2, 0, 0), cut = receiver(id, 2, 0, MSG_NOERROR);

	CHECK_OK(put(id, 1, "long", 0));
	CHECK_EXITS(small, E2BIG);
	CHECK_EXITS(cut, 0);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
}

TEST(a_full_queue_makes_senders_wait)
{
	int id = make();
	struct note n = { .type = 1 };
	pid_t pid;

	CHECK_OK(msgsnd(id, &n, 8192, 0));
	CHECK_OK(msgsnd(id, &n, 8192, 0));
	CHECK_EQ(stat_of(id).msg_cbytes, 16384);
	CHECK_ERR(msgsnd(id, &n, 1, IPC_NOWAIT), EAGAIN);
	CHECK_OK(msgsnd(id, &n, 0, IPC_NOWAIT));
	pid = test_fork();
	if (pid == 0) {
		n.type = 2;
		_exit(msgsnd(id, &n, 100, 0) ? errno : 0);
	}
	wait_state(pid, "S");
	CHECK_EQ(msgrcv(id, &n, 9000, 1, 0), 8192);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(msgrcv(id, &n, 9000, 2, 0), 100);
}

TEST(removal_ends_waiting)
{
	int id = make();
	struct note n = { .type = 1 };
	pid_t in = receiver(id, 10, 5, 0), out;

	CHECK_OK(msgsnd(id, &n, 8192, 0));
	CHECK_OK(msgsnd(id, &n, 8192, 0));
	out = test_fork();
	if (out == 0)
		_exit(msgsnd(id, &n, 1, 0) ? errno : 0);
	wait_state(out, "S");
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_EXITS(in, EIDRM);
	CHECK_EXITS(out, EIDRM);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(a_signal_ends_waiting_and_is_not_restarted)
{
	int id = make();
	pid_t pid;

	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = nothing, .sa_flags = SA_RESTART }, NULL);
	pid = receiver(id, 10, 0, 0);
	kill(pid, SIGUSR1);
	CHECK_EXITS(pid, EINTR);
	CHECK_OK(put(id, 1, "x", 0));
	CHECK_EQ(stat_of(id).msg_qnum, 1);
}

TEST(set_changes_limits_and_wakes)
{
	int id = make();
	struct msqid_ds d = stat_of(id);
	struct note n = { .type = 1 };
	pid_t pid;

	CHECK_EQ(d.msg_qbytes, 16384);
	CHECK_EQ(d.msg_stime, 0);
	d.msg_qbytes = 10;
	CHECK_OK(msgctl(id, IPC_SET, &d));
	CHECK_ERR(msgsnd(id, &n, 11, IPC_NOWAIT), EAGAIN);
	pid = test_fork();
	if (pid == 0)
		_exit(msgsnd(id, &n, 11, 0) ? errno : 0);
	wait_state(pid, "S");
	d.msg_qbytes = 11;
	CHECK_OK(msgctl(id, IPC_SET, &d));
	CHECK_EXITS(pid, 0);
	CHECK(stat_of(id).msg_stime != 0);
}

TEST(permissions_follow_the_mode)
{
	struct msqid_ds d;
	struct note n = { .type = 1 };
	pid_t pid;
	int id;

	if (geteuid())
		SKIP("needs root");
	id = make();
	d = stat_of(id);
	d.msg_perm.mode = 0604;
	CHECK_OK(msgctl(id, IPC_SET, &d));
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(msgsnd(id, &n, 1, 0), EACCES);
		CHECK_ERR(msgrcv(id, &n, 1, 0, IPC_NOWAIT), ENOMSG);
		CHECK_ERR(msgctl(id, IPC_SET, &d), EPERM);
		CHECK_ERR(msgctl(id, IPC_RMID, NULL), EPERM);
		CHECK_OK(msgctl(id, IPC_STAT, &d));
	}
	/* Taking the permission away reaches those who wait. */
	pid = test_fork();
	if (pid == 0) {
		become(1000, 1000);
		_exit(msgrcv(id, &n, 1, 0, 0) < 0 ? errno : 0);
	}
	wait_state(pid, "S");
	d.msg_perm.mode = 0600;
	CHECK_OK(msgctl(id, IPC_SET, &d));
	CHECK_EXITS(pid, EACCES);
	/* More room than the limit is a privilege. */
	d.msg_perm.uid = 1000;
	CHECK_OK(msgctl(id, IPC_SET, &d));
	IN_CHILD {
		become(1000, 1000);
		d.msg_qbytes = 16385;
		CHECK_ERR(msgctl(id, IPC_SET, &d), EPERM);
	}
	d.msg_qbytes = 16385;
	if (getenv("TEST_VM")) /* a container's root may lack CAP_SYS_RESOURCE */
		CHECK_OK(msgctl(id, IPC_SET, &d));
}

TEST(stat_by_index_and_totals)
{
	int id = make(), max, found = -1;
	struct msqid_ds d;
	struct msginfo info;

	CHECK_OK(put(id, 1, "counted", 0));
	max = CHECK_OK(msgctl(0, MSG_INFO, (void *)&info));
	CHECK(info.msgpool >= 1);
	CHECK(info.msgmap >= 1);
	CHECK(info.msgtql >= 7);
	for (int i = 0; i <= max; i++)
		if (msgctl(i, MSG_STAT_ANY, &d) == id)
			found = i;
	CHECK(found >= 0);
	CHECK_EQ(msgctl(found, MSG_STAT, &d), id);
	CHECK_OK(msgctl(0, IPC_INFO, (void *)&info));
	CHECK_EQ(info.msgmax, 8192);
	CHECK_EQ(info.msgmnb, 16384);
	CHECK_EQ(info.msgssz, 16);
	CHECK_ERR(msgctl(id, 77, &d), EINVAL);
	CHECK_ERR(msgctl(id, IPC_STAT, (void *)1), EFAULT);
}

#define HEADER \
	"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  " \
	"cuid  cgid      stime      rtime      ctime\n"

TEST(proc_sysvipc_lists_queues)
{
	int id = make();
	char buf[65536], want[100];

	CHECK_OK(put(id, 1, "abc", 0));
	read_file("/proc/sysvipc/msg", buf, sizeof(buf));
	CHECK_EQ(strncmp(buf, HEADER, strlen(HEADER)), 0);
	sprintf(want, "%10d %10d  %4o  %10d %10d %5d %5d", 0, id, 0600, 3, 1, getpid(), 0);
	CHECK(strstr(buf, want));
}

TEST(every_message_arrives_once)
{
	int id = make(), n = SCALE(500, 20000);
	struct note m;
	long sum = 0;

	for (int i = 0; i < 4; i++) {
		if (test_fork())
			continue;
		for (int k = 1; k <= n; k++) {
			m.type = i + 1;
			memcpy(m.text, &k, sizeof(k));
			CHECK_OK(msgsnd(id, &m, sizeof(k) + k % 500, 0));
		}
		_exit(0);
	}
	for (int i = 0; i < 4 * n; i++) {
		int k;

		CHECK_OK(msgrcv(id, &m, sizeof(m.text), -4, 0));
		memcpy(&k, m.text, sizeof(k));
		sum += k;
	}
	CHECK_EQ(sum, 4L * n * (n + 1) / 2);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	while (wait(NULL) > 0)
		;
}
