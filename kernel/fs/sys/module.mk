module := fs/sys
uses := lib arch boot fs mm sync time vfs
srcs := tree.c fs.c class.c system.c
cold := class.c fs.c system.c tree.c
$(eval $(register_module))
