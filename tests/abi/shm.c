/* System V shared memory. */
#include "test.h"

#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/resource.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

/* Segments outlive their makers: the last process of the claim removes them. */
static int made[8], nr_made;

static void remove_all(void)
{
	while (nr_made)
		shmctl(made[--nr_made], IPC_RMID, NULL);
}

static int make(key_t key, size_t size, int flags)
{
	int id = CHECK_OK(shmget(key, size, flags));

	if (!nr_made)
		atexit(remove_all);
	made[nr_made++] = id;
	return id;
}

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds d;

	CHECK_OK(shmctl(id, IPC_STAT, &d));
	return d;
}

static key_t some_key(void)
{
	return 0x47000000 + getpid();
}

TEST(shmget_makes_and_finds_by_key)
{
	key_t key = some_key();
	int id;

	CHECK_ERR(shmget(key, 100, 0600), ENOENT);
	id = make(key, 100, IPC_CREAT | IPC_EXCL | 0640);
	CHECK_EQ(shmget(key, 0, 0), id);
	CHECK_EQ(shmget(key, 100, IPC_CREAT | 0600), id);
	CHECK_ERR(shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERR(shmget(key, 101, 0), EINVAL);
	CHECK_ERR(shmget(some_key() + 1, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, -1, IPC_CREAT | 0600), EINVAL);
}

TEST(a_new_segment_is_described)
{
	int id = make(IPC_PRIVATE, 5000, 0641);
	struct shmid_ds d = stat_of(id);

	CHECK_EQ(d.shm_segsz, 5000);
	CHECK_EQ(d.shm_perm.mode, 0641);
	CHECK_EQ(d.shm_perm.uid, geteuid());
	CHECK_EQ(d.shm_perm.cgid, getegid());
	CHECK_EQ(d.shm_perm.__key, IPC_PRIVATE);
	CHECK_EQ(d.shm_cpid, getpid());
	CHECK_EQ(d.shm_lpid, 0);
	CHECK_EQ(d.shm_nattch, 0);
	CHECK_EQ(d.shm_atime, 0);
	CHECK_EQ(d.shm_dtime, 0);
	CHECK(labs((long)d.shm_ctime - (long)time(NULL)) <= 1);
}

TEST(memory_is_shared_and_starts_zeroed)
{
	int id = make(IPC_PRIVATE, 10000, 0600);
	char *p = shmat(id, NULL, 0);

	CHECK(p != (void *)-1);
	for (int i = 0; i < 12288; i++)
		CHECK_EQ(p[i], 0);
	IN_CHILD {
		char *q = shmat(id, NULL, 0);

		CHECK(q != (void *)-1);
		strcpy(q + 9000, "child");
		CHECK_STR(p + 9000, "child");
	}
	CHECK_STR(p + 9000, "child");
	CHECK_OK(shmdt(p));
	p = shmat(id, NULL, SHM_RDONLY);
	CHECK_STR(p + 9000, "child");
}

TEST(nattch_follows_fork_exec_exit_and_detach)
{
	int id = make(IPC_PRIVATE, 4096, 0600), pipes[2];
	char *p = shmat(id, NULL, 0), c;
	pid_t pid;

	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_EQ(stat_of(id).shm_lpid, getpid());
	CHECK(stat_of(id).shm_atime != 0);
	CHECK_OK(pipe(pipes));
	pid = test_fork();
	if (pid == 0) {
		CHECK_EQ(read(pipes[0], &c, 1), 1);
		_exit(0);
	}
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	CHECK_EXITS(pid, 0);
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_EQ(stat_of(id).shm_lpid, pid);
	CHECK(stat_of(id).shm_dtime != 0);
	pid = test_fork();
	if (pid == 0) {
		char arg[16];

		sprintf(arg, "%d", id);
		execl(test_self, test_self, "--helper", "count", arg, NULL);
		_exit(99);
	}
	CHECK_EXITS(pid, 1);
	CHECK(shmat(id, NULL, 0) != (void *)-1);
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	CHECK_OK(shmdt(p));
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_ERR(shmdt(p), EINVAL);
	CHECK_ERR(shmdt(p + 1), EINVAL);
}

HELPER(count)
{
	struct shmid_ds d;

	return shmctl(atoi(argv[0]), IPC_STAT, &d) ? 98 : (int)d.shm_nattch;
}

TEST(areas_split_by_protection_count_and_stay_apart)
{
	int id = make(IPC_PRIVATE, 3 * 4096, 0600);
	char *p = shmat(id, NULL, 0);

	CHECK_OK(mprotect(p + 4096, 4096, PROT_READ));
	CHECK_EQ(stat_of(id).shm_nattch, 3);
	CHECK_OK(mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE));
	CHECK_EQ(stat_of(id).shm_nattch, 3);
	CHECK_OK(munmap(p + 4096, 4096));
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	CHECK_OK(shmdt(p));
	CHECK_EQ(stat_of(id).shm_nattch, 0);
}

