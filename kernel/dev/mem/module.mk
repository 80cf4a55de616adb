module := dev/mem
uses := lib arch boot dev mm sched signal sync syscall task time uapi vfs
srcs := mem.c kmsg.c syslog.c random.c
srcs += $(if $(findstring CONFIG_COVERAGE,$(KDEFS)),coverage.c)
$(eval $(register_module))
