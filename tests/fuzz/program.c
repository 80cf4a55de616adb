/* Making, changing, writing and reading programs. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Calls that only end the program, or take its own ground away. */
static bool useless(const struct call *c)
{
	static const short list[] = { SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_vfork, SYS_pause,
				      SYS_reboot, SYS_vhangup };

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (c->nr == list[i])
			return true;
	return false;
}

/* Calls that make what other calls need; they come more often. */
static const short makers[] = {
	SYS_open, SYS_openat, SYS_pipe2, SYS_socketpair, SYS_socket, SYS_epoll_create1, SYS_eventfd2,
	SYS_timerfd_create, SYS_signalfd4, SYS_memfd_create, SYS_inotify_init1, SYS_mmap, SYS_dup, SYS_fork,
	SYS_shmget, SYS_semget, SYS_msgget, SYS_mq_open, SYS_timer_create, SYS_pidfd_open, SYS_bind,
	SYS_listen, SYS_connect, SYS_accept4, SYS_sendmsg, SYS_recvmsg, SYS_epoll_ctl, SYS_write, SYS_read,
};

static const struct call *call_by_number(int nr)
{
	for (int i = 0; i < nr_calls; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return &calls[0];
}

static const struct call *call_by_name(const char *name, size_t len)
{
	for (int i = 0; i < nr_calls; i++)
		if (strlen(calls[i].name) == len && !memcmp(calls[i].name, name, len))
			return &calls[i];
	return NULL;
}

static struct step random_step(u64 *s)
{
	struct step step = { 0 };

	do
		step.call = rnd(s, 5) < 2 ? call_by_number(makers[rnd(s, ARRAY_SIZE(makers))])
					  : &calls[rnd(s, (u32)nr_calls)];
	while (useless(step.call));
	for (int k = 0; k < step.call->nr_args; k++)
		step.seeds[k] = (u32)rnd64(s);
	if (!rnd(s, 12))
		step.fail_nth = 1 + rnd(s, 12);
	return step;
}

void program_random(struct program *p, u64 *s)
{
	p->nr_steps = 4 + (int)rnd(s, CALLS_MAX - 3);
	p->nr_threads = 1 + (int)rnd(s, THREADS_MAX);
	for (int i = 0; i < p->nr_steps; i++)
		p->steps[i] = random_step(s);
}

static void insert_step(struct program *p, int at, const struct step *step)
{
	if (p->nr_steps == CALLS_MAX)
		p->nr_steps--;
	if (at > p->nr_steps)
		at = p->nr_steps;
	memmove(&p->steps[at + 1], &p->steps[at], (size_t)(p->nr_steps - at) * sizeof(*step));
	p->steps[at] = *step;
	p->nr_steps++;
}

static void remove_step(struct program *p, int at)
{
	p->nr_steps--;
	memmove(&p->steps[at], &p->steps[at + 1], (size_t)(p->nr_steps - at) * sizeof(p->steps[0]));
}

void program_mutate(struct program *p, const struct program *other, u64 *s)
{
	for (u32 n = 1 + rnd(s, 4); n; n--) {
		int at = (int)rnd(s, (u32)p->nr_steps);
		struct step *step = &p->steps[at], fresh = random_step(s);

		switch (rnd(s, 8)) {
		case 0:
		case 1:
			insert_step(p, (int)rnd(s, (u32)p->nr_steps + 1), &fresh);
			break;
		case 2:
			if (p->nr_steps > 1)
				remove_step(p, at);
			break;
		case 3:
			insert_step(p, at, &other->steps[rnd(s, (u32)other->nr_steps)]);
			break;
		case 4:
			step->fail_nth = rnd(s, 2) ? 1 + rnd(s, 30) : 0;
			break;
		case 5:
			p->nr_threads = 1 + (int)rnd(s, THREADS_MAX);
			break;
		default:
			if (step->call->nr_args)
				step->seeds[rnd(s, (u32)step->call->nr_args)] = (u32)rnd64(s);
		}
	}
}

void program_reduce(struct program *p, u32 mask)
{
	int n = 0;

	for (int i = 0; i < p->nr_steps; i++)
		if (mask & (1u << i))
			p->steps[n++] = p->steps[i];
	p->nr_steps = n;
}

void program_print(const struct program *p, char *text)
{
	int at = sprintf(text, "%d", p->nr_threads);

	for (int i = 0; i < p->nr_steps; i++) {
		const struct step *step = &p->steps[i];

		at += sprintf(text + at, " %s", step->call->name);
		if (step->fail_nth)
			at += sprintf(text + at, "!%u", step->fail_nth);
		for (int k = 0; k < step->call->nr_args; k++)
			at += sprintf(text + at, ":%x", step->seeds[k]);
	}
}

static bool parse_step(struct step *step, const char *word)
{
	size_t len = strcspn(word, "!:");
	char *end = (char *)word + len;

	*step = (struct step){ .call = call_by_name(word, len) };
	if (!step->call)
		return false;
	if (*end == '!')
		step->fail_nth = (u32)strtoul(end + 1, &end, 10);
	for (int k = 0; *end == ':' && k < step->call->nr_args; k++)
		step->seeds[k] = (u32)strtoul(end + 1, &end, 16);
	return !*end;
}

bool program_parse(struct program *p, const char *line)
{
	char text[TEXT_MAX], *word, *rest;

	*p = (struct program){ 0 };
	if (strlen(line) >= sizeof(text))
		return false;
	strcpy(text, line);
	word = strtok_r(text, " \n", &rest);
	p->nr_threads = word ? atoi(word) : 0;
	while ((word = strtok_r(NULL, " \n", &rest)))
		if (p->nr_steps == CALLS_MAX || !parse_step(&p->steps[p->nr_steps++], word))
			return false;
	return p->nr_threads >= 1 && p->nr_threads <= THREADS_MAX && p->nr_steps;
}
