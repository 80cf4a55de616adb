/*
 * Descriptor tables.
 *
 * table->lock (LOCK_RANK_FD_TABLE_SPIN) guards slots and bitmaps. A task whose table has one user
 * reads slots without anything: only itself could change them, or give the table a second user.
 * Other readers use RCU: they take a reference unless the count is 0, and look again, because the
 * descriptor may have changed hands in between (the file's memory itself stays for a grace period).
 *
 * Finding the lowest free descriptor is two bit scans: `full` has a bit per full word of `open`.
 * next_free is a lower bound. A descriptor whose bit is set while its slot is NULL is reserved: its
 * open is still under way.
 */
#include <arch/speculation.h>
#include <lib/errno.h>
#include <lib/log.h>
#include <lib/string.h>
#include <mm/slab.h>
#include "fd_table.h"

u32 nr_open = 1 << 20;

static u32 nr_words(const struct fd_slots *s)
{
	return s->capacity / 64;
}

static void slots_init(struct fd_slots *s, u32 capacity, struct file **file, u64 *bits)
{
	u32 words = capacity / 64;

	s->capacity = capacity;
	s->file = file;
	s->open = bits;
	s->cloexec = bits + words;
	s->full = bits + 2 * words;
}

/* Zeroed slots with their arrays in one block. */
static struct fd_slots *slots_create(u32 capacity)
{
	u32 words = capacity / 64;
	size_t bits = (2 * words + BITS_TO_WORDS(words)) * sizeof(u64);
	struct fd_slots *s =
		kvmalloc(sizeof(*s) + capacity * sizeof(struct file *) + bits, GFP_KERNEL | GFP_ZERO);
	struct file **file = (void *)(s + 1);

	if (s)
		slots_init(s, capacity, file, (u64 *)(file + capacity));
	return s;
}

static void slots_free_rcu(struct rcu_head *head)
{
	kvfree(container_of(head, struct fd_slots, rcu));
}

struct fd_table *fd_table_create(void)
{
	struct fd_table *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	ref_init(&t->ref);
	spin_init(&t->lock, LOCK_RANK_FD_TABLE_SPIN);
	slots_init(&t->inline_slots, FD_INLINE, t->inline_file, t->inline_bits);
	t->slots = &t->inline_slots;
	return t;
}

static void mark_open(struct fd_table *t, u32 fd, bool cloexec)
{
	struct fd_slots *s = t->slots;

	bitmap_set_plain(s->open, fd);
	if (cloexec)
		bitmap_set_plain(s->cloexec, fd);
	else
		bitmap_clear_plain(s->cloexec, fd);
	if (s->open[fd / 64] == ~0ULL)
		bitmap_set_plain(s->full, fd / 64);
}

static void mark_free(struct fd_table *t, u32 fd)
{
	struct fd_slots *s = t->slots;

	bitmap_clear_plain(s->open, fd);
	bitmap_clear_plain(s->cloexec, fd);
	bitmap_clear_plain(s->full, fd / 64);
	if (fd < t->next_free)
		t->next_free = fd;
}

/* The lowest free descriptor >= from, or the capacity. */
static u32 find_free(const struct fd_slots *s, u32 from)
{
	u32 word = from / 64;
	u64 bits;

	if (from >= s->capacity)
		return from;
	bits = ~s->open[word] & (~0ULL << (from % 64));
	if (!bits) {
		word = (u32)bitmap_next_clear(s->full, nr_words(s), word + 1);
		if (word >= nr_words(s))
			return s->capacity;
		bits = ~s->open[word];
	}
	return word * 64 + bit_lowest(bits);
}

/* One past the highest descriptor in use or reserved. Table lock. */
static u32 used_end(const struct fd_slots *s)
{
	for (u32 w = nr_words(s); w-- > 0;)
		if (s->open[w])
			return w * 64 + bit_highest(s->open[w]) + 1;
	return 0;
}

static void slots_copy(struct fd_slots *to, const struct fd_slots *from)
{
	u32 words = nr_words(from);

	memcpy(to->file, from->file, from->capacity * sizeof(struct file *));
	memcpy(to->open, from->open, words * sizeof(u64));
	memcpy(to->cloexec, from->cloexec, words * sizeof(u64));
	memcpy(to->full, from->full, BITS_TO_WORDS(words) * sizeof(u64));
}

static u32 capacity_for(u32 fd)
{
	return MAX(FD_INLINE, 1u << log2_ceil((u64)fd + 1));
}

/* Makes room for fd. 0, -EMFILE beyond fs.nr_open, -ENOMEM. Drops and retakes the lock. */
static int grow_locked(struct fd_table *t, u32 fd) REQUIRES(t->lock)
{
	struct fd_slots *s, *old;

	while (fd >= t->slots->capacity) {
		if (fd >= READ_ONCE(nr_open))
			return -EMFILE;
		spin_unlock(&t->lock);
		s = slots_create(capacity_for(fd));
		spin_lock(&t->lock);
		if (!s)
			return -ENOMEM;
		old = t->slots;
		if (s->capacity <= old->capacity) { /* another thread was faster */
			kvfree(s);
			continue;
		}
		slots_copy(s, old);
		rcu_assign(t->slots, s);
		if (old != &t->inline_slots)
			rcu_call(&old->rcu, slots_free_rcu);
	}
	return 0;
}

