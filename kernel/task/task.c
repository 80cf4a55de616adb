/*
 * The objects: allocation, reference counts and look-up of threads and processes.
 *
 * Life of a thread: task_alloc gives it its own reference, which the scheduler drops after its last
 * switch. Being linked (number, process, lists) is a second one, dropped when it is reaped. The
 * last reference frees it after a grace period, so RCU readers of the tables may look at it. A
 * process has one reference per thread and lives as long.
 */
#include <arch/context.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include "internal.h"
#include <vfs/file.h>
#include <vfs/path.h>

DEFINE_SPINLOCK(tasklist_lock, LOCK_RANK_TASKLIST);
struct list_head all_processes = LIST_INIT(all_processes);
struct atomic nr_tasks;
struct atomic64 nr_forks;

static struct kmem_cache *task_cache, *process_cache;

void task_cache_init(void)
{
	task_cache = kmem_cache_create("task", sizeof(struct task), 64);
	process_cache = kmem_cache_create("process", sizeof(struct process), 64);
}

struct task *task_alloc(void)
{
	struct task *t = kmem_cache_alloc(task_cache, GFP_KERNEL | GFP_ZERO);
	void *stack;

	if (!t)
		return NULL;
	stack = kernel_stack_alloc();
	if (!stack) {
		kmem_cache_free(task_cache, t);
		return NULL;
	}
	t->kernel_stack = (uptr)stack;
	ref_init(&t->ref);
	t->state = TASK_NEW;
	spin_init(&t->wake_lock, LOCK_RANK_TASK_PI);
	spin_init(&t->alloc_lock, LOCK_RANK_FS_CONTEXT);
	list_init(&t->thread_node);
	list_init(&t->ptrace.tracees);
	signal_queue_init(&t->pending);
	return t;
}

static void task_free_stack(struct task *t)
{
	if (!t->kernel_stack)
		return;
	arch_task_free(t);
	kernel_stack_free((void *)t->kernel_stack);
	t->kernel_stack = 0;
}

void task_release_stack(struct task *t)
{
	if (READ_ONCE(t->state) == TASK_DEAD && !smp_load_acquire(&t->on_cpu))
		task_free_stack(t);
}

void task_free_unused(struct task *t)
{
	task_free_stack(t);
	kmem_cache_free(task_cache, t);
}

static void task_free_rcu(struct rcu_head *head)
{
	struct task *t = container_of(head, struct task, rcu);

	task_free_stack(t);
	cred_put(t->cred);
	process_put(t->process);
	kmem_cache_free(task_cache, t);
}

void task_get(struct task *t)
{
	ref_get(&t->ref);
}

void task_put(struct task *t)
{
	if (ref_put(&t->ref))
		rcu_call(&t->rcu, task_free_rcu);
}

struct process *process_alloc(void)
{
	struct process *p = kmem_cache_alloc(process_cache, GFP_KERNEL | GFP_ZERO);

	if (!p)
		return NULL;
	ref_init(&p->ref);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all_node);
	spin_init(&p->siglock, LOCK_RANK_SIGHAND);
	signal_queue_init(&p->shared_pending);
	wait_queue_init(&p->child_wait);
	wait_queue_init(&p->exit_wait);
	mutex_init(&p->exec_lock, LOCK_RANK_EXEC);
	atomic_set(&p->nr_live, 1);
	return p;
}

void process_get(struct process *p)
{
	ref_get(&p->ref);
}

/*
 * The last reference goes at least one grace period after the process left every table: its
 * threads hold references, and theirs end in task_free_rcu. So it can be freed at once.
 */
void process_put(struct process *p)
{
	if (!ref_put(&p->ref))
		return;
	signal_sighand_put(p->sighand);
	signal_wait_put(p->signal_wait);
	kmem_cache_free(process_cache, p);
}

void task_link(struct task *t)
{
	struct process *p = t->process;

	ASSERT_HELD(&tasklist_lock);
	task_get(t);
	t->tid = t->pid->nr;
	rcu_assign(t->pid->task, t);
	list_add_tail(&t->thread_node, &p->threads);
	p->nr_threads++;
	atomic_inc(&nr_tasks);
}

void process_link(struct process *p, struct process *parent)
{
	ASSERT_HELD(&tasklist_lock);
	p->parent = parent;
	list_add_tail(&p->sibling, &parent->children);
	list_add_tail(&p->all_node, &all_processes);
}

struct task *task_find_get(s32 tid)
{
	struct pid_entry *e;
	struct task *t = NULL;

	rcu_read_lock();
	e = pid_find(tid);
	if (e)
		t = rcu_dereference(e->task);
	if (t && !ref_get_unless_zero(&t->ref))
		t = NULL;
	rcu_read_unlock();
	return t;
}

/* The process whose number is that of t, or NULL. RCU. */
static struct process *process_of_leader(struct task *t)
{
	return t->process->pid == t->tid ? t->process : NULL;
}

struct process *process_find_get(s32 pid)
{
	struct process *p = NULL;
	struct pid_entry *e;
	struct task *t;

	rcu_read_lock();
	e = pid_find(pid);
	t = e ? rcu_dereference(e->task) : NULL;
	if (t)
		p = process_of_leader(t);
	if (p && !ref_get_unless_zero(&p->ref))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct process *process_next_get(s32 *pid)
{
	struct process *p = NULL;
	struct task *t;

	rcu_read_lock();
	for (; !p && (t = pid_next_task(pid)); ++*pid) {
		p = process_of_leader(t);
		if (p && !ref_get_unless_zero(&p->ref))
			p = NULL;
		if (p)
			break;
	}
	rcu_read_unlock();
	return p;
}

void task_comm_set(struct task *t, const char *name)
{
	u64 words[TASK_COMM_LEN / 8] = {0};

	str_copy((char *)words, name, sizeof(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		WRITE_ONCE(((u64 *)t->comm)[i], words[i]);
}

void task_comm_get(const struct task *t, char out[TASK_COMM_LEN])
{
	u64 words[TASK_COMM_LEN / 8];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = READ_ONCE(((const u64 *)t->comm)[i]);
	memcpy(out, words, sizeof(words));
}

struct mm *task_get_mm(struct task *t)
{
	struct mm *mm;

	spin_lock(&t->alloc_lock);
	mm = t->mm;
	if (mm && !mm_get_unless_dead(mm))
		mm = NULL;
	spin_unlock(&t->alloc_lock);
	return mm;
}

struct fd_table *task_get_files(struct task *t)
{
	struct fd_table *files;

	spin_lock(&t->alloc_lock);
	files = t->files;
	if (files)
		ref_get(&files->ref);
	spin_unlock(&t->alloc_lock);
	return files;
}

struct fs_context *task_get_fs(struct task *t)
{
	struct fs_context *fs;

	spin_lock(&t->alloc_lock);
	fs = t->fs;
	if (fs)
		ref_get(&fs->ref);
	spin_unlock(&t->alloc_lock);
	return fs;
}
