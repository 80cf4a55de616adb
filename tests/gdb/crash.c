/* Four threads at known places, then a fault: what gdb must show from the core file. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void deep(int n)
{
	if (n)
		deep(n - 1);
	else
		pause();
	__asm__ __volatile__("" ::: "memory"); /* no tail call */
}

static void *worker(void *arg)
{
	deep(3);
	return arg;
}

static void crash(volatile int *p)
{
	*p = 42;
}

int main(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, worker, NULL);
	usleep(50000);
	crash((int *)0x10);
	return 0;
}
