module := dev/mem
uses := lib arch boot dev mm signal sync task uapi vfs
srcs := mem.c kmsg.c random.c
$(eval $(register_module))
