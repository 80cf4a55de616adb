/* sysinfo and personality. */
#include <lib/string.h>
#include <mm/page.h>
#include <syscall/table.h>
#include <time/clock.h>
#include "internal.h"

long sys_sysinfo(struct user_sysinfo uinfo)
{
	struct sysinfo info;
	struct mem_stats st;
	u64 load[3];
	u32 running;

	memset(&info, 0, sizeof(info));
	mem_stats(&st);
	sched_loadavg(load, &running);
	info.uptime = (long)DIV_ROUND_UP(clock_monotonic(), NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		info.loads[i] = load[i];
	info.totalram = st.total_pages * PAGE_SIZE;
	info.freeram = st.free_pages * PAGE_SIZE;
	info.sharedram = st.shmem_pages * PAGE_SIZE;
	info.bufferram = st.buffer_pages * PAGE_SIZE;
	info.procs = (u16)atomic_read(&nr_tasks);
	info.mem_unit = 1;
	return user_write(uinfo, &info);
}

long sys_personality(u32 persona)
{
	u32 old = (u32)current->personality;

	if (persona != 0xffffffff)
		current->personality = persona;
	return old;
}
