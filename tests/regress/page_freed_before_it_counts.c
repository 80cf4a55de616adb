/*
 * A page was counted as mapped after its entry was made and the lock given back: by then MADV_DONTNEED in
 * another thread could have freed it. It counted as a page of a file, and for ever.
 */
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>

enum { PAGES = 8 };

static char *area;
static volatile bool stop;

static void *drop(void *arg)
{
	(void)arg;
	while (!stop)
		CHECK_OK(madvise(area, PAGES * 4096, MADV_DONTNEED));
	return NULL;
}

/* With a file behind it, each page is a copy: the other way by which pages come. */
static void touch_and_drop(int fd)
{
	long before;
	pthread_t t;

	area = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	CHECK(area != MAP_FAILED);
	before = proc_number("/proc/self/status", "RssFile");
	stop = false;
	CHECK_EQ(pthread_create(&t, NULL, drop, NULL), 0);
	for (u64 end = now_ns(CLOCK_MONOTONIC) + SCALE(200000000ull, 5000000000ull); now_ns(CLOCK_MONOTONIC) < end;) {
		for (int i = 0; i < PAGES; i++) {
			(void)*(volatile char *)(area + i * 4096);
			area[i * 4096] = 1;
		}
	}
	stop = true;
	CHECK_EQ(pthread_join(t, NULL), 0);
	CHECK_OK(munmap(area, PAGES * 4096));
	CHECK(proc_number("/proc/self/status", "RssFile") < before + 256);
}

TEST(pages_that_go_as_they_come_are_counted)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_OK(ftruncate(fd, PAGES * 4096));
	touch_and_drop(-1);
	touch_and_drop(fd);
}
