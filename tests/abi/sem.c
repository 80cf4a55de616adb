/* System V semaphores. */
#include "test.h"

#include <sched.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static int made[4], nr_made;

static void remove_all(void)
{
	while (nr_made)
		semctl(made[--nr_made], 0, IPC_RMID);
}

static int make(int nr)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, nr, 0600));

	if (!nr_made)
		atexit(remove_all);
	made[nr_made++] = id;
	return id;
}

static int value(int id, int num)
{
	return CHECK_OK(semctl(id, num, GETVAL));
}

static void set(int id, int num, int val)
{
	CHECK_OK(semctl(id, num, SETVAL, (union semun){ .val = val }));
}

static int op1(int id, int num, int op, int flags)
{
	return semop(id, &(struct sembuf){ num, op, flags }, 1);
}

static pid_t in_child(int id, struct sembuf *ops, int nr)
{
	pid_t pid = test_fork();

	if (pid == 0)
		_exit(semop(id, ops, nr) ? errno : 0);
	wait_state(pid, "SZ");
	return pid;
}

#define CHILD_OPS(id, ...)                                                                         \
	({                                                                                         \
		struct sembuf ops_[] = { __VA_ARGS__ };                                            \
		in_child(id, ops_, ARRAY_SIZE(ops_));                                              \
	})