TEST(removed_with_attachments_stays_until_the_last)
{
	key_t key = some_key();
	int id = make(key, 4096, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0), *q;

	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 01600);
	CHECK_EQ(stat_of(id).shm_perm.__key, IPC_PRIVATE);
	CHECK_ERR(shmget(key, 4096, 0), ENOENT);
	q = shmat(id, NULL, 0);
	CHECK(q != (void *)-1);
	strcpy(p, "still");
	CHECK_OK(shmdt(p));
	CHECK_STR(q, "still");
	CHECK_OK(shmdt(q));
	CHECK_ERR(shmat(id, NULL, 0), EINVAL);
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(an_id_is_not_given_again_at_once)
{
	int first = CHECK_OK(shmget(IPC_PRIVATE, 1, 0600)), second;

	CHECK_OK(shmctl(first, IPC_RMID, NULL));
	second = make(IPC_PRIVATE, 1, 0600);
	CHECK(first != second);
	CHECK_ERR(shmat(first, NULL, 0), EINVAL);
}

TEST(shmat_places_and_rounds)
{
	int id = make(IPC_PRIVATE, 8192, 0600);
	char *room = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_ERR(shmat(id, room, 0), EINVAL);
	CHECK_ERR(shmat(id, room + 1, SHM_REMAP), EINVAL);
	CHECK_ERR(shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK_ERR(shmat(id, (void *)100, SHM_RND | SHM_REMAP), EINVAL);
	CHECK_EQ(shmat(id, room + 4096, SHM_REMAP), room + 4096);
	room[4096] = 7;
	CHECK_OK(munmap(room + 16384, 16384));
	CHECK_EQ(shmat(id, room + 16384 + 123, SHM_RND), room + 16384);
	CHECK_EQ(room[16384], 7);
	CHECK_ERR(shmat(-1, NULL, 0), EINVAL);
	CHECK_ERR(shmat(0x7fffffff, NULL, 0), EINVAL);
}

TEST(read_only_attachments_stay_so)
{
	int id = make(IPC_PRIVATE, 4096, 0600);
	char *p = shmat(id, NULL, SHM_RDONLY);
	pid_t pid;

	CHECK_ERR(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	pid = test_fork();
	if (pid == 0)
		*(volatile char *)p = 1;
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(exec_attachments_run)
{
	int id = make(IPC_PRIVATE, 4096, 0700);
	unsigned char *p = shmat(id, NULL, SHM_EXEC);

	memcpy(p, (unsigned char[]){ 0xb8, 42, 0, 0, 0, 0xc3 }, 6);
	CHECK_EQ(((int (*)(void))p)(), 42);
}

TEST(maps_names_the_segment)
{
	char buf[16384], want[64];
	int id = make(some_key(), 4096, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0), *line;

	read_file("/proc/self/maps", buf, sizeof(buf));
	sprintf(want, "%lx-%lx rw-s 00000000", (long)p, (long)p + 4096);
	line = strstr(buf, want);
	CHECK(line);
	*strchr(line, '\n') = 0;
	sprintf(want, " %d ", id);
	CHECK(strstr(line, want));
	sprintf(want, " /SYSV%08x (deleted)", some_key());
	CHECK(strstr(line, want));
}

TEST(permissions_follow_owner_creator_and_mode)
{
	struct shmid_ds d;
	int id, ro;

	if (geteuid())
		SKIP("needs root");
	id = make(some_key(), 4096, IPC_CREAT | 0600);
	ro = make(some_key() + 1, 4096, IPC_CREAT | 0644);
	IN_CHILD {
		become(1000, 1000);
		CHECK_ERR(shmat(id, NULL, 0), EACCES);
		CHECK_ERR(shmat(id, NULL, SHM_RDONLY), EACCES);
		CHECK_ERR(shmctl(id, IPC_STAT, &d), EACCES);
		CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERR(shmctl(id, IPC_SET, &d), EPERM);
		CHECK_ERR(shmat(ro, NULL, 0), EACCES);
		CHECK(shmat(ro, NULL, SHM_RDONLY) != (void *)-1);
		CHECK_ERR(shmat(ro, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
		CHECK_ERR(shmctl(ro, SHM_LOCK, NULL), EPERM);
	}
	d = stat_of(id);
	d.shm_perm.uid = 1000;
	d.shm_perm.mode = 0660;
	CHECK_OK(shmctl(id, IPC_SET, &d));
	IN_CHILD {
		become(1000, 1000);
		CHECK(shmat(id, NULL, 0) != (void *)-1);
		d.shm_perm.mode = 0600;
		CHECK_OK(shmctl(id, IPC_SET, &d));
	}
	d.shm_perm.uid = -1;
	CHECK_ERR(shmctl(id, IPC_SET, &d), EINVAL);
	CHECK_EQ(stat_of(id).shm_perm.mode, 0600);
	CHECK_EQ(stat_of(id).shm_perm.cuid, 0);
}

TEST(shm_lock_is_limited_and_shown)
{
	struct rlimit none = { 0, 0 }, page = { 4096, 4096 };
	int id;

	if (geteuid())
		SKIP("needs root");
	id = make(IPC_PRIVATE, 8192, 0666);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 02666);
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_EQ(stat_of(id).shm_perm.mode, 0666);
	IN_CHILD {
		int own;

		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &page));
		become(1000, 1000);
		own = CHECK_OK(shmget(IPC_PRIVATE, 8192, 0600));
		CHECK_ERR(shmctl(own, SHM_LOCK, NULL), ENOMEM);
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &none));
		CHECK_ERR(shmctl(own, SHM_LOCK, NULL), EPERM);
		CHECK_OK(shmctl(own, IPC_RMID, NULL));
	}
}