static void copy_entry(struct fd_table *t, const struct fd_slots *from, u32 fd)
{
	struct file *f = from->file[fd];

	if (!f) /* reserved only: the copy does not get it */
		return;
	file_get(f);
	t->slots->file[fd] = f;
	mark_open(t, fd, from->cloexec[fd / 64] & BIT(fd % 64));
}

/* The lock is dropped to allocate and taken again: more than Clang's analysis can follow. */
NO_THREAD_SAFETY struct fd_table *fd_table_copy(struct fd_table *from, u32 max_fd)
{
	struct fd_table *t = fd_table_create();
	u32 end;

	if (!t)
		return NULL;
	spin_lock(&from->lock);
	while ((end = MIN(used_end(from->slots), max_fd)) > t->slots->capacity) {
		spin_unlock(&from->lock);

		struct fd_slots *s = slots_create(capacity_for(end - 1));

		if (!s) {
			fd_table_put(t);
			return NULL;
		}
		if (t->slots != &t->inline_slots)
			kvfree(t->slots);
		t->slots = s;
		spin_lock(&from->lock);
	}
	for (u64 fd = bitmap_next_set(from->slots->open, end, 0); fd < end;
	     fd = bitmap_next_set(from->slots->open, end, fd + 1))
		copy_entry(t, from->slots, (u32)fd);
	spin_unlock(&from->lock);
	return t;
}

void fd_table_put(struct fd_table *t)
{
	struct fd_slots *s;

	if (!ref_put(&t->ref))
		return;
	s = t->slots;
	for (u64 fd = bitmap_next_set(s->open, s->capacity, 0); fd < s->capacity;
	     fd = bitmap_next_set(s->open, s->capacity, fd + 1))
		if (s->file[fd])
			file_close(s->file[fd], t);
	if (s != &t->inline_slots)
		kvfree(s);
	kfree(t);
}

int fd_table_unshare(void)
{
	struct task *task = current;
	struct fd_table *old = task->files, *t;

	if (ref_read(&old->ref) == 1)
		return 0;
	t = fd_table_copy(old, FD_ALL);
	if (!t)
		return -ENOMEM;
	spin_lock(&task->alloc_lock);
	task->files = t;
	spin_unlock(&task->alloc_lock);
	fd_table_put(old);
	return 0;
}

struct fd fd_get_shared(int fd, u32 refused_mode)
{
	struct fd_table *t = current->files;
	struct file *f;

	if (ref_read(&t->ref) == 1) /* fd_peek found nothing there */
		return (struct fd){.file = NULL};
	f = fd_table_file_get(t, (u32)fd);
	if (f && f->mode & refused_mode) {
		file_put(f);
		f = NULL;
	}
	return (struct fd){.file = f, .needs_put = f != NULL};
}

NO_THREAD_SAFETY struct fd fd_lock_pos(struct fd f)
{
	mutex_lock(&f.file->pos_lock);
	f.pos_locked = true;
	return f;
}

NO_THREAD_SAFETY void fd_put_slow(struct fd f)
{
	if (f.pos_locked)
		mutex_unlock(&f.file->pos_lock);
	if (f.needs_put)
		file_put(f.file);
}

struct file *fd_table_file_get(struct fd_table *t, u32 fd)
{
	const struct fd_slots *s;
	struct file *f;

	rcu_read_lock();
	for (;;) {
		s = rcu_dereference(t->slots);
		f = NULL;
		if (fd >= s->capacity)
			break;
		f = rcu_dereference(s->file[index_clamp(fd, s->capacity)]);
		if (!f)
			break;
		if (!ref_get_unless_zero(&f->ref))
			continue; /* being closed: its slot changes, or has changed */
		if (likely(READ_ONCE(s->file[fd]) == f && READ_ONCE(t->slots) == s))
			break;
		file_put(f);
	}
	rcu_read_unlock();
	return f;
}

bool fd_table_next(struct fd_table *t, u32 *fd)
{
	struct fd_slots *s;
	u64 at;

	spin_lock(&t->lock);
	s = t->slots;
	at = bitmap_next_set(s->open, s->capacity, *fd);
	while (at < s->capacity && !s->file[at])
		at = bitmap_next_set(s->open, s->capacity, at + 1);
	*fd = (u32)at;
	at = s->capacity - at;
	spin_unlock(&t->lock);
	return at != 0;
}

