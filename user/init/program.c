/*
 * The program that the machine was started for: its streams, its user, its start.
 *
 * The streams are the devices themselves, with nothing in between: the virtio ports, or the
 * terminal as controlling terminal. A port can be open once only (Linux), so pid 1 opens each and
 * the program inherits them. Errors before exec that are the configuration's fault end the run
 * with a CONTROL_ERROR; a program that cannot be executed is the program's failure, reported on
 * its own standard error with status 126 or 127.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

struct identity {
	uid_t uid;
	gid_t gid;
	const char *name; /* NULL: not in /etc/passwd */
	const char *home;
};

static int streams[3] = {-1, -1, -1};

static int open_stream(const char *path, int flags)
{
	struct timespec pause_ns = {.tv_nsec = 500 * 1000};
	int fd = -1;

	/* The ports of one device appear one after the other. */
	for (int tries = 0; fd < 0 && tries < 2000; tries++) {
		if (tries > 0)
			nanosleep(&pause_ns, NULL);
		fd = open(path, flags | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT && errno != ENODEV)
			break;
	}
	if (fd < 0)
		fail(errno, "cannot open %s", path);
	return fd;
}

void program_open_streams(const struct config *config)
{
	if (!config->has_terminal) {
		streams[0] = open_stream(STDIN_PORT, O_RDONLY);
		port_wait_connected(streams[0]);
		streams[1] = open_stream(STDOUT_PORT, O_WRONLY);
		streams[2] = open_stream(STDERR_PORT, O_WRONLY);
		return;
	}
	streams[0] = streams[1] = streams[2] = open_stream(TERMINAL_DEVICE, O_RDWR);
	if (config->terminal.separate_stderr)
		streams[2] = open_stream(STDERR_PORT, O_WRONLY);
	program_resize(config->terminal.size);
}

void program_resize(struct control_winsize size)
{
	struct winsize winsize = {.ws_row = size.rows, .ws_col = size.columns};

	ioctl(streams[0], TIOCSWINSZ, &winsize);
}

static bool parse_id(const char *text, unsigned int *id)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (*end || errno || value >= UINT_MAX)
		return false;
	*id = (unsigned int)value;
	return true;
}

/*
 * The guest's own files are read, entry by entry, instead of asking getpwnam and initgroups: those
 * want a name service daemon behind a socket, which a small guest does not have.
 */
static void find_user(const char *text, struct identity *who)
{
	bool numeric = parse_id(text, &who->uid);
	FILE *users = fopen("/etc/passwd", "re");
	const struct passwd *entry = NULL;

	while (users && (entry = fgetpwent(users)) != NULL) {
		if (numeric ? entry->pw_uid == who->uid : strcmp(entry->pw_name, text) == 0)
			break;
	}
	if (!entry && !numeric)
		fail(0, "no user '%s' in the guest's /etc/passwd", text);
	if (entry) {
		who->uid = entry->pw_uid;
		who->gid = entry->pw_gid;
		who->name = strdup(entry->pw_name);
		who->home = strdup(entry->pw_dir);
		if (!who->name || !who->home)
			fail(ENOMEM, "user '%s'", text);
	}
	if (users)
		fclose(users);
}

static void find_group(const char *text, struct identity *who)
{
	FILE *groups;
	const struct group *entry = NULL;

	if (parse_id(text, &who->gid))
		return;
	groups = fopen("/etc/group", "re");
	while (groups && (entry = fgetgrent(groups)) != NULL) {
		if (strcmp(entry->gr_name, text) == 0)
			break;
	}
	if (!entry)
		fail(0, "no group '%s' in the guest's /etc/group", text);
	who->gid = entry->gr_gid;
	fclose(groups);
}

static bool has_member(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member; member++) {
		if (strcmp(*member, name) == 0)
			return true;
	}
	return false;
}

/* The primary group and all that list the user; returns their number. */
static size_t find_groups(const struct identity *who, gid_t *gids, size_t room)
{
	FILE *groups = who->name ? fopen("/etc/group", "re") : NULL;
	const struct group *entry;
	size_t count = 0;

	gids[count++] = who->gid;
	while (groups && count < room && (entry = fgetgrent(groups)) != NULL) {
		if (entry->gr_gid != who->gid && has_member(entry, who->name))
			gids[count++] = entry->gr_gid;
	}
	if (groups)
		fclose(groups);
	return count;
}

static void find_identity(const char *spec, struct identity *who)
{
	char *user = strdup(spec ? spec : "0");

	if (!user)
		fail(ENOMEM, "user '%s'", spec);
	char *group = strchr(user, ':');
	if (group)
		*group++ = '\0';
	find_user(user, who);
	if (group)
		find_group(group, who);
	free(user);
}

static void become(const struct identity *who)
{
	gid_t gids[256];
	size_t count;

	if (who->uid == 0 && who->gid == 0)
		return;
	count = find_groups(who, gids, sizeof(gids) / sizeof(gids[0]));
	if (setgroups(count, gids) < 0 || setgid(who->gid) < 0 || setuid(who->uid) < 0)
		fail(errno, "cannot become user %u", who->uid);
}

