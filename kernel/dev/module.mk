module := dev
uses := lib arch boot sync mm task time
srcs := log.c panic.c ksyms.c acpi/acpi.c serial/serial.c
ktests := test/log.c test/ksyms.c
$(eval $(register_module))
