/* Names of AF_UNIX sockets: paths, abstract names, autobind, /proc/net/unix. */
#include "sockets.h"

static void check_name(int fd, const void *path, socklen_t n)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	CHECK_OK(getsockname(fd, (void *)&a, &len));
	CHECK_EQ(len, n + 2);
	CHECK(!memcmp(a.sun_path, path, n));
}

TEST(a_path_makes_an_inode)
{
	int fd = unix_socket(SOCK_STREAM);
	struct stat st;

	umask(022);
	CHECK_OK(unix_bind(fd, "dir.sock"));
	CHECK_OK(lstat("dir.sock", &st));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0755);
	CHECK_ERR(open("dir.sock", O_RDWR), ENXIO);
	check_name(fd, "dir.sock", 9);
	CHECK_ERR(unix_bind(fd, "other"), EINVAL);
	CHECK_ERR(lstat("other", &st), ENOENT);
	CHECK_ERR(unix_bind(fd, "dir.sock"), EADDRINUSE);
	CHECK_ERR(unix_bind(unix_socket(SOCK_DGRAM), "dir.sock"), EADDRINUSE);
	close(fd);
	CHECK_OK(lstat("dir.sock", &st));
	CHECK_ERR(unix_bind(unix_socket(SOCK_STREAM), "dir.sock"), EADDRINUSE);
	CHECK_OK(unlink("dir.sock"));
	CHECK_OK(unix_bind(unix_socket(SOCK_STREAM), "dir.sock"));
	umask(0);
	fd = unix_socket(SOCK_STREAM);
	CHECK_OK(fchmod(fd, 0600));
	CHECK_OK(unix_bind(fd, "mode"));
	CHECK_OK(lstat("mode", &st));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0600);
}

TEST(paths_that_cannot_be_made)
{
	int fd = unix_socket(SOCK_STREAM);

	write_file("file", "");
	CHECK_ERR(unix_bind(fd, "no/such"), ENOENT);
	CHECK_ERR(unix_bind(fd, "file/x"), ENOTDIR);
	CHECK_ERR(unix_bind(fd, "file"), EADDRINUSE);
	CHECK_ERR(unix_bind(fd, "."), EADDRINUSE);
	CHECK_ERR(unix_bind(fd, "/"), EADDRINUSE);
	CHECK_OK(symlink("target", "link"));
	CHECK_ERR(unix_bind(fd, "link"), EADDRINUSE);
	if (geteuid())
		return;
	CHECK_OK(mkdir("closed", 0755));
	IN_CHILD {
		become(7, 7);
		CHECK_ERR(unix_bind(fd, "closed/x"), EACCES);
	}
}

TEST(a_path_may_fill_the_address)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char buf[200];
	socklen_t len = 120;
	int fd = unix_socket(SOCK_STREAM), c = unix_socket(SOCK_STREAM);

	memset(a.sun_path, 'n', sizeof(a.sun_path));
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(fd, (void *)buf, &len));
	CHECK_EQ(len, 111);
	CHECK_EQ(buf[110], 0);
	CHECK_OK(listen(fd, 1));
	CHECK_OK(connect(c, (void *)&a, sizeof(a)));
}

TEST(the_path_ends_at_its_nul)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "short\0garbage" };
	int fd = unix_socket(SOCK_STREAM);

	CHECK_OK(bind(fd, (void *)&a, 2 + 13));
	check_name(fd, "short", 6);
	CHECK_OK(listen(fd, 1));
	CHECK_OK(connect(unix_socket(SOCK_STREAM), (void *)&a, 2 + 5)); /* without a NUL */
}

TEST(connecting_by_path)
{
	int l = unix_listener(SOCK_STREAM, "sock", 5), c = unix_socket(SOCK_STREAM);

	write_file("file", "");
	CHECK_ERR(unix_connect(c, "none"), ENOENT);
	CHECK_ERR(unix_connect(c, "file"), ECONNREFUSED);
	CHECK_ERR(unix_connect(c, "."), ECONNREFUSED);
	CHECK_OK(symlink("sock", "link"));
	CHECK_OK(link("sock", "hard"));
	CHECK_OK(unix_connect(c, "link"));
	CHECK_OK(unix_connect(unix_socket(SOCK_STREAM), "hard"));
	CHECK_OK(rename("sock", "moved"));
	CHECK_OK(unix_connect(unix_socket(SOCK_STREAM), "moved"));
	CHECK_ERR(unix_connect(unix_socket(SOCK_DGRAM), "moved"), EPROTOTYPE);
	c = unix_socket(SOCK_STREAM);
	if (!geteuid()) {
		CHECK_OK(chmod("moved", 0444));
		IN_CHILD {
			become(7, 7);
			CHECK_ERR(unix_connect(c, "moved"), EACCES);
		}
		CHECK_OK(chmod("moved", 0222));
		IN_CHILD {
			become(7, 7);
			CHECK_OK(unix_connect(unix_socket(SOCK_STREAM), "moved"));
		}
	}
	close(l);
	CHECK_ERR(unix_connect(c, "moved"), ECONNREFUSED);
	CHECK_ERR(unix_connect(c, "hard"), ECONNREFUSED);
	l = unix_socket(SOCK_STREAM);
	CHECK_OK(unix_bind(l, "bound"));
	CHECK_ERR(unix_connect(c, "bound"), ECONNREFUSED);
}

