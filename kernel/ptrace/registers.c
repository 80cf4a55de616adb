/* Register sets and memory of a tracee: copies between its tracer's memory and the port's functions. */
#include <arch/ptrace.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <mm/user.h>
#include <vfs/io_iter.h>
#include "internal.h"

/* The whole set fits behind 64-byte alignment, which XSAVE's checks want. */
static void *regset_buffer(const struct arch_regset *r)
{
	return pages_alloc_virt(r->size > PAGE_SIZE ? 1 : 0, GFP_KERNEL | GFP_ZERO);
}

static void regset_buffer_free(const struct arch_regset *r, void *buf)
{
	pages_free_virt(buf, r->size > PAGE_SIZE ? 1 : 0);
}

static long regset_copy(struct task *t, const struct arch_regset *r, bool set,
			struct user_bytes data, size_t len)
{
	void *buf = regset_buffer(r);
	long err;

	if (!buf)
		return -ENOMEM;
	if (set) {
		err = user_read_bytes(buf, data, len);
		if (!err)
			err = arch_regset_set(t, r->type, buf, len);
	} else {
		arch_regset_get(t, r->type, buf);
		err = user_write_bytes(data, buf, len);
	}
	regset_buffer_free(r, buf);
	return err;
}

/* A request that names no length moves the whole set; a failing copy is EIO then, as on Linux. */
long ptrace_regset(struct task *t, u32 type, bool set, struct user_bytes data, size_t len)
{
	struct arch_regset r;

	if (!arch_regset_find(type, &r))
		return -EIO;
	return regset_copy(t, &r, set, data, len ? len : r.size);
}

long ptrace_regset_vec(struct task *t, u64 type, bool set, u64 data)
{
	struct arch_regset r;
	struct iovec_abi v;
	long err;

	if (user_read(&v, user_handle(iovec, data)))
		return -EFAULT;
	if (type > U32_MAX || !arch_regset_find((u32)type, &r) || v.len % r.word)
		return -EINVAL;
	v.len = MIN(v.len, r.size);
	err = regset_copy(t, &r, set, user_handle(bytes, v.base), v.len);
	if (!err) /* how much there is */
		err = user_write_bytes(user_handle(bytes, data + offsetof(struct iovec_abi, len)),
				       &v.len, sizeof(v.len));
	return err;
}

/*
 * The tracee's memory. One who attached before the program became one that it may not look into
 * (set-id without CAP_SYS_PTRACE) keeps the tracee, but not the view into it.
 */
static size_t access_memory(struct task *t, u64 addr, u64 *word, bool write)
{
	struct mm *mm = task_get_mm(t);
	size_t done = 0;
	bool capable_tracer;

	if (!mm)
		return 0;
	rcu_read_lock();
	capable_tracer = cred_capable(rcu_dereference(t->ptrace.cred), CAP_SYS_PTRACE);
	rcu_read_unlock();
	if (READ_ONCE(mm->dumpable) == SUID_DUMP_USER || capable_tracer)
		done = mm_access_remote(mm, addr, word, sizeof(*word), write, true);
	mm_put(mm);
	return done;
}

long ptrace_peek(struct task *t, u64 addr, u64 data)
{
	u64 word;

	if (access_memory(t, addr, &word, false) != sizeof(word))
		return -EIO;
	return user_write(user_handle(u64, data), &word);
}

long ptrace_poke(struct task *t, u64 addr, u64 word)
{
	return access_memory(t, addr, &word, true) == sizeof(word) ? 0 : -EIO;
}
