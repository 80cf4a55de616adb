/*
 * User memory from the kernel's side. A system call receives typed handles, which cannot be
 * dereferenced; the functions here are the only way through. All of them may sleep and fail with
 * -EFAULT; each structure is fetched once. Raw addresses (.uaddr) may be used only in mm/,
 * arch/, ipc/futex and the system-call decoder (a lint checks it).
 */
#pragma once

#include <lib/errno.h>
#include <lib/types.h>

/* A handle to one object, or an array, of `type` in user memory: struct user_<name>. */
#define DEFINE_USER_PTR(name, type_)                                                               \
	struct user_##name {                                                                       \
		u64 uaddr;                                                                         \
		type_ type_of[0];                                                                  \
	}

DEFINE_USER_PTR(bytes, u8);   /* untyped memory with a length beside it */
DEFINE_USER_PTR(str, char);   /* NUL-terminated text */
DEFINE_USER_PTR(int, int);
DEFINE_USER_PTR(uint, unsigned int);
DEFINE_USER_PTR(long, long);
DEFINE_USER_PTR(ulong, unsigned long);
DEFINE_USER_PTR(u16, u16);
DEFINE_USER_PTR(u32, u32);
DEFINE_USER_PTR(u64, u64);
DEFINE_USER_PTR(loff, loff_t);
DEFINE_USER_PTR(strv, struct user_str); /* argv, envp: array of strings, ended by NULL */

#define user_is_null(p) ((p).uaddr == 0)
/* Handle to element i of the array; handle of another type at the same address. */
#define user_at(p, i) ((__typeof__(p)){.uaddr = (p).uaddr + (u64)(i) * sizeof((p).type_of[0])})
#define user_cast(name, p) ((struct user_##name){.uaddr = (p).uaddr})
/* For addresses that are kept as numbers between calls (clear_child_tid …) or arrive in a structure. */
#define user_handle(name, addr) ((struct user_##name){.uaddr = (addr)})
#define user_address(p) ((p).uaddr)

int user_copy_in(void *dst, u64 src, size_t n) __must_check;
int user_copy_out(u64 dst, const void *src, size_t n) __must_check;
/* The same where n was not known to the compiler: kernel memory that is a slab object must hold it all. */
int user_copy_in_span(void *dst, u64 src, size_t n) __must_check;
int user_copy_out_span(u64 dst, const void *src, size_t n) __must_check;
/* That check alone: panics. */
void user_span_check(const void *p, size_t n);

#define user_check_(p, obj)                                                                        \
	static_assert(__builtin_types_compatible_p(__typeof__((p).type_of[0]), __typeof__(*(obj))), \
		      "the handle points to another type")

/* int user_read(T *dst, struct user_T src): 0 or -EFAULT. */
#define user_read(dst, src)                                                                        \
	({ user_check_(src, dst); user_copy_in((dst), (src).uaddr, sizeof(*(dst))); })
/* int user_write(struct user_T dst, const T *src): 0 or -EFAULT. */
#define user_write(dst, src)                                                                       \
	({ user_check_(dst, src); user_copy_out((dst).uaddr, (src), sizeof(*(src))); })
/* Arrays of n elements. The caller has bounded n. */
#define user_read_array(dst, src, n)                                                               \
	({ user_check_(src, dst); user_copy_in_span((dst), (src).uaddr, (size_t)(n) * sizeof(*(dst))); })
#define user_write_array(dst, src, n)                                                              \
	({ user_check_(dst, src); user_copy_out_span((dst).uaddr, (src), (size_t)(n) * sizeof(*(src))); })

/* The range lies in user space, mapped or not: for calls that check a buffer before anything else. */
bool user_range_ok(u64 addr, u64 n);

/* One 16-bit member of each of n structures in an array, from the same member of the kernel's copy;
 * what lies between is not touched. member: its offset, size: the structure's. 0 or -EFAULT. */
int user_write_u16_members(u64 uaddr, const void *from, size_t member, size_t size, size_t n)
	__must_check;

/* Untyped memory. */
int user_read_bytes(void *dst, struct user_bytes src, size_t n) __must_check;
int user_write_bytes(struct user_bytes dst, const void *src, size_t n) __must_check;
/* For what user space has chosen itself: not looked through for kernel addresses, which it may look like. */
int user_write_own_bytes(struct user_bytes dst, const void *src, size_t n) __must_check;
int user_zero_bytes(struct user_bytes dst, size_t n) __must_check;

/*
 * Extensible structures (clone_args, open_how, sched_attr …): copies min(usize, ksize), zeroes the
 * rest of the kernel's. -E2BIG when user space set bytes that this kernel does not know, -EFAULT.
 */
int user_read_sized(void *dst, size_t ksize, struct user_bytes src, size_t usize) __must_check;

/* The length without NUL; -ENAMETOOLONG when it does not fit into size; -EFAULT. */
ssize_t user_read_str(char *dst, struct user_str src, size_t size) __must_check;

/* While disabled, user copies that would fault fail instead of sleeping. Nests. */
void pagefault_disable(void);
void pagefault_enable(void);
