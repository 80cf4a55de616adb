/* The terminal layer's part in the life of processes. It fills the table in when it starts. */
#pragma once

struct process;

struct tty_process_ops {
	/* A new process inherits its parent's controlling terminal. Parent's siglock held. */
	void (*fork)(struct process *child, struct process *parent);
	/* The last thread is exiting (a session leader gives the terminal up), or a process has
	 * made a new session. No lock held; may sleep. */
	void (*leave)(struct process *p);
};
extern const struct tty_process_ops *tty_process_ops; /* NULL: no terminals yet */
