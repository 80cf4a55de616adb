module := lib
uses :=
srcs := bits.c format.c hash.c mem.c rbtree.c string.c ubsan.c xarray.c
$(eval $(register_module))
