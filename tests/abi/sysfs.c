/* sysfs: what the C library and tools read. */
#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <sys/statfs.h>

#define CPU "/sys/devices/system/cpu/"

static void need_sysfs(void)
{
	struct statfs st;

	if (statfs("/sys", &st) || st.f_type != 0x62656572)
		SKIP("no sysfs on /sys");
}

static int count_list(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9') {
		char *end;
		long first = strtol(s, &end, 10), last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		n += last - first + 1;
		s = *end == ',' ? end + 1 : end;
	}
	return n;
}

TEST(online_processors_are_listed)
{
	char buf[4096];
	cpu_set_t set;
	int n;

	need_sysfs();
	read_file(CPU "online", buf, sizeof(buf));
	n = count_list(buf);
	CHECK(n >= 1);
	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_COUNT(&set) <= n);
	read_file(CPU "possible", buf, sizeof(buf));
	CHECK(count_list(buf) >= n);
	read_file(CPU "cpu0/topology/thread_siblings_list", buf, sizeof(buf));
	CHECK(count_list(buf) >= 1);
	read_file(CPU "vulnerabilities/meltdown", buf, sizeof(buf));
	CHECK(!strncmp(buf, "Not affected", 12) || !strncmp(buf, "Vulnerable", 10) ||
	      !strncmp(buf, "Mitigation: ", 12));
}

TEST(attributes_are_files_of_a_page)
{
	struct stat st;
	char a[64], b[64];
	int fd;

	need_sysfs();
	CHECK_OK(stat(CPU "online", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0444);
	CHECK_EQ(st.st_size, 4096);
	fd = CHECK_OK(open(CPU "online", O_RDONLY));
	a[CHECK_OK(read(fd, a, 63))] = 0;
	CHECK_EQ(read(fd, b, 63), 0);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(read(fd, b, 1), 1);
	b[1 + CHECK_OK(read(fd, b + 1, 62))] = 0;
	CHECK_STR(a, b);
	CHECK_ERR(open(CPU "online", O_RDWR), EACCES);
	CHECK_ERR(open(CPU "nothing", O_RDONLY), ENOENT);
	CHECK_ERR(open(CPU "new", O_RDWR | O_CREAT, 0600), EACCES);
	CHECK_ERR(mkdir(CPU "dir", 0755), EPERM);
	CHECK_ERR(unlink(CPU "online"), EPERM);
}

TEST(devices_stand_in_their_class)
{
	char buf[256];
	int n;

	need_sysfs();
	if (access("/sys/class/mem/null", F_OK))
		SKIP("no devices here");
	n = CHECK_OK(readlink("/sys/class/mem/null", buf, sizeof(buf) - 1));
	buf[n] = 0;
	CHECK_STR(buf, "../../devices/virtual/mem/null");
	read_file("/sys/class/mem/null/dev", buf, sizeof(buf));
	CHECK_STR(buf, "1:3\n");
	read_file("/sys/dev/char/1:3/uevent", buf, sizeof(buf));
	CHECK_STR(buf, "MAJOR=1\nMINOR=3\nDEVNAME=null\nDEVMODE=0666\n");
	n = CHECK_OK(readlink("/sys/class/mem/null/subsystem", buf, sizeof(buf) - 1));
	buf[n] = 0;
	CHECK_STR(buf, "../../../../class/mem");
}

TEST(directories_can_be_read_in_parts)
{
	DIR *d;
	struct dirent *e;
	int n = 0, again = 0;
	long pos = 0;

	need_sysfs();
	d = opendir("/sys/devices/system/cpu");
	CHECK(d);
	while ((e = readdir(d))) {
		if (++n == 4)
			pos = telldir(d);
	}
	CHECK(n > 6);
	seekdir(d, pos);
	while (readdir(d))
		again++;
	CHECK_EQ(again, n - 4);
	closedir(d);
}
