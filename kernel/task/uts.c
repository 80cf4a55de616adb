/* uname, sethostname, setdomainname. uts_lock guards the two names that change. */
#include <arch/cpu.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/personality.h>
#include <sync/mutex.h>
#include <syscall/table.h>
#include <task/task.h>
#include <task/uts.h>

static DEFINE_MUTEX(uts_lock, LOCK_RANK_SLEEP_INNER);
static struct new_utsname uts = {
	.sysname = "Linux",
	.nodename = "(none)",
	.release = "6.1.0-gatehouse",
	.version = "#1 SMP PREEMPT " __DATE__ " " __TIME__,
	.domainname = "(none)",
};

void uts_get(struct new_utsname *out)
{
	mutex_lock(&uts_lock);
	*out = uts;
	mutex_unlock(&uts_lock);
	(void)str_copy(out->machine, arch_machine_name, sizeof(out->machine));
}

static void name_set(char *field, const char *name, size_t len)
{
	mutex_lock(&uts_lock);
	memset(field, 0, __NEW_UTS_LEN + 1);
	memcpy(field, name, len);
	mutex_unlock(&uts_lock);
}

void uts_set_nodename(const char *name)
{
	name_set(uts.nodename, name, strnlen(name, __NEW_UTS_LEN));
}

void uts_set_domainname(const char *name)
{
	name_set(uts.domainname, name, strnlen(name, __NEW_UTS_LEN));
}

static long name_set_user(char *field, struct user_bytes name, int len)
{
	char text[__NEW_UTS_LEN];
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	err = user_read_bytes(text, name, (size_t)len);
	if (!err)
		name_set(field, text, (size_t)len);
	return err;
}

long sys_uname(struct user_utsname name)
{
	struct new_utsname u;

	uts_get(&u);
	if ((current->personality & PER_MASK) == PER_LINUX32) {
		memset(u.machine, 0, sizeof(u.machine));
		(void)str_copy(u.machine, "i686", sizeof(u.machine));
	}
	return user_write(name, &u);
}

long sys_sethostname(struct user_bytes name, int len)
{
	return name_set_user(uts.nodename, name, len);
}

long sys_setdomainname(struct user_bytes name, int len)
{
	return name_set_user(uts.domainname, name, len);
}
