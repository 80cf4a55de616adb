/*
 * Writes a root file system as a cpio archive, from a list on standard input.
 *
 * Runs without privilege: owner, mode and device numbers come from the list, not from files here.
 * One entry per line, words separated by blanks, all owned by root:
 *
 *	dir PATH MODE
 *	file PATH MODE HOST-FILE
 *	char PATH MODE MAJOR MINOR
 *	link PATH TARGET
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cpio.h"
#include "error.h"
#include "root.h"

static void add_link(struct cpio_writer *writer, const char *name, const char *target)
{
	struct cpio_entry entry = {.name = name, .mode = S_IFLNK | 0777, .nr_links = 1};

	entry.size = (uint32_t)strlen(target);
	cpio_add(writer, &entry, target);
}

static void add_dir(struct cpio_writer *writer, const char *name, mode_t mode)
{
	struct cpio_entry entry = {.name = name, .mode = S_IFDIR | mode, .nr_links = 2};

	cpio_add(writer, &entry, NULL);
}

static void add_char(struct cpio_writer *writer, const char *name, mode_t mode, dev_t number)
{
	struct cpio_entry entry = {
		.name = name, .mode = S_IFCHR | mode, .nr_links = 1, .rdev = number};

	cpio_add(writer, &entry, NULL);
}

static void add_line(struct cpio_writer *writer, char *line, unsigned int number)
{
	char *rest = line;
	const char *word[5] = {NULL};

	for (size_t i = 0; i < 5; i++)
		word[i] = strtok_r(rest, " \t\n", &rest);
	if (!word[0] || word[0][0] == '#')
		return;
	if (!word[2] || word[1][0] != '/')
		die("mkroot: line %u is malformed", number);
	const char *name = word[1][1] ? word[1] + 1 : ".";
	if (strcmp(word[0], "dir") == 0)
		add_dir(writer, name, (mode_t)strtoul(word[2], NULL, 8));
	else if (strcmp(word[0], "link") == 0)
		add_link(writer, name, word[2]);
	else if (strcmp(word[0], "file") == 0 && word[3])
		root_add_file(writer, word[3], name, (mode_t)strtoul(word[2], NULL, 8));
	else if (strcmp(word[0], "char") == 0 && word[4])
		add_char(writer, name, (mode_t)strtoul(word[2], NULL, 8),
			 makedev((unsigned int)atoi(word[3]), (unsigned int)atoi(word[4])));
	else
		die("mkroot: line %u is malformed", number);
}

int main(void)
{
	struct cpio_writer writer;
	char line[8192];
	unsigned int number = 0;

	cpio_start(&writer, stdout);
	while (fgets(line, sizeof(line), stdin))
		add_line(&writer, line, ++number);
	if (ferror(stdin) || !cpio_finish(&writer))
		die("mkroot: cannot read the list or write the archive");
	return 0;
}
