/*
 * Filters: how one is made from a user's program, how it joins those that are there, how all of them
 * are run. Immutable once attached, so running takes no lock. A task that reads its own leaf while
 * another thread replaces it (TSYNC) is safe: the new leaf descends from the old one and holds it.
 *
 * For every call number of this architecture the filter is run once when it is made, as far as the
 * number alone takes it. What is a verdict by then is kept; else a run starts at the first
 * instruction that looks at something else. So a long chain of comparisons costs nothing when a
 * call is made, and one that all filters allow costs one bit test.
 */
#include <arch/speculation.h>
#include <arch/syscall_abi.h>
#include <lib/string.h>
#include <linux/eventpoll.h>
#include <mm/slab.h>
#include <mm/user.h>
#include "internal.h"

/* Linux: 256 KiB of instructions along one way, and each filter counts for four more. */
#define TOTAL_MAX 32768
#define PENALTY   4

/* struct sock_fprog holds a user pointer. */
struct fprog_abi {
	u16 len;
	struct user_bytes filter;
};
static_assert(sizeof(struct fprog_abi) == sizeof(struct sock_fprog), "the ABI's structure");
DEFINE_USER_PTR(fprog, struct fprog_abi);

static bool may_install(void)
{
	return READ_ONCE(current->no_new_privs) || capable(CAP_SYS_ADMIN);
}

static void specialise(struct seccomp_filter *f)
{
	u32 data[SECCOMP_WORDS] = {0};

	data[offsetof(struct seccomp_data, arch) / 4] = ARCH_AUDIT;
	for (u32 nr = 0; nr < NR_SYSCALLS; nr++) {
		data[0] = nr;
		if (!cbpf_specialise(f->op, data, BIT(0) | BIT(1), &f->known[nr]))
			continue;
		bitmap_set_plain(f->constant, nr);
		if (f->known[nr] == SECCOMP_RET_ALLOW)
			bitmap_set_plain(f->allowed, nr);
	}
}
static_assert(offsetof(struct seccomp_data, nr) == 0 && offsetof(struct seccomp_data, arch) == 4,
	      "the first two words are known beforehand");

/* prog: len instructions out of user memory. */
static int filter_build(const struct sock_filter *prog, u32 len, u16 *scratch,
			struct seccomp_filter **out)
{
	struct seccomp_filter *f;
	int err = cbpf_check(prog, len, SECCOMP_WORDS, scratch);

	if (err)
		return err;
	f = kvmalloc(sizeof(*f) + len * sizeof(f->op[0]), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	ref_init(&f->refs);
	ref_init(&f->users);
	mutex_init(&f->notify_lock, LOCK_RANK_SLEEP_INNER);
	wait_queue_init(&f->poll_wait);
	f->len = len;
	cbpf_decode(f->op, prog, len, SECCOMP_WORDS);
	specialise(f);
	*out = f;
	return 0;
}

/* The program's bytes are fetched once. */
static int filter_fetch(struct user_bytes from, u32 len, struct seccomp_filter **out)
{
	struct sock_filter *prog = kvmalloc(len * (sizeof(*prog) + sizeof(u16)), GFP_KERNEL);
	int err;

	if (!prog)
		return -ENOMEM;
	err = user_read_bytes(prog, from, len * sizeof(*prog));
	if (!err)
		err = filter_build(prog, len, (u16 *)(prog + len), out);
	kvfree(prog);
	return err;
}

int filter_create(u64 uprog, struct seccomp_filter **out)
{
	struct fprog_abi prog;

	if (user_read(&prog, user_handle(fprog, uprog)))
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!may_install())
		return -EACCES;
	return filter_fetch(prog.filter, prog.len, out);
}

void filter_get(struct seccomp_filter *f)
{
	ref_get(&f->refs);
	ref_get(&f->users);
}

void filter_put(struct seccomp_filter *f)
{
	while (f && ref_put(&f->refs)) {
		struct seccomp_filter *prev = f->prev;

		kvfree(f);
		f = prev;
	}
}

void filter_put_user(struct seccomp_filter *f)
{
	for (struct seccomp_filter *at = f; at && ref_put(&at->users); at = at->prev)
		wake_up_poll(&at->poll_wait, EPOLLHUP);
	filter_put(f);
}

static u32 total_with(const struct seccomp_filter *f, const struct seccomp_filter *prev)
{
	return f->len + (prev ? prev->total + PENALTY : 0);
}

bool filter_fits(const struct seccomp_filter *f, const struct seccomp_filter *prev)
{
	return total_with(f, prev) <= TOTAL_MAX;
}

void filter_attach(struct seccomp_filter *f, struct seccomp_filter *prev)
{
	f->total = total_with(f, prev);
	f->nr_filters = prev ? prev->nr_filters + 1 : 1;
	for (u32 i = 0; prev && i < ARRAY_SIZE(f->allowed); i++)
		f->allowed[i] &= prev->allowed[i];
	f->prev = prev;
}

/* nr: the call's number, no index yet, as a mispredicted branch may come with any. */
static u32 run_one(const struct seccomp_filter *f, const struct seccomp_data *sd, u32 nr)
{
	if (unlikely(nr >= NR_SYSCALLS))
		return cbpf_run(f->op, 0, (const u32 *)sd);
	nr = (u32)index_clamp(nr, NR_SYSCALLS);
	if (bitmap_test(f->constant, nr))
		return f->known[nr];
	return cbpf_run(f->op, f->known[nr], (const u32 *)sd);
}

u32 filter_run(struct seccomp_filter *f, const struct seccomp_data *sd,
	       struct seccomp_filter **match)
{
	u32 verdict = SECCOMP_RET_ALLOW, nr = (u32)sd->nr;

	*match = NULL;
	for (; f; f = f->prev) {
		u32 v = run_one(f, sd, nr);

		if (likely(v == SECCOMP_RET_ALLOW)) /* the mildest there is */
			continue;
		if ((s32)(v & SECCOMP_RET_ACTION_FULL) < (s32)(verdict & SECCOMP_RET_ACTION_FULL)) {
			verdict = v;
			*match = f;
		}
	}
	return verdict;
}
