/* /proc/PID/maps, and the memory itself as /proc/PID/mem. */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <task/access.h>
#include "internal.h"

static const char *area_name(const struct vma *v)
{
	if (v->ops && v->ops->name)
		return v->ops->name((struct vma *)v);
	if (v->flags & VMA_HEAP)
		return "[heap]";
	if (v->flags & VMA_STACK)
		return "[stack]";
	return NULL;
}

/* "%0*llx%c": the general formatter would be most of the cost of a long list. Behind it. */
static char *put_hex(char *at, u64 value, int width, char behind)
{
	int digits = value ? (67 - __builtin_clzll(value)) / 4 : 1;

	digits = MAX(digits, width);
	for (int i = digits; i--; value >>= 4)
		at[i] = "0123456789abcdef"[value & 15];
	at[digits] = behind;
	return at + digits + 1;
}

void proc_show_area(struct text *t, struct vma *v, const struct path *root, char *page)
{
	static const char spaces[PROC_NAME_COLUMN + 1] = "                                     "
						    "                                    ";
	const struct inode *i = v->file ? v->file->inode : NULL;
	size_t start = t->len;
	const char *name = NULL;
	char *file_name, *at, line[96];

	at = put_hex(line, v->start, 8, '-');
	at = put_hex(at, v->end, 8, ' ');
	*at++ = v->flags & VMA_READ ? 'r' : '-';
	*at++ = v->flags & VMA_WRITE ? 'w' : '-';
	*at++ = v->flags & VMA_EXEC ? 'x' : '-';
	*at++ = v->flags & VMA_SHARED ? 's' : 'p';
	*at++ = ' ';
	at = put_hex(at, i ? v->pgoff << PAGE_SHIFT : 0, 8, ' ');
	at = put_hex(at, i ? i->sb->dev >> 20 : 0, 2, ':');
	at = put_hex(at, i ? i->sb->dev & 0xfffff : 0, 2, ' ');
	text_append(t, line, (size_t)(at - line));
	if (i)
		text_printf(t, "%llu ", i->ino);
	else
		text_append(t, "0 ", 2);
	if (!i)
		name = area_name(v);
	else if (!path_name(&v->file->path, root, page, PAGE_SIZE, &file_name))
		name = file_name;
	if (name) {
		if (t->len - start < PROC_NAME_COLUMN)
			text_append(t, spaces, PROC_NAME_COLUMN - (t->len - start));
		text_escaped(t, name, "\n");
	}
	text_append(t, "\n", 1);
}

int proc_show_areas(struct text *t, const struct proc_target *target, proc_area_fn show)
{
	struct mm *mm = task_get_mm(target->task);
	char *page = pages_alloc_virt(0, GFP_KERNEL);
	struct path root;
	struct vma *v;

	t->more = false;
	if (!mm || !page) {
		if (mm)
			mm_put(mm);
		if (page)
			pages_free_virt(page, 0);
		return mm ? -ENOMEM : 0;
	}
	spin_lock(&current->fs->lock);
	root = current->fs->root;
	path_get(&root);
	spin_unlock(&current->fs->lock);
	rwsem_read_lock(&mm->mmap_lock);
	v = vma_find(mm, t->next);
	for (; v && t->len < t->enough; v = vma_next(v)) {
		show(t, v, &root, page);
		t->next = v->end;
	}
	t->more = v;
	rwsem_read_unlock(&mm->mmap_lock);
	path_put(&root);
	pages_free_virt(page, 0);
	mm_put(mm);
	return 0;
}

int proc_show_maps(struct text *t, const struct proc_target *target)
{
	return proc_show_areas(t, target, proc_show_area);
}

/* ---- /proc/PID/mem: the address space stays the one of the time of opening ---- */

int proc_mem_open(struct inode *inode, struct file *f)
{
	struct task *t = proc_task_get(inode);
	struct mm *mm;

	if (!t)
		return -ESRCH;
	if (!task_may_access(t, ACCESS_FS | ACCESS_ATTACH)) {
		task_put(t);
		return -EACCES;
	}
	mm = task_get_mm(t);
	task_put(t);
	if (mm) {
		mm_ref(mm); /* the structure only: reading does not keep a dead program's memory */
		mm_put(mm);
	}
	f->private = mm;
	return 0;
}

void proc_mem_release(struct file *f)
{
	if (f->private)
		mm_unref(f->private);
}

static ssize_t mem_transfer(struct file *f, struct io_iter *it, loff_t *pos, bool write)
{
	struct mm *mm = f->private;
	char *page;
	ssize_t done = 0;

	if (!mm || !mm_get_unless_dead(mm))
		return 0;
	page = pages_alloc_virt(0, GFP_KERNEL);
	while (page && io_count(it)) {
		size_t n = MIN(io_count(it), PAGE_SIZE), moved;

		if (write && io_copy_from(it, page, n) != n) {
			done = done ? done : -EFAULT;
			break;
		}
		moved = mm_access_remote(mm, (u64)*pos, page, n, write, true);
		if (!moved) {
			done = done ? done : -EIO;
			break;
		}
		if (!write && io_copy_to(it, page, moved) != moved) {
			done = done ? done : -EFAULT;
			break;
		}
		*pos += (loff_t)moved;
		done += (ssize_t)moved;
		if (moved < n)
			break;
	}
	if (page)
		pages_free_virt(page, 0);
	mm_put(mm);
	return page ? done : -ENOMEM;
}

static ssize_t mem_read(struct file *f, struct io_iter *to, loff_t *pos)
{
	return mem_transfer(f, to, pos, false);
}

static ssize_t mem_write(struct file *f, struct io_iter *from, loff_t *pos)
{
	return mem_transfer(f, from, pos, true);
}

/* Addresses are positions: also those that look negative. */
loff_t proc_mem_llseek(struct file *f, loff_t off, int whence)
{
	if (whence == 1)
		off += f->pos;
	else if (whence != 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

const struct file_ops proc_mem_fops = {
	.name = "mem",
	.open = proc_mem_open,
	.read = mem_read,
	.write = mem_write,
	.llseek = proc_mem_llseek,
	.release = proc_mem_release,
};
