/* Brings the path cache, the mount tables and the root file system up, once, during boot. */
#include <lib/log.h>
#include <tmpfs/tmpfs.h>
#include <vfs/init.h>

#include "dcache_internal.h"
#include "internal.h"
#include "mount_internal.h"

void vfs_init(void)
{
	dcache_init();
	inode_init();
	if (tmpfs_register())
		panic("cannot register tmpfs");
	mount_init(&rootfs_type);
}
