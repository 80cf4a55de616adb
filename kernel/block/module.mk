module := block
uses := lib arch boot fs mm sched sync task time uapi vfs
srcs := bio.c queue.c disk.c device.c bdev.c transfer.c file.c ioctl.c scan.c partition_table.c \
	sysfs.c show.c direct.c
ktests :=
cold := disk.c ioctl.c partition_table.c scan.c show.c sysfs.c
$(eval $(register_module))
