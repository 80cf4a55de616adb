module := lib
uses :=
srcs := bits.c format.c hash.c mem.c rbtree.c string.c xarray.c
$(eval $(register_module))
