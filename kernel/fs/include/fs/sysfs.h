/*
 * sysfs: a tree of directories, attributes and links that drivers and subsystems register. The
 * functions work from early boot on, whether or not anything is mounted; process context.
 */
#pragma once

#include <arch/cpu.h>
#include <lib/types.h>

struct sys_node; /* a directory; lives until sys_remove */

/* One file. Constant data, shared by all directories that show such an object. */
struct sys_attr {
	const char *name;
	u32 mode; /* permissions: 0444, 0644 … */
	/* Writes at most size bytes; the length, or -errno. May sleep. */
	int (*show)(void *object, char *buf, size_t size);
	/* Takes one write: text is terminated, without a last newline. 0 or -errno. */
	int (*store)(void *object, const char *text);
};
#define SYS_ATTR_RO(name_, show_) {.name = name_, .mode = 0444, .show = show_}

extern struct sys_node sys_root;

/*
 * The directory path below dir ("a/b/c"), with what is missing made. NULL: no memory, or the name is
 * taken by something else.
 */
struct sys_node *sys_dir(struct sys_node *dir, const char *path);
/* Puts attrs, ended by a nameless one, about object into dir. 0, -ENOMEM, -EEXIST. */
int sys_add_attrs(struct sys_node *dir, const struct sys_attr *attrs, void *object) __must_check;
/* A relative symlink to a directory. 0, -ENOMEM, -EEXIST. */
int sys_add_link(struct sys_node *dir, const char *name, struct sys_node *target) __must_check;
/* Takes the tree at node out. Open files on it answer ENODEV; the object may go afterwards. */
void sys_remove(struct sys_node *node);
/* Takes a link out, if there is one of this name. */
void sys_remove_link(struct sys_node *dir, const char *name);

/* A character device: /sys/devices/virtual/CLASS/NAME, /sys/class and /sys/dev/char. */
void sys_add_chrdev(const char *name, u32 mode, u64 rdev);

/* Texts of sets of CPUs: "0-3,5\n" and hexadecimal "3\n". The length. */
int sys_show_list(char *buf, size_t size, u64 bits);
int sys_show_map(char *buf, size_t size, u64 bits);
