/* prctl's speculation controls, and that /proc/PID/status, sysfs and /proc/cpuinfo agree with them. */
#include <dirent.h>
#include <sys/prctl.h>
#include <linux/seccomp.h>
#include "test.h"

#ifndef PR_SPEC_L1D_FLUSH
#define PR_SPEC_L1D_FLUSH 2
#endif

static long get(long which)
{
	return prctl(PR_GET_SPECULATION_CTRL, which, 0, 0, 0);
}

static long set(long which, unsigned long how)
{
	return prctl(PR_SET_SPECULATION_CTRL, which, how, 0, 0);
}

static void read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, buf, size - 1);
	CHECK(n >= 0);
	buf[n] = 0;
	close(fd);
}

static bool status_has(const char *line)
{
	char text[8192];

	read_text("/proc/self/status", text, sizeof(text));
	return strstr(text, line) != NULL;
}

TEST(speculation_arguments)
{
	CHECK_ERR(get(77), ENODEV);
	CHECK_ERR(set(77, PR_SPEC_DISABLE), ENODEV);
	CHECK_ERR(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 1), EINVAL);
	CHECK_ERR(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 1, 0), EINVAL);
	CHECK_ERR(set(PR_SPEC_INDIRECT_BRANCH, 1UL << 10), ERANGE);
	CHECK(get(PR_SPEC_L1D_FLUSH) == PR_SPEC_FORCE_DISABLE);
	CHECK_ERR(set(PR_SPEC_L1D_FLUSH, PR_SPEC_ENABLE), EPERM);
}

TEST(store_bypass_is_per_thread_and_inherited)
{
	long before = get(PR_SPEC_STORE_BYPASS);

	if (!(before & PR_SPEC_PRCTL)) {
		CHECK(before == PR_SPEC_NOT_AFFECTED || before == PR_SPEC_ENABLE || before == PR_SPEC_DISABLE);
		CHECK_ERR(set(PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE), ENXIO);
		CHECK(status_has(before == PR_SPEC_NOT_AFFECTED ? "Speculation_Store_Bypass:\tnot vulnerable\n" :
				 before == PR_SPEC_ENABLE ? "Speculation_Store_Bypass:\tvulnerable\n" :
				 "Speculation_Store_Bypass:\tglobally mitigated\n"));
		return;
	}
	CHECK(set(PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE) == 0);
	CHECK(get(PR_SPEC_STORE_BYPASS) == (PR_SPEC_PRCTL | PR_SPEC_DISABLE));
	CHECK(status_has("Speculation_Store_Bypass:\tthread mitigated\n"));
	CHECK(set(PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE) == 0);
	CHECK(set(PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE_NOEXEC) == 0);
	CHECK(get(PR_SPEC_STORE_BYPASS) == (PR_SPEC_PRCTL | PR_SPEC_DISABLE_NOEXEC));
	CHECK(set(PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE) == 0);
	CHECK(get(PR_SPEC_STORE_BYPASS) == (PR_SPEC_PRCTL | PR_SPEC_FORCE_DISABLE));
	CHECK_ERR(set(PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE), EPERM);
	CHECK(status_has("Speculation_Store_Bypass:\tthread force mitigated\n"));
}

TEST(indirect_branch_is_per_thread_and_inherited)
{
	long before = get(PR_SPEC_INDIRECT_BRANCH);
	pid_t child;
	int status;

	if (!(before & PR_SPEC_PRCTL)) {
		CHECK(before == PR_SPEC_NOT_AFFECTED || before == PR_SPEC_ENABLE || before == PR_SPEC_DISABLE);
		if (before == PR_SPEC_ENABLE) {
			CHECK(set(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_ENABLE) == 0);
			CHECK_ERR(set(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_DISABLE), EPERM);
			CHECK(status_has("SpeculationIndirectBranch:\talways enabled\n"));
		}
		return;
	}
	CHECK(set(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_DISABLE) == 0);
	CHECK(status_has("SpeculationIndirectBranch:\tconditional disabled\n"));
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(get(PR_SPEC_INDIRECT_BRANCH) == (PR_SPEC_PRCTL | PR_SPEC_DISABLE) ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(set(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE) == 0);
	CHECK_ERR(set(PR_SPEC_INDIRECT_BRANCH, PR_SPEC_ENABLE), EPERM);
	CHECK(status_has("SpeculationIndirectBranch:\tconditional force disabled\n"));
}

TEST(vulnerabilities_say_what_holds)
{
	static const char *const starts[] = {"Not affected", "Vulnerable", "Mitigation: ", "Unknown: ",
					     "KVM: ", "Processor vulnerable"};
	DIR *dir = opendir("/sys/devices/system/cpu/vulnerabilities");
	struct dirent *d;
	int files = 0;

	CHECK(dir != NULL);
	while ((d = readdir(dir))) {
		char path[400], text[512];
		bool known = false;

		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", d->d_name);
		read_text(path, text, sizeof(text));
		CHECK(strlen(text) > 1 && text[strlen(text) - 1] == '\n');
		for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
			known |= !strncmp(text, starts[i], strlen(starts[i]));
		CHECK(known);
		files++;
	}
	closedir(dir);
	CHECK(files >= 11);
}

/* A flaw that sysfs calls absent is not in the CPU's list either, and the other way round. */
TEST(cpuinfo_lists_the_same_flaws)
{
	static const char *const names[][2] = {
		{"meltdown", " cpu_meltdown"}, {"l1tf", " l1tf"}, {"spectre_v1", " spectre_v1"},
		{"spectre_v2", " spectre_v2"}, {"spec_store_bypass", " spec_store_bypass"},
		{"retbleed", " retbleed"}, {"srbds", " srbds"},
	};
	static char info[65536];
	char *bugs, *end;

	read_text("/proc/cpuinfo", info, sizeof(info));
	bugs = strstr(info, "\nbugs\t");
	CHECK(bugs != NULL);
	end = strchr(bugs + 1, '\n');
	CHECK(end != NULL);
	*end = ' ';
	end[1] = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[200], text[512], want[64];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", names[i][0]);
		read_text(path, text, sizeof(text));
		snprintf(want, sizeof(want), "%s ", names[i][1]);
		CHECK(!strcmp(text, "Not affected\n") == !strstr(bugs, want));
	}
}
