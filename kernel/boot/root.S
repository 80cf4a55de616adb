/* The embedded root: a cpio archive on pages of its own, which are freed after unpacking. */
	.section .root, "a", @progbits
	.balign 4096
	.globl embedded_root_start, embedded_root_end
embedded_root_start:
#ifdef ROOT_CPIO
	.incbin ROOT_CPIO
#endif
embedded_root_end:
