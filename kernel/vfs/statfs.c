/* statfs and fstatfs. */
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <syscall/table.h>
#include <vfs/file.h>

#include "internal.h"

#define ST_VALID 0x0020 /* f_flags is filled in */

static u64 mount_st_flags(const struct mount *m)
{
	static const struct { u32 mnt, st; } map[] = {
		{MNT_RDONLY, 0x0001}, {MNT_NOSUID, 0x0002}, {MNT_NODEV, 0x0004},
		{MNT_NOEXEC, 0x0008}, {MNT_NOATIME, 0x0400}, {MNT_NODIRATIME, 0x0800},
		{MNT_RELATIME, 0x1000}, {MNT_NOSYMFOLLOW, 0x2000},
	};
	u32 flags = READ_ONCE(m->flags), sbf = READ_ONCE(m->sb->flags);
	u64 st = ST_VALID;

	if (sbf & MS_RDONLY)
		st |= 0x0001;
	if (sbf & MS_SYNCHRONOUS)
		st |= 0x0010;
	for (u32 i = 0; i < ARRAY_SIZE(map); i++)
		if (flags & map[i].mnt)
			st |= map[i].st;
	return st;
}

static int statfs_path(const struct path *p, struct user_statfs out)
{
	struct super_block *sb = p->dentry->sb;
	struct kstatfs k = {.type = sb->magic, .bsize = sb->blocksize, .namelen = 255};
	struct statfs s;
	int err = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &k) : 0;

	if (err)
		return err;
	memset(&s, 0, sizeof(s));
	s.f_type = (__statfs_word)k.type;
	s.f_bsize = (__statfs_word)k.bsize;
	s.f_blocks = (__statfs_word)k.blocks;
	s.f_bfree = (__statfs_word)k.bfree;
	s.f_bavail = (__statfs_word)k.bavail;
	s.f_files = (__statfs_word)k.files;
	s.f_ffree = (__statfs_word)k.ffree;
	s.f_fsid.val[0] = (int)k.fsid;
	s.f_fsid.val[1] = (int)(k.fsid >> 32);
	s.f_namelen = (__statfs_word)k.namelen;
	s.f_frsize = (__statfs_word)(k.frsize ? k.frsize : k.bsize);
	s.f_flags = (__statfs_word)(k.flags | mount_st_flags(p->mnt));
	return user_write(out, &s);
}

long sys_statfs(struct user_str path, struct user_statfs buf)
{
	struct path p;
	int err = user_path(AT_FDCWD, path, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = statfs_path(&p, buf);
	path_put(&p);
	return err;
}

long sys_fstatfs(int fd, struct user_statfs buf)
{
	struct fd f = fd_get_raw(fd);
	int err;

	if (!f.file)
		return -EBADF;
	err = statfs_path(&f.file->path, buf);
	fd_put(f);
	return err;
}
