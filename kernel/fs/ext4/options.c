/*
 * Mount options. Those that choose what is done here anyway are accepted; those that ask for what is
 * not done here (journalled data, quotas, encryption) are refused, as a kernel without them does.
 */
#include <lib/format.h>
#include <lib/string.h>
#include "internal.h"

#define COMMIT_DEFAULT 5u
#define COMMIT_MAX     900u

struct flag_option {
	const char *name;
	u32 offset;
	bool value;
};

static const struct flag_option flags[] = {
	{"nobarrier", offsetof(struct ext4_options, barrier), false},
	{"noload", offsetof(struct ext4_options, noload), true},
	{"norecovery", offsetof(struct ext4_options, noload), true},
	{"acl", offsetof(struct ext4_options, acl), true},
	{"noacl", offsetof(struct ext4_options, acl), false},
	{"discard", offsetof(struct ext4_options, discard), true},
	{"nodiscard", offsetof(struct ext4_options, discard), false},
	{"barrier", offsetof(struct ext4_options, barrier), true},
	{"auto_da_alloc", offsetof(struct ext4_options, auto_da_alloc), true},
	{"noauto_da_alloc", offsetof(struct ext4_options, auto_da_alloc), false},
};

/* What is done anyway, or only advice. Options that promise what is not done are refused. */
static const char *const accepted[] = {
	"user_xattr", "delalloc", "nodelalloc", "nojournal_checksum", "init_itable", "noinit_itable", "inode_readahead_blks", "stripe",
	"min_batch_time", "max_batch_time", "mblk_io_submit", "nomblk_io_submit", "bsddf", "nogrpid",
	"block_validity", "noblock_validity", "dioread_lock", "dioread_nolock",
	"nombcache", "no_mbcache", "prefetch_block_bitmaps",
};

static int parse_commit(struct ext4_options *o, const char *value)
{
	u64 v;

	if (!value || parse_u64(value, 10, &v) || v > COMMIT_MAX)
		return -EINVAL;
	o->commit_s = v ? (u32)v : COMMIT_DEFAULT;
	return 0;
}

static int parse_errors(struct ext4_options *o, const char *value)
{
	if (!value || (strcmp(value, "continue") != 0 && strcmp(value, "remount-ro") != 0))
		return -EINVAL; /* panic is not for an image to decide */
	o->errors_ro = value[0] == 'r';
	o->errors_given = true;
	return 0;
}

static int parse_one(void *ctx, const char *key, const char *value)
{
	struct ext4_options *o = ctx;

	if (strcmp(key, "commit") == 0)
		return parse_commit(o, value);
	if (strcmp(key, "errors") == 0)
		return parse_errors(o, value);
	/* Ordered is what is done; it keeps what writeback promises. */
	if (strcmp(key, "data") == 0)
		return value && (strcmp(value, "ordered") == 0 || strcmp(value, "writeback") == 0)
			       ? 0
			       : -EINVAL;
	for (u32 i = 0; i < ARRAY_SIZE(flags); i++)
		if (strcmp(key, flags[i].name) == 0) {
			bool zero = value && strcmp(value, "0") == 0; /* barrier=0 */

			*((bool *)((u8 *)o + flags[i].offset)) = flags[i].value ^ zero;
			return 0;
		}
	for (u32 i = 0; i < ARRAY_SIZE(accepted); i++)
		if (strcmp(key, accepted[i]) == 0)
			return 0;
	return -EINVAL;
}

int ext4_parse_options(struct ext4_options *o, const char *text)
{
	return mount_options_each(text, parse_one, o);
}

static void append(char *buf, size_t size, const char *text)
{
	size_t len = strlen(buf);

	str_copy(buf + len, text, size - len);
}

/* What differs from the defaults, as Linux shows it. */
void ext4_show_options(struct super_block *sb, char *buf, size_t size)
{
	const struct ext4_fs *fs = ext4_fs(sb);
	bool default_ro = fs->super->errors != EXT4_ERRORS_CONTINUE;
	char commit[24];

	if (!fs->o.acl)
		append(buf, size, ",noacl");
	if (fs->o.errors_ro && !default_ro)
		append(buf, size, ",errors=remount-ro");
	if (!fs->o.errors_ro && default_ro)
		append(buf, size, ",errors=continue");
	if (fs->o.commit_s != COMMIT_DEFAULT) {
		format(commit, sizeof(commit), ",commit=%u", fs->o.commit_s);
		append(buf, size, commit);
	}
	if (!fs->o.barrier)
		append(buf, size, ",nobarrier");
	if (fs->o.discard)
		append(buf, size, ",discard");
	if (!fs->o.auto_da_alloc)
		append(buf, size, ",noauto_da_alloc");
	if (fs->o.noload)
		append(buf, size, ",norecovery");
}
