/*
 * process_vm_readv and process_vm_writev: copies between the caller's memory and another
 * process's, page by page through a kernel buffer.
 */
#include <lib/errno.h>
#include <mm/slab.h>
#include <syscall/table.h>
#include <task/access.h>
#include <task/task.h>
#include <vfs/io_iter.h>
#include "vma.h"

#define MAX_VECS 1024

struct remote_vec {
	struct iovec_abi *v;
	u64 nr;
};

static int target_mm(int pid, struct mm **out)
{
	struct task *t = task_find_get(pid);
	int err;

	if (!t)
		return -ESRCH;
	*out = task_get_mm(t);
	if (!*out) {
		task_put(t);
		return -EPERM;
	}
	err = task_may_access(t, ACCESS_REAL | ACCESS_ATTACH) ? 0 : -EPERM;
	task_put(t);
	if (err)
		mm_put(*out);
	return err;
}

/* Copies [addr, addr + len) of mm to or from the iterator. Bytes done. */
static size_t copy_piece(struct mm *mm, u64 addr, u64 len, struct io_iter *local, void *buf,
			 bool write)
{
	size_t done = 0;

	while (done < len && io_count(local)) {
		size_t n = MIN(MIN(len - done, PAGE_SIZE - ((addr + done) & ~PAGE_MASK)),
			       io_count(local));
		size_t got;

		if (write) {
			n = io_copy_from(local, buf, n);
			got = mm_access_remote(mm, addr + done, buf, n, true, false);
		} else {
			n = mm_access_remote(mm, addr + done, buf, n, false, false);
			got = io_copy_to(local, buf, n);
		}
		done += got;
		if (!got || got < n)
			break;
	}
	return done;
}

static long copy_all(struct mm *mm, const struct remote_vec *remote, struct io_iter *local,
		     bool write)
{
	void *buf = pages_alloc_virt(0, GFP_USER);
	size_t done = 0;

	if (!buf)
		return -ENOMEM;
	for (u64 i = 0; i < remote->nr && io_count(local); i++) {
		size_t n = copy_piece(mm, remote->v[i].base, remote->v[i].len, local, buf, write);

		done += n;
		if (n < remote->v[i].len)
			break;
	}
	pages_free_virt(buf, 0);
	return done ? (long)done : -EFAULT;
}

/* The remote vector: lengths bounded, addresses unchecked until they are used. */
static int read_remote(struct remote_vec *r, struct user_iovec vec, u64 nr)
{
	u64 total = 0;

	if (nr > MAX_VECS)
		return -EINVAL;
	r->nr = nr;
	r->v = kmalloc_array(nr ? nr : 1, sizeof(*r->v), GFP_KERNEL);
	if (!r->v)
		return -ENOMEM;
	if (user_read_array(r->v, vec, nr)) {
		kfree(r->v);
		return -EFAULT;
	}
	for (u64 i = 0; i < nr; i++) {
		total += r->v[i].len;
		if (r->v[i].len > SSIZE_MAX || total > SSIZE_MAX) {
			kfree(r->v);
			return -EINVAL;
		}
	}
	return 0;
}

static long transfer(int pid, struct user_iovec lvec, u64 nr_local, struct user_iovec rvec,
		     u64 nr_remote, u64 flags, bool write)
{
	struct remote_vec remote;
	struct io_iter local;
	struct mm *mm;
	long err;

	if (flags)
		return -EINVAL;
	err = io_iter_user_vec(&local, lvec, nr_local);
	if (err)
		return err;
	err = io_count(&local) ? read_remote(&remote, rvec, nr_remote) : 0;
	if (err || !io_count(&local))
		goto out;
	err = target_mm(pid, &mm);
	if (!err) {
		err = nr_remote ? copy_all(mm, &remote, &local, write) : 0;
		mm_put(mm);
	}
	kfree(remote.v);
out:
	io_iter_fini(&local);
	return err;
}

long sys_process_vm_readv(int pid, struct user_iovec local, u64 nr_local, struct user_iovec remote,
			  u64 nr_remote, u64 flags)
{
	return transfer(pid, local, nr_local, remote, nr_remote, flags, false);
}

long sys_process_vm_writev(int pid, struct user_iovec local, u64 nr_local,
			   struct user_iovec remote, u64 nr_remote, u64 flags)
{
	return transfer(pid, local, nr_local, remote, nr_remote, flags, true);
}