static const char *env_get(const struct config *config, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < config->nr_env; i++) {
		if (strncmp(config->envp[i], name, len) == 0 && config->envp[i][len] == '=')
			return config->envp[i] + len + 1;
	}
	return NULL;
}

static int exec_status(int err)
{
	return err == ENOENT || err == ENOTDIR ? 127 : 126;
}

static _Noreturn void exec_failed(const char *name, int err)
{
	const char *reason =
		err == ENOENT && !strchr(name, '/') ? "not found in PATH" : strerror(err);

	dprintf(STDERR_FILENO, "gatehouse: %s: %s\n", name, reason);
	_exit(exec_status(err));
}

/* As execvp does it: a candidate that cannot be executed is remembered, the search goes on. */
static int exec_in_path(char **argv, char **envp, const char *path)
{
	char candidate[PATH_MAX];
	int err = ENOENT;

	for (;;) {
		size_t len = strcspn(path, ":");
		int used = snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)len, path,
				    len ? "/" : "./", argv[0]);
		if (used > 0 && (size_t)used < sizeof(candidate)) {
			execve(candidate, argv, envp);
			if (errno == EACCES)
				err = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		if (!path[len])
			return err;
		path += len + 1;
	}
}

static _Noreturn void exec_program(const struct config *config)
{
	const char *name = config->argv[0];
	const char *path = env_get(config, "PATH");
	int err;

	if (strchr(name, '/')) {
		execve(name, config->argv, config->envp);
		err = errno;
	} else {
		err = *name ? exec_in_path(config->argv, config->envp, path ? path : "") : ENOENT;
	}
	exec_failed(name, err);
}

static void take_streams(const struct config *config)
{
	if (config->has_terminal && ioctl(streams[0], TIOCSCTTY, 0) < 0)
		fail(errno, "cannot make %s the controlling terminal", TERMINAL_DEVICE);
	for (int fd = 0; fd < 3; fd++) {
		if (dup2(streams[fd], fd) < 0)
			fail(errno, "cannot pass on descriptor %d", fd);
	}
}

static void reset_signals(void)
{
	sigset_t none;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* HOME is the guest's to know; the rest of the environment came from the host. */
static void env_add_home(struct config *config, const struct identity *who)
{
	char *entry;
	char **envp;

	if (env_get(config, "HOME"))
		return;
	envp = calloc(config->nr_env + 2, sizeof(*envp));
	if (!envp || asprintf(&entry, "HOME=%s", who->home ? who->home : "/") < 0)
		fail(ENOMEM, "cannot make the environment");
	if (config->nr_env)
		memcpy(envp, config->envp, config->nr_env * sizeof(*envp));
	envp[config->nr_env++] = entry;
	config->envp = envp;
}

/* The program may open its streams again by name (/dev/stdout), so they are its own. */
static void own_streams(const struct identity *who)
{
	if (who->uid == 0 && who->gid == 0)
		return;
	for (int fd = 0; fd < 3; fd++) {
		if (fchown(streams[fd], who->uid, who->gid) < 0)
			fail(errno, "cannot give descriptor %d to user %u", fd, who->uid);
	}
}

pid_t program_start(const struct config *config)
{
	struct identity who = {.home = NULL};
	struct config own = *config;
	pid_t pid;

	find_identity(config->user, &who);
	env_add_home(&own, &who);
	own_streams(&who);
	pid = fork();
	if (pid < 0)
		fail(errno, "cannot fork");
	if (pid > 0)
		return pid;
	setsid();
	take_streams(&own);
	reset_signals();
	trace_begin(&own);
	confine_prepare(&own, who.uid != 0);
	become(&who);
	if (chdir(own.workdir) < 0)
		fail(errno, "cannot enter the working directory '%s' in the guest", own.workdir);
	confine(&own, who.uid != 0);
	exec_program(&own);
}

static void terminal_reset(int fd)
{
	struct termios modes;

	if (tcgetattr(fd, &modes) < 0)
		return;
	modes.c_oflag = OPOST | ONLCR;
	modes.c_iflag &= ~(tcflag_t)IXON;
	tcflow(fd, TCOON);
	tcsetattr(fd, TCSADRAIN, &modes);
}

static void write_mark(int fd, const struct config *config)
{
	_Alignas(END_MARK_LEN) char mark[END_MARK_LEN];
	size_t written = 0;

	/* The program may have left the shared description non-blocking. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	memcpy(mark, config->end_mark, sizeof(mark));
	while (written < sizeof(mark)) {
		ssize_t part = write(fd, mark + written, sizeof(mark) - written);
		if (part < 0 && errno != EINTR)
			return;
		if (part > 0)
			written += (size_t)part;
	}
}

void program_finish_streams(const struct config *config)
{
	if (config->has_terminal)
		terminal_reset(streams[1]);
	write_mark(streams[1], config);
	if (streams[2] != streams[1])
		write_mark(streams[2], config);
}
