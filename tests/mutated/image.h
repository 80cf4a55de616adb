/* What walk and alias share: images in memory and on the device, a generator of numbers. */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define WHERE "/mnt"

static inline uint64_t random_next(uint64_t *s)
{
	uint64_t x = *s += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* All of a file or device; the caller frees it. */
static inline void *image_load(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	char *image;

	if (end <= 0)
		die(path);
	*size = (size_t)end;
	image = malloc(*size);
	for (size_t at = 0; at < *size;) {
		ssize_t n = pread(fd, image + at, *size - at, (off_t)at);

		if (n <= 0)
			die(path);
		at += (size_t)n;
	}
	close(fd);
	return image;
}

static inline void image_store(const char *device, const void *image, size_t size)
{
	int fd = open(device, O_WRONLY);

	if (fd < 0)
		die(device);
	for (size_t at = 0; at < size;) {
		ssize_t n = pwrite(fd, (const char *)image + at, size - at, (off_t)at);

		if (n <= 0)
			die(device);
		at += (size_t)n;
	}
	if (fsync(fd) || close(fd))
		die(device);
}
