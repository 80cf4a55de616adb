/*
 * System V objects and message queues under attack: removed while others use, wait for and attach
 * them; ids and addresses that mean nothing; limits; undo lists whose sets go; nothing may hang,
 * leak kernel memory or crash.
 */
#include "attack.h"

#include <linux/mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define ROUNDS SCALE(300, 20000)

/* Runs body in n children until the parent kills them after `rounds` of its own work. */
static pid_t children[8];

static void spawn(int n, void (*body)(u64 seed))
{
	for (int i = 0; i < n; i++) {
		children[i] = test_fork();
		if (!children[i]) {
			for (u64 seed = 77 + i;;)
				body(next_random(&seed));
		}
	}
}

static void stop(int n)
{
	for (int i = 0; i < n; i++) {
		kill(children[i], SIGKILL);
		CHECK_KILLED(children[i], SIGKILL);
	}
}

static volatile int *shared;

static void setup(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK((void *)shared != MAP_FAILED);
}

/* ---- semaphores ---- */

static void sem_user(u64 seed)
{
	struct sembuf ops[3] = { { seed & 3, (int)(seed >> 8 & 7) - 3, seed & 64 ? SEM_UNDO : 0 },
				 { seed >> 16 & 3, (int)(seed >> 24 & 7) - 3, SEM_UNDO },
				 { seed >> 32 & 3, 0, IPC_NOWAIT } };
	struct timespec ts = { 0, seed % 100000 };

	semtimedop(shared[0], ops, 1 + seed % 3, &ts);
	if (seed % 64 == 0 && !test_fork()) {
		semop(shared[0], &(struct sembuf){ 0, 1, SEM_UNDO }, 1);
		_exit(0);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

TEST_LIMIT(semaphore_sets_go_under_their_users, 60)
{
	unsigned short v[4];

	setup();
	shared[0] = CHECK_OK(semget(IPC_PRIVATE, 4, 0600));
	spawn(4, sem_user);
	for (int i = 0; i < ROUNDS; i++) {
		int old = shared[0];

		for (int k = 0; k < 4; k++)
			v[k] = i & 3;
		semctl(old, 0, SETALL, v);
		semctl(old, i & 3, GETNCNT);
		sched_yield();
		shared[0] = CHECK_OK(semget(IPC_PRIVATE, 4, 0600));
		CHECK_OK(semctl(old, 0, IPC_RMID));
	}
	stop(4);
	CHECK_OK(semctl(shared[0], 0, IPC_RMID));
}

/* ---- shared memory ---- */

static void shm_user(u64 seed)
{
	char *p = shmat(shared[0], NULL, seed & 1 ? SHM_RDONLY : 0);

	if (p == (void *)-1)
		return;
	(void)*(volatile char *)(p + (seed & 0x3fff));
	if (seed % 8 == 0)
		mprotect(p + 4096, 4096, PROT_READ);
	if (seed % 16 == 0 && !test_fork())
		_exit(0);
	if (seed % 4 == 0)
		munmap(p + 8192, 4096);
	CHECK_OK(shmdt(p));
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

TEST_LIMIT(segments_go_under_their_users, 60)
{
	struct shmid_ds d;

	setup();
	shared[0] = CHECK_OK(shmget(IPC_PRIVATE, 16384, 0600));
	spawn(4, shm_user);
	for (int i = 0; i < ROUNDS; i++) {
		int old = shared[0];

		shmctl(old, IPC_STAT, &d);
		CHECK(d.shm_nattch < 100);
		shared[0] = CHECK_OK(shmget(IPC_PRIVATE, 16384, 0600));
		CHECK_OK(shmctl(old, IPC_RMID, NULL));
	}
	stop(4);
	/* Children of the killed may still be on their way out. */
	for (int i = 0; i < 500; i++, sleep_ms(10)) {
		CHECK_OK(shmctl(shared[0], IPC_STAT, &d));
		if (!d.shm_nattch)
			break;
	}
	CHECK_EQ(d.shm_nattch, 0);
	CHECK_OK(shmctl(shared[0], IPC_RMID, NULL));
}

/* ---- message queues ---- */

struct note {
	long type;
	char text[2000];
};

static void msg_user(u64 seed)
{
	struct note n = { .type = 1 + seed % 4 };

	if (seed & 1)
		msgsnd(shared[0], &n, seed >> 8 & 1023, seed & 2 ? IPC_NOWAIT : 0);
	else
		msgrcv(shared[0], &n, seed >> 8 & 2047, (long)(seed >> 32 & 7) - 3,
		       (seed & 2 ? IPC_NOWAIT : 0) | (seed & 8 ? MSG_NOERROR : 0));
}

TEST_LIMIT(queues_go_under_their_users, 60)
{
	struct msqid_ds d;

	setup();
	shared[0] = CHECK_OK(msgget(IPC_PRIVATE, 0600));
	spawn(4, msg_user);
	for (int i = 0; i < ROUNDS; i++) {
		int old = shared[0];

		CHECK_OK(msgctl(old, IPC_STAT, &d));
		d.msg_qbytes = 1 + i % 8192;
		CHECK_OK(msgctl(old, IPC_SET, &d));
		sched_yield();
		shared[0] = CHECK_OK(msgget(IPC_PRIVATE, 0600));
		CHECK_OK(msgctl(old, IPC_RMID, NULL));
	}
	stop(4);
	CHECK_OK(msgctl(shared[0], IPC_RMID, NULL));
}

static void mq_user(u64 seed)
{
	struct mq_attr a = { .mq_maxmsg = 1 + seed % 8, .mq_msgsize = 64 };
	struct timespec soon;
	char buf[64];
	int mq;

	clock_gettime(CLOCK_REALTIME, &soon);
	mq = syscall(SYS_mq_open, "race", O_CREAT | O_RDWR, 0600, &a);
	if (mq < 0)
		return;
	if (seed & 1)
		syscall(SYS_mq_timedsend, mq, buf, seed >> 8 & 63, seed >> 16 & 7, &soon);
	else
		syscall(SYS_mq_timedreceive, mq, buf, 64, NULL, &soon);
	if (seed % 16 == 0)
		syscall(SYS_mq_notify, mq, &(struct sigevent){ .sigev_notify = SIGEV_NONE });
	if (seed % 8 == 0)
		syscall(SYS_mq_unlink, "race");
	close(mq);
}

TEST_LIMIT(named_queues_go_under_their_users, 60)
{
	spawn(4, mq_user);
	for (int i = 0; i < ROUNDS; i++)
		mq_user(i * 8);
	stop(4);
	syscall(SYS_mq_unlink, "race");
}

/* ---- arguments without sense ---- */

TEST(bad_pointers_are_efault_and_change_nothing)
{
	static const u64 bad[] = { 1, 0xffff800000000000, 0xffffffff81000000, 0x7ffffffff000,
				   0x8000000000000000, ~0ULL };
	int sem = CHECK_OK(semget(IPC_PRIVATE, 2, 0600));
	int shm = CHECK_OK(shmget(IPC_PRIVATE, 4096, 0600));
	int msg = CHECK_OK(msgget(IPC_PRIVATE, 0600));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		void *p = (void *)bad[i];

		CHECK_ERR(semop(sem, p, 1), EFAULT);
		CHECK_ERR(syscall(SYS_semctl, sem, 0, GETALL, p), EFAULT);
		CHECK_ERR(syscall(SYS_semctl, sem, 0, SETALL, p), EFAULT);
		CHECK_ERR(syscall(SYS_semctl, sem, 0, IPC_STAT, p), EFAULT);
		CHECK_ERR(syscall(SYS_semctl, sem, 0, IPC_SET, p), EFAULT);
		CHECK_ERR(shmctl(shm, IPC_STAT, p), EFAULT);
		CHECK_ERR(shmctl(shm, IPC_SET, p), EFAULT);
		CHECK_ERR(msgctl(msg, IPC_STAT, p), EFAULT);
		CHECK_ERR(msgctl(msg, IPC_SET, p), EFAULT);
		CHECK_ERR(msgsnd(msg, p, 8, 0), EFAULT);
		CHECK_ERR(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, p), EFAULT);
		CHECK_ERR(syscall(SYS_mq_notify, 0, p), EFAULT);
	}
	CHECK_OK(semctl(sem, 0, IPC_RMID));
	CHECK_OK(shmctl(shm, IPC_RMID, NULL));
	CHECK_OK(msgctl(msg, IPC_RMID, NULL));
}

TEST(attaching_cannot_leave_user_space)
{
	static const u64 bad[] = { 0x7fffffff0000, 0x7ffffffff000, 0x800000000000,
				   0xffff800000000000, 0xffffffffff600000, ~0ULL & ~4095ULL };
	int id = CHECK_OK(shmget(IPC_PRIVATE, 1 << 20, 0600));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(shmat(id, (void *)bad[i], SHM_REMAP), -1);
		CHECK_EQ(shmat(id, (void *)bad[i], 0), -1);
		CHECK_ERR(shmdt((void *)bad[i]), EINVAL);
	}
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

/* What a call writes is what it means to write: no stale bytes in holes and reserved fields. */
TEST(structures_carry_no_stale_bytes)
{
	static const char zeros[64];
	int sem = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
	struct semid_ds d;
	struct mq_attr a;
	int mq;

	memset(&d, 0xaa, sizeof(d));
	CHECK_OK(semctl(sem, 0, IPC_STAT, &d));
	CHECK_EQ(memcmp((char *)&d.sem_perm + 28, zeros, sizeof(d.sem_perm) - 28), 0);
	CHECK_OK(semctl(sem, 0, IPC_RMID));
	mq = CHECK_OK(syscall(SYS_mq_open, "stale", O_CREAT | O_RDWR, 0600, NULL));
	memset(&a, 0xaa, sizeof(a));
	CHECK_OK(syscall(SYS_mq_getsetattr, mq, NULL, &a));
	CHECK_EQ(memcmp(a.__reserved, zeros, sizeof(a.__reserved)), 0);
	CHECK_OK(syscall(SYS_mq_unlink, "stale"));
}

/* All ids of the kind at once, twice: the limit answers, and nothing is lost. */
TEST_LIMIT(every_queue_id_can_be_used_up, 60)
{
	static int ids[40000];
	int n = 0, limit = SCALE(3000, 40000);

	VM_ONLY;
	for (int round = 0; round < 2; round++) {
		for (n = 0; n < limit && (ids[n] = msgget(IPC_PRIVATE, 0600)) >= 0; n++)
			;
		CHECK(n == limit || errno == ENOSPC);
		CHECK(n >= (limit < 32000 ? limit : 31000));
		while (n)
			CHECK_OK(msgctl(ids[--n], IPC_RMID, NULL));
	}
}