int fd_reserve(u32 first, bool cloexec, int *out)
{
	struct fd_table *t = current->files;
	u64 limit = rlimit(RLIMIT_NOFILE);
	int err = 0;
	u32 fd;

	spin_lock(&t->lock);
	for (;;) {
		fd = find_free(t->slots, MAX(first, t->next_free));
		if (fd >= limit)
			err = -EMFILE;
		else if (fd >= t->slots->capacity)
			err = grow_locked(t, fd);
		else
			break;
		if (err)
			goto out;
	}
	mark_open(t, fd, cloexec);
	if (first <= t->next_free)
		t->next_free = fd + 1;
	*out = (int)fd;
out:
	spin_unlock(&t->lock);
	return err;
}

void fd_install(int fd, struct file *f)
{
	struct fd_table *t = current->files;

	spin_lock(&t->lock);
	ASSERT(!t->slots->file[fd]);
	rcu_assign(t->slots->file[fd], f);
	spin_unlock(&t->lock);
}

void fd_release(int fd)
{
	struct fd_table *t = current->files;

	spin_lock(&t->lock);
	mark_free(t, (u32)fd);
	spin_unlock(&t->lock);
}

long fd_install_new(struct file *f, bool cloexec)
{
	int fd, err = fd_reserve(0, cloexec, &fd);

	if (err) {
		file_put(f);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

/* Takes the file out of its slot; NULL when there is none. Table lock. */
static struct file *take_locked(struct fd_table *t, u32 fd)
{
	struct file *f = fd < t->slots->capacity ? t->slots->file[fd] : NULL;

	if (f) {
		rcu_assign(t->slots->file[fd], NULL);
		mark_free(t, fd);
	}
	return f;
}

int fd_close(int fd)
{
	struct fd_table *t = current->files;
	struct file *f;

	spin_lock(&t->lock);
	f = take_locked(t, (u32)fd);
	spin_unlock(&t->lock);
	return f ? file_close(f, t) : -EBADF;
}

int fd_replace(u32 fd, struct file *f, bool cloexec)
{
	struct fd_table *t = current->files;
	struct file *old = NULL;
	int err;

	spin_lock(&t->lock);
	err = grow_locked(t, fd);
	if (err)
		goto out;
	old = t->slots->file[fd];
	if (!old && t->slots->open[fd / 64] & BIT(fd % 64)) {
		err = -EBUSY; /* reserved by an open under way */
		goto out;
	}
	file_get(f);
	rcu_assign(t->slots->file[fd], f);
	mark_open(t, fd, cloexec);
out:
	spin_unlock(&t->lock);
	if (old)
		file_close(old, t);
	return err;
}

bool fd_get_cloexec(u32 fd)
{
	struct fd_table *t = current->files;
	bool set;

	spin_lock(&t->lock);
	set = fd < t->slots->capacity && t->slots->cloexec[fd / 64] & BIT(fd % 64);
	spin_unlock(&t->lock);
	return set;
}

void fd_set_cloexec(u32 fd, bool set)
{
	struct fd_table *t = current->files;

	spin_lock(&t->lock);
	if (fd < t->slots->capacity && t->slots->open[fd / 64] & BIT(fd % 64)) {
		if (set)
			bitmap_set_plain(t->slots->cloexec, fd);
		else
			bitmap_clear_plain(t->slots->cloexec, fd);
	}
	spin_unlock(&t->lock);
}

void fd_close_range(u32 first, u32 last)
{
	struct fd_table *t = current->files;
	struct file *f;

	spin_lock(&t->lock);
	for (u64 fd = first; fd <= last; fd++) {
		fd = bitmap_next_set(t->slots->open, t->slots->capacity, fd);
		if (fd >= t->slots->capacity || fd > last)
			break;
		f = take_locked(t, (u32)fd);
		if (!f)
			continue;
		spin_unlock(&t->lock);
		file_close(f, t);
		spin_lock(&t->lock);
	}
	spin_unlock(&t->lock);
}

void fd_cloexec_range(u32 first, u32 last)
{
	struct fd_table *t = current->files;
	u64 fd;

	spin_lock(&t->lock);
	for (fd = bitmap_next_set(t->slots->open, t->slots->capacity, first);
	     fd < t->slots->capacity && fd <= last;
	     fd = bitmap_next_set(t->slots->open, t->slots->capacity, fd + 1))
		bitmap_set_plain(t->slots->cloexec, fd);
	spin_unlock(&t->lock);
}

void fd_table_close_on_exec(void)
{
	struct fd_table *t = current->files;
	struct file *f;

	spin_lock(&t->lock);
	for (u64 fd = 0;; fd++) {
		fd = bitmap_next_set(t->slots->cloexec, t->slots->capacity, fd);
		if (fd >= t->slots->capacity)
			break;
		f = take_locked(t, (u32)fd);
		if (!f)
			continue;
		spin_unlock(&t->lock);
		file_close(f, t);
		spin_lock(&t->lock);
	}
	spin_unlock(&t->lock);
}

u32 fd_table_capacity(struct fd_table *t)
{
	u32 n;

	rcu_read_lock();
	n = rcu_dereference(t->slots)->capacity;
	rcu_read_unlock();
	return n;
}
