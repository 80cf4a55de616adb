/* The FPU's private half: features, raw save and restore, and checks on foreign state images. */
#pragma once

#include <lib/types.h>

struct fxregs {
	u16 cwd, swd, twd, fop;
	u64 rip, rdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[128], xmm[256], padding[48];
	u8 sw_reserved[48]; /* signal frames: struct _fpx_sw_bytes */
};
static_assert(sizeof(struct fxregs) == 512, "FXSAVE image");

struct xsave_area {
	struct fxregs fx;
	u64 xstate_bv, xcomp_bv, reserved[6];
	u8 extended[];
} __aligned(64);

#define FPU_CONTROL_DEFAULT 0x37f

#define XSTATE_X87  BIT(0)
#define XSTATE_SSE  BIT(1)
#define XSTATE_LEGACY (XSTATE_X87 | XSTATE_SSE)

extern u64 fpu_features;    /* XCR0: what user programs may use */
extern bool fpu_has_xsave;

struct xsave_area *fpu_alloc(void);
void fpu_free(struct xsave_area *a);
/* The state after execve. */
void fpu_image_init(struct xsave_area *a);
void fpu_save(struct xsave_area *a);
/* The image must have passed fpu_image_valid or come from fpu_save: XRSTOR may not fault. */
void fpu_restore(const struct xsave_area *a);
/* False when loading the image would fault: reserved MXCSR bits, unknown components, compaction. */
bool fpu_image_valid(const struct xsave_area *a);

/* The first size bytes of a saved state in the form that core files and ptrace show: components that
 * are at rest have their initial values, the enabled ones are named in the software bytes. */
void fpu_export(struct xsave_area *image, const struct xsave_area *a, size_t size);
/* The other way, into the save area of a task that does not run: 0 or -EINVAL. */
int fpu_import(struct xsave_area *a, const struct xsave_area *image) __must_check;
int fpu_import_legacy(struct xsave_area *a, const struct fxregs *fx) __must_check;

void fpu_legacy_status(u32 *control, u32 *status);
u32 fpu_mxcsr(void);