TEST(semget_makes_and_finds_by_key)
{
	key_t key = 0x48000000 + getpid();
	int id;

	CHECK_ERR(semget(key, 1, 0600), ENOENT);
	CHECK_ERR(semget(key, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(semget(key, -1, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
	id = CHECK_OK(semget(key, 3, IPC_CREAT | IPC_EXCL | 0640));
	CHECK_EQ(semget(key, 0, 0), id);
	CHECK_EQ(semget(key, 3, 0), id);
	CHECK_ERR(semget(key, 4, 0), EINVAL);
	CHECK_ERR(semget(key, 3, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_ERR(semctl(id, 0, IPC_RMID), EINVAL);
}

TEST(values_are_set_and_read)
{
	int id = make(3);
	unsigned short in[3] = { 5, 0, 32767 }, out[3];

	CHECK_EQ(value(id, 0), 0);
	set(id, 1, 7);
	CHECK_EQ(value(id, 1), 7);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_EQ(semctl(id, 0, GETPID), 0);
	CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = in }));
	CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = out }));
	CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
	in[1] = 32768;
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = in }), ERANGE);
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = (void *)1 }), EFAULT);
	CHECK_ERR(semctl(id, 0, GETALL, (union semun){ .array = (void *)1 }), EFAULT);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = -1 }), ERANGE);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	CHECK_ERR(semctl(id, 3, SETVAL, (union semun){ .val = 1 }), EINVAL);
	CHECK_ERR(semctl(id, -1, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, 3, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	CHECK_EQ(value(id, 2), 32767);
}

TEST(semop_checks_its_arguments)
{
	int id = make(2);
	struct sembuf op = { 0, 1, 0 }, many[501] = { { 0, 0, IPC_NOWAIT } };

	CHECK_ERR(semop(id, &op, 0), EINVAL);
	CHECK_ERR(semop(-1, &op, 1), EINVAL);
	CHECK_ERR(semop(0x7fffffff, &op, 1), EINVAL);
	CHECK_ERR(semop(id, many, 501), E2BIG);
	CHECK_OK(semop(id, many, 500));
	CHECK_ERR(semop(id, (void *)1, 1), EFAULT);
	CHECK_ERR(op1(id, 2, 1, 0), EFBIG);
	CHECK_OK(op1(id, 0, 32767, 0));
	CHECK_ERR(op1(id, 0, 1, 0), ERANGE);
	CHECK_ERR(op1(id, 1, -1, IPC_NOWAIT), EAGAIN);
	CHECK_ERR(op1(id, 0, 0, IPC_NOWAIT), EAGAIN);
	CHECK_OK(op1(id, 1, 0, IPC_NOWAIT));
	CHECK_EQ(value(id, 0), 32767);
}

TEST(arrays_of_operations_happen_together_or_not_at_all)
{
	int id = make(3);

	CHECK_ERR(semop(id, ((struct sembuf[]){ { 0, 2, 0 }, { 1, 1, 0 }, { 2, -1, IPC_NOWAIT } }),
			3), EAGAIN);
	CHECK_EQ(value(id, 0) + value(id, 1), 0);
	CHECK_ERR(semop(id, ((struct sembuf[]){ { 0, 2, 0 }, { 1, 32767, 0 }, { 1, 1, 0 } }), 3),
		  ERANGE);
	CHECK_EQ(value(id, 0) + value(id, 1), 0);
	/* In order, on one semaphore. */
	CHECK_OK(semop(id, ((struct sembuf[]){ { 0, 0, 0 }, { 0, 3, 0 }, { 0, -1, 0 } }), 3));
	CHECK_EQ(value(id, 0), 2);
}

TEST(decrement_waits_for_increment)
{
	int id = make(1);
	pid_t pid = CHILD_OPS(id, { 0, -3, 0 });

	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_OK(op1(id, 0, 2, 0));
	sleep_ms(20);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_OK(op1(id, 0, 2, 0));
	CHECK_EXITS(pid, 0);
	CHECK_EQ(value(id, 0), 1);
	CHECK_EQ(semctl(id, 0, GETPID), pid);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
}

TEST(wait_for_zero)
{
	int id = make(1);
	pid_t a, b;

	set(id, 0, 2);
	a = CHILD_OPS(id, { 0, 0, 0 });
	b = CHILD_OPS(id, { 0, 0, 0 });
	CHECK_EQ(semctl(id, 0, GETZCNT), 2);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_OK(op1(id, 0, -2, 0));
	CHECK_EXITS(a, 0);
	CHECK_EXITS(b, 0);
}

TEST(complex_waiters_go_on_when_all_parts_can)
{
	int id = make(2);
	pid_t pid = CHILD_OPS(id, { 0, -1, 0 }, { 1, -1, 0 });

	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(semctl(id, 1, GETNCNT), 0);
	set(id, 0, 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_EQ(semctl(id, 1, GETNCNT), 1);
	CHECK_EQ(value(id, 0), 1);
	set(id, 1, 1);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(value(id, 0) + value(id, 1), 0);
}

TEST(a_chain_of_waiters_wakes_itself)
{
	int id = make(3);
	pid_t a = CHILD_OPS(id, { 0, -1, 0 }, { 1, 1, 0 });
	pid_t b = CHILD_OPS(id, { 1, -1, 0 }, { 2, 1, 0 });
	pid_t c = CHILD_OPS(id, { 2, -1, 0 });

	CHECK_OK(op1(id, 0, 1, 0));
	CHECK_EXITS(a, 0);
	CHECK_EXITS(b, 0);
	CHECK_EXITS(c, 0);
	CHECK_EQ(value(id, 0) + value(id, 1) + value(id, 2), 0);
}

TEST(removal_ends_waiting)
{
	int id = make(2);
	pid_t a = CHILD_OPS(id, { 0, -1, 0 }), b = CHILD_OPS(id, { 0, -1, 0 }, { 1, -1, 0 });

	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_EXITS(a, EIDRM);
	CHECK_EXITS(b, EIDRM);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(a_signal_ends_waiting_and_is_not_restarted)
{
	int id = make(1);
	pid_t pid;

	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = nothing, .sa_flags = SA_RESTART }, NULL);
	pid = CHILD_OPS(id, { 0, -1, 0 });
	kill(pid, SIGUSR1);
	CHECK_EXITS(pid, EINTR);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
}

TEST(semtimedop_times_out)
{
	int id = make(1);
	struct sembuf op = { 0, -1, 0 };
	u64 start = now_ns(CLOCK_MONOTONIC);

	CHECK_ERR(semtimedop(id, &op, 1, &(struct timespec){ 0, 30000000 }), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30000000);
	CHECK_ERR(semtimedop(id, &op, 1, &(struct timespec){ 0, 1000000000 }), EINVAL);
	CHECK_ERR(semtimedop(id, &op, 1, &(struct timespec){ -1, 0 }), EINVAL);
	CHECK_ERR(semtimedop(id, &op, 1, (void *)1), EFAULT);
	set(id, 0, 1);
	CHECK_OK(semtimedop(id, &op, 1, &(struct timespec){ 0, 0 }));
}

TEST(undo_is_applied_at_exit)
{
	int id = make(2);
	pid_t pid;

	set(id, 0, 5);
	pid = test_fork();
	if (pid == 0) {
		CHECK_OK(op1(id, 0, -3, SEM_UNDO));
		CHECK_OK(op1(id, 1, 4, SEM_UNDO));
		CHECK_OK(op1(id, 1, -1, 0));
		CHECK_EQ(value(id, 0), 2);
		_exit(0);
	}
	CHECK_EXITS(pid, 0);
	CHECK_EQ(value(id, 0), 5);
	CHECK_EQ(value(id, 1), 0); /* 3 - 4: not below zero */
	CHECK_EQ(semctl(id, 0, GETPID), pid);
}

TEST(undo_at_exit_lets_waiters_go_on)
{
	int id = make(1);
	pid_t holder, waiter;
	int p[2];
	char c;

	set(id, 0, 1);
	CHECK_OK(pipe(p));
	holder = test_fork();
	if (holder == 0) {
		CHECK_OK(op1(id, 0, -1, SEM_UNDO));
		CHECK_EQ(write(p[1], "x", 1), 1);
		pause();
	}
	CHECK_EQ(read(p[0], &c, 1), 1);
	waiter = CHILD_OPS(id, { 0, -1, SEM_UNDO });
	kill(holder, SIGKILL);
	CHECK_KILLED(holder, SIGKILL);
	CHECK_EXITS(waiter, 0);
	CHECK_EQ(value(id, 0), 1);
}

TEST(setval_forgets_what_is_owed)
{
	int id = make(2);
	unsigned short zero[2] = { 0, 0 };

	IN_CHILD {
		CHECK_OK(op1(id, 0, 2, SEM_UNDO));
		CHECK_OK(op1(id, 1, 2, SEM_UNDO));
		set(id, 0, 9);
	}
	CHECK_EQ(value(id, 0), 9);
	CHECK_EQ(value(id, 1), 0);
	IN_CHILD {
		CHECK_OK(op1(id, 1, 2, SEM_UNDO));
		CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = zero }));
		CHECK_OK(op1(id, 1, 1, 0));
	}
	CHECK_EQ(value(id, 1), 1);
}

TEST(undo_overflow_is_refused)
{
	int id = make(1);

	CHECK_OK(op1(id, 0, 32767, SEM_UNDO));
	CHECK_OK(op1(id, 0, -32767, 0));
	CHECK_OK(op1(id, 0, 1, SEM_UNDO));
	CHECK_ERR(op1(id, 0, 1, SEM_UNDO), ERANGE);
	CHECK_EQ(value(id, 0), 1);
}

static int shared_id;

static void *thread_takes(void *arg)
{
	(void)arg;
	op1(shared_id, 0, -1, SEM_UNDO);
	return NULL;
}

TEST(threads_share_their_undo)
{
	pthread_t th;

	shared_id = make(1);
	set(shared_id, 0, 3);
	IN_CHILD {
		CHECK_OK(op1(shared_id, 0, -1, SEM_UNDO));
		CHECK_EQ(pthread_create(&th, NULL, thread_takes, NULL), 0);
		pthread_join(th, NULL);
		CHECK_EQ(value(shared_id, 0), 1); /* the thread has ended, its list has not */
	}
	CHECK_EQ(value(shared_id, 0), 3);
}

TEST(unshare_settles_the_undo)
{
	int id = make(1);

	CHECK_OK(op1(id, 0, 2, SEM_UNDO));
	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(value(id, 0), 0);
}

TEST(fork_does_not_inherit_undo)
{
	int id = make(1);

	CHECK_OK(op1(id, 0, 2, SEM_UNDO));
	IN_CHILD CHECK_OK(op1(id, 0, 1, 0));
	CHECK_EQ(value(id, 0), 3);
}

TEST(undo_of_a_removed_set_is_forgotten)
{
	IN_CHILD {
		int id = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));

		CHECK_OK(op1(id, 0, 1, SEM_UNDO));
		CHECK_OK(semctl(id, 0, IPC_RMID));
		id = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
		CHECK_OK(op1(id, 0, 1, SEM_UNDO));
		CHECK_OK(semctl(id, 0, IPC_RMID));
	}
}

TEST(stat_times_and_owner)
{
	int id = make(4), max, found = -1;
	struct semid_ds d;
	struct seminfo info;

	CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &d }));
	CHECK_EQ(d.sem_nsems, 4);
	CHECK_EQ(d.sem_otime, 0);
	CHECK_EQ(d.sem_perm.mode, 0600);
	CHECK(labs((long)d.sem_ctime - (long)time(NULL)) <= 1);
	CHECK_OK(op1(id, 0, 1, 0));
	d.sem_perm.mode = 0644;
	CHECK_OK(semctl(id, 0, IPC_SET, (union semun){ .buf = &d }));
	CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &d }));
	CHECK(labs((long)d.sem_otime - (long)time(NULL)) <= 1);
	CHECK_EQ(d.sem_perm.mode, 0644);
	max = CHECK_OK(semctl(0, 0, SEM_INFO, (union semun){ .info = &info }));
	CHECK(info.semusz >= 1);
	CHECK(info.semaem >= 4);
	for (int i = 0; i <= max; i++)
		if (semctl(i, 0, SEM_STAT_ANY, (union semun){ .buf = &d }) == id)
			found = i;
	CHECK(found >= 0);
	CHECK_EQ(semctl(found, 0, SEM_STAT, (union semun){ .buf = &d }), id);
	CHECK_OK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }));
	CHECK_EQ(info.semopm, 500);
	CHECK_EQ(info.semmsl, 32000);
	CHECK_EQ(info.semmni, 32000);
	CHECK_EQ(info.semvmx, 32767);
}

TEST(permissions_follow_the_mode)
{
	int id;

	if (geteuid())
		SKIP("needs root");
	id = make(1);
	CHECK_OK(semctl(id, 0, IPC_SET, (union semun){ .buf = &(struct semid_ds){
			.sem_perm.mode = 0604 } }));
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(op1(id, 0, 1, 0), EACCES);
		CHECK_OK(op1(id, 0, 0, 0));
		CHECK_EQ(value(id, 0), 0);
		CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = 1 }), EACCES);
		CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = NULL }), EACCES);
		CHECK_ERR(semctl(id, 0, IPC_RMID), EPERM);
	}
}

#define HEADER "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"

TEST(proc_sysvipc_lists_sets)
{
	int id = make(3);
	char buf[65536], want[80];

	read_file("/proc/sysvipc/sem", buf, sizeof(buf));
	CHECK_EQ(strncmp(buf, HEADER, strlen(HEADER)), 0);
	sprintf(want, "%10d %10d  %4o %10d", 0, id, 0600, 3);
	CHECK(strstr(buf, want));
}

/* Many tasks take and give back two semaphores at once: none is lost, nobody starves. */
TEST(mutual_exclusion_under_load)
{
	int id = make(2), n = SCALE(200, 5000);
	int *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[6];

	set(id, 0, 1);
	set(id, 1, 1);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = test_fork();
		if (pids[i])
			continue;
		for (int k = 0; k < n; k++) {
			int first = (i + k) & 1;
			struct sembuf take[2] = { { first, -1, SEM_UNDO }, { !first, -1, SEM_UNDO } };
			struct sembuf give[2] = { { 0, 1, SEM_UNDO }, { 1, 1, SEM_UNDO } };

			CHECK_OK(semop(id, take, 2));
			*(volatile int *)counter += 1;
			CHECK_OK(semop(id, give, 2));
		}
		_exit(0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		CHECK_EXITS(pids[i], 0);
	CHECK_EQ(*counter, n * 6);
	CHECK_EQ(value(id, 0) + value(id, 1), 2);
}
