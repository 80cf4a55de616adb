/* reboot(2): ends or restarts the machine. */
#include <arch/cpu.h>
#include <linux/reboot.h>
#include <syscall/table.h>
#include "internal.h"

static bool magic_valid(u32 magic1, u32 magic2)
{
	return magic1 == LINUX_REBOOT_MAGIC1 &&
	       (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
		magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C);
}

long sys_reboot(u32 magic1, u32 magic2, u32 cmd, struct user_bytes arg)
{
	char text[256];

	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (!magic_valid(magic1, magic2))
		return -EINVAL;
	switch (cmd) {
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0; /* no keyboard reaches the kernel: nothing ever reboots it that way */
	case LINUX_REBOOT_CMD_RESTART2:
		if (user_read_str(text, user_cast(str, arg), sizeof(text)) == -EFAULT)
			return -EFAULT;
		pr_info("restarting with a command");
		arch_reset();
	case LINUX_REBOOT_CMD_RESTART:
		pr_info("restarting");
		arch_reset();
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		pr_info("powering off");
		arch_power_off();
	default:
		return -EINVAL;
	}
}
