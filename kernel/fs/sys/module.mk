module := fs/sys
uses := lib arch boot fs mm sync time vfs
srcs := tree.c fs.c class.c system.c
$(eval $(register_module))