TEST(abstract_names_are_bytes)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0a\0b" };
	int fd = unix_socket(SOCK_STREAM), other;

	CHECK_OK(bind(fd, (void *)&a, 2 + 4));
	check_name(fd, "\0a\0b", 4);
	other = unix_socket(SOCK_STREAM);
	CHECK_ERR(bind(other, (void *)&a, 2 + 4), EADDRINUSE);
	CHECK_OK(bind(other, (void *)&a, 2 + 5)); /* one more byte is another name */
	CHECK_OK(bind(unix_socket(SOCK_STREAM), (void *)&a, 2 + 1)); /* as is the empty one */
	CHECK_OK(bind(unix_socket(SOCK_DGRAM), (void *)&a, 2 + 4)); /* each type has its own */
	CHECK_ERR(bind(fd, (void *)&a, 2 + 3), EINVAL);
	CHECK_ERR(connect(unix_socket(SOCK_SEQPACKET), (void *)&a, 2 + 4), ECONNREFUSED);
	close(fd);
	CHECK_OK(bind(unix_socket(SOCK_STREAM), (void *)&a, 2 + 4));
}

static void check_auto_name(int fd)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	CHECK_OK(getsockname(fd, (void *)&a, &len));
	CHECK_EQ(len, 2 + 6);
	CHECK_EQ(a.sun_path[0], 0);
	for (int i = 1; i < 6; i++)
		CHECK(strchr("0123456789abcdef", a.sun_path[i]) && a.sun_path[i]);
}

TEST(autobind)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX }, b;
	int fd = unix_socket(SOCK_STREAM), other = unix_socket(SOCK_DGRAM);
	socklen_t len = sizeof(b);

	CHECK_OK(bind(fd, (void *)&a, 2));
	check_auto_name(fd);
	CHECK_OK(getsockname(fd, (void *)&b, &len));
	CHECK_OK(bind(fd, (void *)&a, 2)); /* does nothing */
	check_name(fd, b.sun_path, 6);
	a.sun_family = AF_INET;
	CHECK_ERR(bind(other, (void *)&a, 2), EINVAL);
	set_option(other, SO_PASSCRED, 1);
	CHECK_ERR(unix_sendto(other, "x", 1, "@nobody-here"), ECONNREFUSED);
	check_auto_name(other);
	fd = unix_socket(SOCK_STREAM);
	set_option(fd, SO_PASSCRED, 1);
	CHECK_ERR(unix_connect(fd, "@nobody-here"), ECONNREFUSED);
	check_auto_name(fd);
}

TEST(many_abstract_names)
{
	enum { N = 300 };
	int fd[N], c;
	char name[20];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "@many-%d", i);
		fd[i] = unix_listener(SOCK_STREAM, name, 1);
	}
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "@many-%d", i);
		c = unix_socket(SOCK_STREAM);
		CHECK_OK(unix_connect(c, name));
		close((int)CHECK_OK(accept(fd[i], NULL, NULL)));
		close(c);
		close(fd[i]);
	}
	CHECK_ERR(unix_connect(unix_socket(SOCK_STREAM), "@many-7"), ECONNREFUSED);
}

TEST(proc_net_unix_lists_sockets)
{
	static char text[1 << 20];
	char want[64], *line;
	int l = unix_listener(SOCK_STREAM, "@listed\x01x", 5);
	struct stat st;
	unsigned flags, type, state;

	CHECK_OK(unix_bind(unix_socket(SOCK_DGRAM), "listed.path"));
	CHECK_OK(fstat(l, &st));
	read_file("/proc/net/unix", text, sizeof(text));
	CHECK(!strncmp(text, "Num       RefCount Protocol Flags    Type St Inode Path\n", 56));
	snprintf(want, sizeof(want), " %5lu @listed", (unsigned long)st.st_ino);
	line = strstr(text, want);
	CHECK(line);
	while (line > text && line[-1] != '\n')
		line--;
	CHECK_EQ(sscanf(line, "%*s %*x %*x %x %x %x", &flags, &type, &state), 3);
	CHECK_EQ(flags, 0x10000);
	CHECK_EQ(type, 1);
	CHECK_EQ(state, 1);
	CHECK(strstr(text, " listed.path\n"));
}

TEST(peername_option)
{
	struct sockaddr_un a;
	socklen_t len = 7;
	int l = unix_listener(SOCK_STREAM, "@peer!", 5), c = unix_socket(SOCK_STREAM);

	CHECK_ERR(getsockopt(c, SOL_SOCKET, 28 /* SO_PEERNAME */, &a, &len), ENOTCONN);
	CHECK_OK(unix_connect(c, "@peer!"));
	CHECK_OK(getsockopt(c, SOL_SOCKET, 28, &a, &len));
	CHECK(len == 7 && !memcmp(a.sun_path, "\0peer", 5));
	len = 100;
	CHECK_ERR(getsockopt(c, SOL_SOCKET, 28, &a, &len), EINVAL);
	(void)l;
}