TEST(stat_by_index_and_totals)
{
	int id = make(IPC_PRIVATE, 4096, 0600), max, found = -1;
	struct shm_info info;
	struct shminfo limits;
	struct shmid_ds d;

	memset(&info, 0xff, sizeof(info));
	max = CHECK_OK(shmctl(0, SHM_INFO, (void *)&info));
	CHECK(info.used_ids >= 1);
	CHECK(info.shm_tot >= 1);
	for (int i = 0; i <= max; i++) {
		int at = shmctl(i, SHM_STAT_ANY, &d);

		if (at == id)
			found = i;
	}
	CHECK(found >= 0);
	CHECK_EQ(shmctl(found, SHM_STAT, &d), id);
	CHECK_EQ(d.shm_segsz, 4096);
	CHECK_OK(shmctl(0, IPC_INFO, (void *)&limits));
	CHECK_EQ(limits.shmmni, 4096);
	CHECK_EQ(limits.shmmin, 1);
	CHECK_ERR(shmctl(0x7fff, SHM_STAT, &d), EINVAL);
	CHECK_ERR(shmctl(id, 99, &d), EINVAL);
	CHECK_ERR(shmctl(id, -1, &d), EINVAL);
	CHECK_ERR(shmctl(id, IPC_STAT, (void *)1), EFAULT);
	CHECK_ERR(shmctl(id, IPC_SET, (void *)1), EFAULT);
}

#define HEADER \
	"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  " \
	"cuid  cgid      atime      dtime      ctime                   rss                  swap\n"

TEST(proc_sysvipc_lists_segments)
{
	int id = make(IPC_PRIVATE, 4097, 0604);
	char buf[65536], want[80];

	read_file("/proc/sysvipc/shm", buf, sizeof(buf));
	CHECK_EQ(strncmp(buf, HEADER, strlen(HEADER)), 0);
	sprintf(want, "%10d %10d  %4o %21d %5d %5d", 0, id, 0604, 4097, getpid(), 0);
	CHECK(strstr(buf, want));
}

TEST(mremap_moves_an_attachment_and_keeps_the_count)
{
	int id = make(IPC_PRIVATE, 8192, 0600);
	char *p = shmat(id, NULL, 0), *q;

	strcpy(p + 4096, "moved");
	q = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = mremap(p, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	CHECK(q != MAP_FAILED);
	CHECK_STR(q + 4096, "moved");
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_OK(shmdt(q));
	CHECK_EQ(stat_of(id).shm_nattch, 0);
}
