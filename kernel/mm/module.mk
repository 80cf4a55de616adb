module := mm
uses := lib arch sync sched task time signal boot vfs uapi syscall
srcs := boot.c buddy.c page.c stats.c slab.c slab_debug.c kmalloc.c vmalloc.c stack.c user.c \
	kasan.c reclaim.c oom.c page_cache.c folio.c readahead.c writeback.c vma.c tables.c fault.c mm.c fork.c anon_shared.c rmap.c \
	account.c unmapped.c mmap.c special.c remote.c \
	brk.c range.c mprotect.c mremap.c detach.c huge.c usage.c mlock.c madvise.c msync.c process_vm.c
ktests := test/buddy.c test/slab.c test/vma.c test/page_cache.c
NOSAN_OBJS += $(addprefix mm/,boot buddy page slab slab_debug)
$(eval $(register_module))
