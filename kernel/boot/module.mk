module := boot
uses := lib arch dev sync sched mm task time vfs fs
srcs := main.c options.c root.S
ifneq ($(FLAVOR),release)
srcs += ktest.c
endif
$(eval $(register_module))

# The archive is built by mk/host.mk from the busybox of this machine; without one none is embedded.
ROOT_CPIO ?= $(B)/root.cpio
ifneq ($(wildcard mk/host.mk)$(wildcard $(ROOT_CPIO)),)
ifneq ($(wildcard /bin/busybox /usr/bin/busybox $(ROOT_CPIO)),)
$(K)/kernel/boot/root.o: KDEFS += -DROOT_CPIO='"$(ROOT_CPIO)"'
$(K)/kernel/boot/root.o: $(ROOT_CPIO)
endif
endif
