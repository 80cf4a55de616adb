/*
 * The name of a core file, or the command that gets the core on its standard input, made from
 * kernel.core_pattern (core(5)). Text that comes from the program may not steer the path: slashes
 * in it become exclamation marks, and no expansion yields "", "." or "..".
 */
#include <lib/format.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <task/uts.h>
#include <time/clock.h>
#include <vfs/file.h>
#include <vfs/path.h>
#include "coredump.h"

static int name_append(struct core_name *n, const char *s, size_t len)
{
	if (n->len + len >= n->size) {
		size_t size = (n->len + len + 1) * 2;
		char *bigger = kmalloc(size, GFP_KERNEL);

		if (!bigger)
			return -ENOMEM;
		if (n->text)
			memcpy(bigger, n->text, n->len);
		kfree(n->text);
		n->text = bigger;
		n->size = size;
	}
	memcpy(n->text + n->len, s, len);
	n->len += len;
	n->text[n->len] = '\0';
	return 0;
}

static int name_append_number(struct core_name *n, u64 v, bool is_signed)
{
	char text[24];

	return name_append(n, text, (size_t)format(text, sizeof(text), is_signed ? "%lld" : "%llu", v));
}

/* Text that the program or its user has chosen. */
static int name_append_foreign(struct core_name *n, const char *s)
{
	size_t start = n->len;
	int err = name_append(n, s, strlen(s));

	if (err)
		return err;
	for (size_t i = start; i < n->len; i++)
		if (n->text[i] == '/')
			n->text[i] = '!';
	if (n->len == start)
		return name_append(n, "!", 1);
	if (!strcmp(n->text + start, ".") || !strcmp(n->text + start, ".."))
		n->text[start] = '!';
	return 0;
}

static int name_append_comm(struct core_name *n, const struct task *t)
{
	char comm[TASK_COMM_LEN];

	task_comm_get(t, comm);
	return name_append_foreign(n, comm);
}

/* %E and %f: the program's path, or its last component. */
static int name_append_exe(struct core_name *n, const struct core_dump *d, bool last_only)
{
	char *page = pages_alloc_virt(0, GFP_KERNEL), *name;
	struct path exe, root;
	const char *slash;
	int err = -ENOENT;

	if (!page)
		return -ENOMEM;
	rwsem_read_lock(&d->mm->mmap_lock);
	if (d->mm->exe_file) {
		exe = d->mm->exe_file->path;
		path_get(&exe);
		err = 0;
	}
	rwsem_read_unlock(&d->mm->mmap_lock);
	if (err) {
		pages_free_virt(page, 0);
		return name_append_comm(n, current->process->leader);
	}
	spin_lock(&current->fs->lock);
	root = current->fs->root;
	path_get(&root);
	spin_unlock(&current->fs->lock);
	err = path_name(&exe, &root, page, PAGE_SIZE, &name);
	path_put(&root);
	path_put(&exe);
	if (!err) {
		slash = last_only ? strrchr(name, '/') : NULL;
		err = name_append_foreign(n, slash ? slash + 1 : name);
	}
	pages_free_virt(page, 0);
	return err;
}

static int name_append_host(struct core_name *n)
{
	struct new_utsname u;

	uts_get(&u);
	return name_append_foreign(n, u.nodename);
}

/* One % expansion; unknown ones vanish. */
static int name_expand(struct core_name *n, const struct core_dump *d, char what, bool *has_pid)
{
	const struct task *me = current;

	switch (what) {
	case '%':
		return name_append(n, "%", 1);
	case 'p':
	case 'P':
		*has_pid = true;
		return name_append_number(n, (u64)me->process->pid, true);
	case 'i':
	case 'I':
		return name_append_number(n, (u64)me->tid, true);
	case 'u':
		return name_append_number(n, me->cred->uid, false);
	case 'g':
		return name_append_number(n, me->cred->gid, false);
	case 'd':
		return name_append_number(n, d->mm->dumpable, false);
	case 's':
		return name_append_number(n, (u64)d->sig, true);
	case 't':
		return name_append_number(n, clock_realtime() / NSEC_PER_SEC, true);
	case 'h':
		return name_append_host(n);
	case 'e':
		return name_append_comm(n, me);
	case 'f':
		return name_append_exe(n, d, true);
	case 'E':
		return name_append_exe(n, d, false);
	case 'c':
		return name_append_number(n, rlimit(RLIMIT_CORE), false);
	default:
		return 0;
	}
}

int core_name_make(struct core_name *n, const struct core_dump *d)
{
	char text[CORE_PATTERN_MAX];
	const char *at = text;
	bool has_pid = false;
	int err = 0;

	*n = (struct core_name){0};
	core_pattern_get(text);
	n->pipe = *at == '|';
	if (n->pipe)
		at++;
	for (; *at && !err; at++) {
		if (n->pipe && (*at == ' ' || *at == '\t')) {
			/* Arguments end here; expansions may contain blanks. */
			if (n->len && n->text[n->len - 1])
				err = name_append(n, "", 1);
		} else if (*at != '%') {
			err = name_append(n, at, 1);
		} else if (at[1]) {
			err = name_expand(n, d, *++at, &has_pid);
		}
	}
	if (!err && !n->pipe && !has_pid && READ_ONCE(core_uses_pid)) {
		err = name_append(n, ".", 1);
		if (!err)
			err = name_append_number(n, (u64)current->process->pid, true);
	}
	if (!err)
		err = name_append(n, "", 0);
	if (!err && n->pipe && !n->text[0])
		err = -EINVAL;
	if (err)
		core_name_free(n);
	return err;
}

void core_name_free(struct core_name *n)
{
	kfree(n->text);
	n->text = NULL;
}
