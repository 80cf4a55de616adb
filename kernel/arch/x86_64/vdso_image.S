/* The vDSO, as module.mk links it, on pages of its own: user mode sees all of them. */
	.section .rodata.vdso, "a", @progbits
	.balign 4096
	.globl vdso_image, vdso_image_end
vdso_image:
	.incbin VDSO_IMAGE
	.balign 4096
vdso_image_end:
