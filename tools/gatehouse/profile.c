/*
 * seccomp profiles in the OCI and Docker JSON format, made into a filter program by libseccomp.
 *
 * The rules of reading are those of the tools that the format comes from. Docker's conditions
 * (includes, excludes: capabilities, architectures, kernel version) are judged for this run: the program
 * has all capabilities when it runs as root and none otherwise. As with runc, a rule with the default
 * action says nothing; names that are no calls are skipped, so that one profile serves many kernels;
 * conditions on different arguments hold together, several on the same argument are alternatives;
 * and calls that are newer than every call the profile knows are answered with ENOSYS rather than with the
 * default error, because programs take that for "try the older one".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "profile.h"

#define X32_BIT	   0x40000000u
#define KERNEL_MAJOR 6
#define KERNEL_MINOR 1

struct reader {
	const char *path;
	bool has_caps;	/* of the program */
	scmp_filter_ctx ctx;
	uint32_t default_action;
	int last_call;	/* highest number that the profile knows */
};

_Noreturn static void bad(const struct reader *r, const char *what, const char *name)
{
	die("--seccomp '%s': %s%s%s%s", r->path, what, name ? " '" : "", name ? name : "",
	    name ? "'" : "");
}

static const struct {
	const char *name;
	uint32_t action;
} actions[] = {
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
};

static const struct {
	const char *name;
	enum scmp_compare op;
} operators[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

static const struct {
	const char *name;
	uint32_t flag;
} flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", 0}, /* there is one thread yet */
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- JSON ------------------------------------------------------------------------------------ */

/* The member, NULL when it is missing or null; dies when it has another type. */
static json_object *member(const struct reader *r, json_object *o, const char *name, json_type type)
{
	json_object *m;

	if (!json_object_object_get_ex(o, name, &m) || !m)
		return NULL;
	if (!json_object_is_type(m, type))
		bad(r, "wrong type of", name);
	return m;
}

static const char *text_of(const struct reader *r, json_object *o, const char *name)
{
	json_object *m = member(r, o, name, json_type_string);

	return m ? json_object_get_string(m) : NULL;
}

static json_object *item(const struct reader *r, json_object *list, size_t i, json_type type,
			 const char *what)
{
	json_object *m = json_object_array_get_idx(list, i);

	if (!m || !json_object_is_type(m, type))
		bad(r, "wrong type of an entry of", what);
	return m;
}

static const char *text_item(const struct reader *r, json_object *list, size_t i, const char *what)
{
	return json_object_get_string(item(r, list, i, json_type_string, what));
}

static size_t list_len(json_object *list)
{
	return list ? json_object_array_length(list) : 0;
}

/* An unsigned number; values above 2^63 are kept. */
static uint64_t number_of(const struct reader *r, json_object *o, const char *name, uint64_t missing)
{
	json_object *m = member(r, o, name, json_type_int);

	if (!m)
		return missing;
	if (json_object_get_int64(m) < 0)
		bad(r, "negative", name);
	return json_object_get_uint64(m);
}

/* --- actions and calls ------------------------------------------------------------------------ */

static uint32_t errno_of(const struct reader *r, json_object *o, const char *name)
{
	uint64_t value = number_of(r, o, name, EPERM);

	if (value > 0xffff)
		bad(r, "too large a number for", name);
	return (uint32_t)value;
}

static uint32_t action_of(const struct reader *r, const char *name, json_object *o,
			  const char *errno_name)
{
	bool given = member(r, o, errno_name, json_type_int);

	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		bad(r, "there is nobody to notify: action", name);
	for (size_t i = 0; i < COUNT(actions); i++) {
		uint32_t action = actions[i].action;

		if (strcmp(actions[i].name, name) != 0)
			continue;
		if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
			return action | errno_of(r, o, errno_name);
		if (given)
			bad(r, "an error number is given with action", name);
		return action;
	}
	bad(r, "unknown action", name);
}

static bool list_has(const struct reader *r, json_object *list, const char *what, const char *text)
{
	for (size_t i = 0; i < list_len(list); i++) {
		if (strcmp(text_item(r, list, i, what), text) == 0)
			return true;
	}
	return false;
}

/* Whether this run's kernel is at least the version "MAJOR.MINOR". */
static bool kernel_at_least(const struct reader *r, const char *text)
{
	unsigned int major, minor;
	char end;

	if (sscanf(text, "%u.%u%c", &major, &minor, &end) != 2)
		bad(r, "minKernel is not MAJOR.MINOR:", text);
	return KERNEL_MAJOR > major || (KERNEL_MAJOR == major && KERNEL_MINOR >= minor);
}

/* Docker's conditions. */
static bool rule_applies(const struct reader *r, json_object *rule)
{
	json_object *in = member(r, rule, "includes", json_type_object);
	json_object *out = member(r, rule, "excludes", json_type_object);
	json_object *list;
	const char *version;

	if (out) {
		if (list_has(r, member(r, out, "arches", json_type_array), "arches", "amd64"))
			return false;
		if (r->has_caps && list_len(member(r, out, "caps", json_type_array)))
			return false;
		version = text_of(r, out, "minKernel");
		if (version && kernel_at_least(r, version))
			return false;
	}
	if (in) {
		list = member(r, in, "arches", json_type_array);
		if (list_len(list) && !list_has(r, list, "arches", "amd64"))
			return false;
		if (!r->has_caps && list_len(member(r, in, "caps", json_type_array)))
			return false;
		version = text_of(r, in, "minKernel");
		if (version && !kernel_at_least(r, version))
			return false;
	}
	return true;
}

static struct scmp_arg_cmp argument_of(const struct reader *r, json_object *o)
{
	const char *name = text_of(r, o, "op");
	struct scmp_arg_cmp cmp = {
		.datum_a = number_of(r, o, "value", 0),
		.datum_b = number_of(r, o, "valueTwo", 0),
	};
	uint64_t index = number_of(r, o, "index", 0);

	if (index > 5)
		bad(r, "no call has an argument of such an", "index");
	cmp.arg = (unsigned int)index;
	for (size_t i = 0; name && i < COUNT(operators); i++) {
		if (strcmp(operators[i].name, name) == 0) {
			cmp.op = operators[i].op;
			return cmp;
		}
	}
	bad(r, "unknown comparison", name ? name : "");
}

static void rule_add(const struct reader *r, const char *name, int nr, uint32_t action,
		     const struct scmp_arg_cmp *args, unsigned int count)
{
	int err = seccomp_rule_add_array(r->ctx, action, nr, count, args);

	if (err == -EEXIST || err == -EDOM) /* said before; no such call on one of the architectures */
		return;
	if (err)
		die("--seccomp '%s': rule for '%s': %s", r->path, name, strerror(-err));
}

static void call_add(struct reader *r, const char *name, uint32_t action,
		     const struct scmp_arg_cmp *args, size_t count)
{
	int nr = seccomp_syscall_resolve_name(name);
	unsigned int seen = 0;
	bool repeated = false;

	if (!*name)
		bad(r, "a rule without a name", NULL);
	if (nr == __NR_SCMP_ERROR)
		return;
	if (nr > r->last_call)
		r->last_call = nr;
	if (action == r->default_action)
		return;
	for (size_t i = 0; i < count; i++) {
		repeated = repeated || (seen & (1u << args[i].arg));
		seen |= 1u << args[i].arg;
	}
	if (!repeated) {
		rule_add(r, name, nr, action, args, (unsigned int)count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		rule_add(r, name, nr, action, &args[i], 1);
}

static void rule_read(struct reader *r, json_object *rule)
{
	json_object *names = member(r, rule, "names", json_type_array);
	json_object *list = member(r, rule, "args", json_type_array);
	const char *name = text_of(r, rule, "name"), *action_name = text_of(r, rule, "action");
	struct scmp_arg_cmp args[16];
	size_t count = list_len(list);
	uint32_t action;

	if (!action_name)
		bad(r, "a rule without an action", NULL);
	action = action_of(r, action_name, rule, "errnoRet");
	if (name && list_len(names))
		bad(r, "both name and names are given:", name);
	if (!name && !list_len(names))
		bad(r, "a rule without names", NULL);
	if (count > COUNT(args))
		bad(r, "too many entries of", "args");
	for (size_t i = 0; i < count; i++)
		args[i] = argument_of(r, item(r, list, i, json_type_object, "args"));
	if (!rule_applies(r, rule))
		return;
	if (name)
		call_add(r, name, action, args, count);
	for (size_t i = 0; i < list_len(names); i++)
		call_add(r, text_item(r, names, i, "names"), action, args, count);
}

/* --- architectures and flags ------------------------------------------------------------------ */

static void arch_add(const struct reader *r, const char *name)
{
	char low[32];
	size_t len = 0;
	uint32_t arch;
	int err;

	if (strncmp(name, "SCMP_ARCH_", 10) != 0)
		bad(r, "unknown architecture", name);
	for (const char *at = name + 10; *at && len < sizeof(low) - 1; at++)
		low[len++] = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
	low[len] = '\0';
	arch = seccomp_arch_resolve_name(low);
	if (!arch)
		bad(r, "unknown architecture", name);
	err = seccomp_arch_add(r->ctx, arch);
	if (err && err != -EEXIST && err != -EDOM)
		die("--seccomp '%s': architecture '%s': %s", r->path, name, strerror(-err));
}

/* Docker names what each machine runs besides its own programs. */
static void arch_map_read(const struct reader *r, json_object *map)
{
	for (size_t i = 0; i < list_len(map); i++) {
		json_object *entry = item(r, map, i, json_type_object, "archMap");
		json_object *subs = member(r, entry, "subArchitectures", json_type_array);
		const char *name = text_of(r, entry, "architecture");

		if (!name || strcmp(name, "SCMP_ARCH_X86_64") != 0)
			continue;
		for (size_t n = 0; n < list_len(subs); n++)
			arch_add(r, text_item(r, subs, n, "subArchitectures"));
	}
}

static void architectures_read(const struct reader *r, json_object *root)
{
	json_object *list = member(r, root, "architectures", json_type_array);
	json_object *map = member(r, root, "archMap", json_type_array);

	if (list_len(list) && list_len(map))
		bad(r, "both architectures and archMap are given", NULL);
	for (size_t i = 0; i < list_len(list); i++)
		arch_add(r, text_item(r, list, i, "architectures"));
	arch_map_read(r, map);
}

static uint32_t flags_read(const struct reader *r, json_object *root)
{
	json_object *list = member(r, root, "flags", json_type_array);
	uint32_t all = 0;

	for (size_t i = 0; i < list_len(list); i++) {
		const char *name = text_item(r, list, i, "flags");
		size_t n = 0;

		while (n < COUNT(flags) && strcmp(flags[n].name, name) != 0)
			n++;
		if (n == COUNT(flags))
			bad(r, "unknown flag", name);
		all |= flags[n].flag;
	}
	return all;
}

/* --- the program ------------------------------------------------------------------------------ */

/* What libseccomp has made, behind room for `before` instructions. */
static void export_filter(const struct reader *r, struct profile *p, size_t before)
{
	int fd = memfd_create("gatehouse-filter", MFD_CLOEXEC), err;
	off_t size;

	if (fd < 0)
		die("cannot make the filter: %s", strerror(errno));
	err = seccomp_export_bpf(r->ctx, fd);
	size = lseek(fd, 0, SEEK_END);
	if (err || size <= 0)
		die("--seccomp '%s': no filter can be made of it: %s", r->path, strerror(-err));
	p->len = before + (size_t)size / sizeof(*p->filter);
	if (p->len > BPF_MAXINSNS)
		die("--seccomp '%s': %zu instructions are more than a filter may have", r->path,
		    p->len);
	p->filter = xmalloc(p->len * sizeof(*p->filter));
	if (pread(fd, p->filter + before, (size_t)size, 0) != size)
		die("cannot read the filter: %s", strerror(errno));
	close(fd);
}

/* The answer to calls that the profile cannot know; not where it is ENOSYS or nothing anyway. */
static bool wants_enosys(const struct reader *r)
{
	return r->default_action != SCMP_ACT_ALLOW && r->default_action != SCMP_ACT_LOG &&
	       r->default_action != SCMP_ACT_ERRNO(ENOSYS);
}

static void make_program(const struct reader *r, struct profile *p)
{
	const struct sock_filter newer[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)r->last_call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	size_t before = wants_enosys(r) ? COUNT(newer) : 0;

	export_filter(r, p, before);
	memcpy(p->filter, newer, before * sizeof(newer[0]));
}

/* A profile by itself, or the one inside of a runtime's config.json. */
static json_object *find_profile(const struct reader *r, json_object *root)
{
	json_object *linux_part;

	if (!json_object_is_type(root, json_type_object))
		bad(r, "no JSON object", NULL);
	linux_part = member(r, root, "linux", json_type_object);
	return linux_part ? member(r, linux_part, "seccomp", json_type_object) : root;
}

static bool runs_as_root(const char *user)
{
	size_t len = user ? strcspn(user, ":") : 0;

	return !user || (len == 1 && user[0] == '0') || (len == 4 && memcmp(user, "root", 4) == 0);
}

void profile_load(struct profile *profile, const struct run_options *options)
{
	struct reader r = {.path = options->seccomp, .has_caps = runs_as_root(options->user),
			   .last_call = -1};
	json_object *root, *body, *rules;
	const char *name;

	*profile = (struct profile){.len = 0};
	if (!options->seccomp)
		return;
	if (access(r.path, R_OK) != 0)
		bad(&r, strerror(errno), NULL);
	root = json_object_from_file(r.path);
	if (!root)
		bad(&r, "not valid JSON", NULL);
	body = find_profile(&r, root);
	name = body ? text_of(&r, body, "defaultAction") : NULL;
	if (!name)
		bad(&r, "no defaultAction", NULL);
	r.default_action = action_of(&r, name, body, "defaultErrnoRet");
	r.ctx = seccomp_init(r.default_action);
	if (!r.ctx)
		die("cannot make the filter");
	architectures_read(&r, body);
	profile->flags = flags_read(&r, body);
	rules = member(&r, body, "syscalls", json_type_array);
	for (size_t i = 0; i < list_len(rules); i++)
		rule_read(&r, item(&r, rules, i, json_type_object, "syscalls"));
	make_program(&r, profile);
	seccomp_release(r.ctx);
	json_object_put(root);
}
