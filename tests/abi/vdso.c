/* The vDSO: found by both hash tables and its version, same answers as the system calls, its areas. */
#include "test.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

struct image {
	uintptr_t base;
	const Elf64_Sym *sym;
	const char *str;
	const u32 *hash, *gnu_hash;
	const u16 *versym;
	const Elf64_Verdef *verdef;
	size_t load_end;
};

static struct image vdso(void)
{
	struct image v = { .base = getauxval(AT_SYSINFO_EHDR) };
	const Elf64_Ehdr *eh = (const void *)v.base;
	const Elf64_Phdr *ph;
	const Elf64_Dyn *dyn = NULL;

	CHECK(v.base && v.base % 4096 == 0);
	CHECK(!memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_type == ET_DYN);
	CHECK_EQ(eh->e_machine, EM_X86_64);
	ph = (const void *)(v.base + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD) {
			CHECK(!v.load_end && ph[i].p_offset == 0 && ph[i].p_vaddr == 0);
			v.load_end = ph[i].p_memsz;
			CHECK(!(ph[i].p_flags & PF_W));
		} else if (ph[i].p_type == PT_DYNAMIC) {
			dyn = (const void *)(v.base + ph[i].p_vaddr);
		}
	}
	CHECK(v.load_end && dyn);
	for (; dyn->d_tag; dyn++) {
		const void *p = (const void *)(v.base + dyn->d_un.d_ptr);

		CHECK(dyn->d_tag != DT_TEXTREL && dyn->d_tag != DT_RELA && dyn->d_tag != DT_REL);
		if (dyn->d_tag == DT_SYMTAB)
			v.sym = p;
		else if (dyn->d_tag == DT_STRTAB)
			v.str = p;
		else if (dyn->d_tag == DT_HASH)
			v.hash = p;
		else if (dyn->d_tag == DT_GNU_HASH)
			v.gnu_hash = p;
		else if (dyn->d_tag == DT_VERSYM)
			v.versym = p;
		else if (dyn->d_tag == DT_VERDEF)
			v.verdef = p;
	}
	CHECK(v.sym && v.str && v.hash && v.versym && v.verdef);
	return v;
}

static const char *soname(const struct image *v)
{
	const Elf64_Ehdr *eh = (const void *)v->base;
	const Elf64_Phdr *ph = (const void *)(v->base + eh->e_phoff);

	for (int i = 0; i < eh->e_phnum; i++) {
		const Elf64_Dyn *dyn = (const void *)(v->base + ph[i].p_vaddr);

		for (; ph[i].p_type == PT_DYNAMIC && dyn->d_tag; dyn++)
			if (dyn->d_tag == DT_SONAME)
				return v->str + dyn->d_un.d_val;
	}
	return "";
}

static const char *version_of(const struct image *v, u32 symbol)
{
	const Elf64_Verdef *def = v->verdef;

	for (;; def = (const void *)((uintptr_t)def + def->vd_next)) {
		if (def->vd_ndx == (v->versym[symbol] & 0x7fff))
			return v->str + ((const Elf64_Verdaux *)((uintptr_t)def + def->vd_aux))->vda_name;
		if (!def->vd_next)
			return "";
	}
}

/* The symbol's address if it has the version that libraries look for. */
static void *address_of(const struct image *v, u32 i)
{
	CHECK(ELF64_ST_TYPE(v->sym[i].st_info) == STT_FUNC && v->sym[i].st_shndx != SHN_UNDEF);
	CHECK(v->sym[i].st_value < v->load_end);
	CHECK_STR(version_of(v, i), "LINUX_2.6");
	return (void *)(v->base + v->sym[i].st_value);
}

static void *by_hash(const struct image *v, const char *name)
{
	u32 h = 0, i;

	for (const u8 *s = (const u8 *)name; *s; s++) {
		u32 g;

		h = (h << 4) + *s;
		g = h & 0xf0000000;
		h = (h ^ g >> 24) & ~g;
	}
	for (i = v->hash[2 + h % v->hash[0]]; i; i = v->hash[2 + v->hash[0] + i])
		if (!strcmp(v->str + v->sym[i].st_name, name))
			return address_of(v, i);
	return NULL;
}

static void *by_gnu_hash(const struct image *v, const char *name)
{
	u32 nr_buckets = v->gnu_hash[0], first = v->gnu_hash[1], bloom = v->gnu_hash[2], h = 5381, i;
	const u64 *filter = (const u64 *)(v->gnu_hash + 4);
	const u32 *buckets = (const u32 *)(filter + bloom), *chain = buckets + nr_buckets;
	u64 word;

	for (const u8 *s = (const u8 *)name; *s; s++)
		h = h * 33 + *s;
	word = filter[h / 64 % bloom];
	if (!(word >> h % 64 & word >> (h >> v->gnu_hash[3]) % 64 & 1))
		return NULL;
	i = buckets[h % nr_buckets];
	if (!i)
		return NULL;
	do {
		if ((chain[i - first] ^ h) >> 1 == 0 && !strcmp(v->str + v->sym[i].st_name, name))
			return address_of(v, i);
	} while (!(chain[i++ - first] & 1));
	return NULL;
}

typedef int (*gettime_fn)(long, void *);
typedef int (*getres_fn)(long, void *);

static void *find(const char *name)
{
	struct image v = vdso();
	void *p = by_hash(&v, name);

	CHECK(p);
	return p;
}

TEST(every_symbol_is_found_both_ways)
{
	static const char *const names[] = { "clock_gettime", "gettimeofday", "time", "clock_getres",
					     "getcpu" };
	struct image v = vdso();

	CHECK_STR(soname(&v), "linux-vdso.so.1");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char long_name[64];

		snprintf(long_name, sizeof(long_name), "__vdso_%s", names[i]);
		CHECK(by_hash(&v, long_name));
		CHECK(by_hash(&v, names[i]) == by_hash(&v, long_name));
		/* Debian's kernel has both tables; other builds of Linux may have only the older one. */
		if (v.gnu_hash) {
			CHECK(by_gnu_hash(&v, long_name) == by_hash(&v, long_name));
			CHECK(by_gnu_hash(&v, names[i]) == by_hash(&v, long_name));
		}
	}
	CHECK(!by_hash(&v, "no_such_function"));
}

TEST(agrees_with_the_system_call_on_every_clock)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
					 CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
					 CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID,
					 CLOCK_THREAD_CPUTIME_ID };
	gettime_fn gettime = (gettime_fn)find("__vdso_clock_gettime");
	getres_fn getres = (getres_fn)find("__vdso_clock_getres");

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct timespec a, b, c, res, kernel_res;

		for (int n = 0; n < 1000; n++) {
			CHECK_OK(syscall(SYS_clock_gettime, ids[i], &a));
			CHECK_EQ(gettime(ids[i], &b), 0);
			CHECK_OK(syscall(SYS_clock_gettime, ids[i], &c));
			CHECK(b.tv_nsec >= 0 && b.tv_nsec < 1000000000);
			CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
			CHECK(c.tv_sec > b.tv_sec || (c.tv_sec == b.tv_sec && c.tv_nsec >= b.tv_nsec));
		}
		CHECK_EQ(getres(ids[i], &res), 0);
		CHECK_OK(syscall(SYS_clock_getres, ids[i], &kernel_res));
		CHECK(res.tv_sec == kernel_res.tv_sec && res.tv_nsec == kernel_res.tv_nsec);
		CHECK_EQ(getres(ids[i], NULL), 0);
	}
}

TEST(refuses_as_the_kernel_does)
{
	static const long ids[] = { 10, 12, 99, -1, INT32_MAX, INT32_MIN };
	gettime_fn gettime = (gettime_fn)find("__vdso_clock_gettime");
	getres_fn getres = (getres_fn)find("__vdso_clock_getres");

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct timespec ts;
		long want = syscall(SYS_clock_gettime, ids[i], &ts) ? -errno : 0;

		CHECK_EQ(gettime(ids[i], &ts), want);
		want = syscall(SYS_clock_getres, ids[i], &ts) ? -errno : 0;
		CHECK_EQ(getres(ids[i], &ts), want);
	}
	CHECK_EQ(gettime(99, NULL), -EINVAL);
}

TEST(cpu_clock_of_a_process_goes_to_the_kernel)
{
	gettime_fn gettime = (gettime_fn)find("__vdso_clock_gettime");
	struct timespec ts = { -1, -1 };

	CHECK_EQ(gettime((clockid_t)(~(unsigned)getpid() << 3 | 2), &ts), 0);
	CHECK(ts.tv_sec >= 0 && ts.tv_nsec >= 0);
}

TEST(gettimeofday_and_time)
{
	int (*tod)(struct timeval *, struct timezone *) =
		(int (*)(struct timeval *, struct timezone *))find("__vdso_gettimeofday");
	time_t (*get_time)(time_t *) = (time_t(*)(time_t *))find("__vdso_time");
	struct timezone zone = { 77, 77 }, kernel_zone;
	struct timeval tv, later;
	time_t t, same;

	CHECK_EQ(tod(&tv, &zone), 0);
	CHECK_OK(syscall(SYS_gettimeofday, &later, &kernel_zone));
	CHECK(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	CHECK(tv.tv_sec < later.tv_sec || (tv.tv_sec == later.tv_sec && tv.tv_usec <= later.tv_usec));
	CHECK_EQ(zone.tz_minuteswest, kernel_zone.tz_minuteswest);
	CHECK_EQ(zone.tz_dsttime, kernel_zone.tz_dsttime);
	CHECK_EQ(tod(NULL, NULL), 0);
	CHECK_EQ(tod(NULL, &zone), 0);
	t = get_time(&same);
	CHECK_EQ(t, same);
	CHECK(t >= tv.tv_sec - 1 && get_time(NULL) >= t);
}

TEST(getcpu_tells_the_cpu_we_are_bound_to)
{
	int (*get)(unsigned *, unsigned *, void *) =
		(int (*)(unsigned *, unsigned *, void *))find("__vdso_getcpu");
	cpu_set_t all, one;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		unsigned cpu = ~0u, node = ~0u, kernel_cpu, kernel_node;

		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_EQ(get(&cpu, &node, NULL), 0);
		CHECK_OK(syscall(SYS_getcpu, &kernel_cpu, &kernel_node, NULL));
		CHECK_EQ(cpu, i);
		CHECK_EQ(kernel_cpu, i);
		CHECK_EQ(node, kernel_node);
		CHECK_EQ(get(NULL, NULL, NULL), 0);
	}
}

static u64 latest;
static bool went_back;

static void *read_and_compare(void *arg)
{
	gettime_fn gettime = arg;

	for (int i = 0; i < SCALE(50000, 2000000); i++) {
		u64 seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST), now;
		struct timespec ts;

		gettime(CLOCK_MONOTONIC, &ts);
		now = ts.tv_sec * 1000000000ull + ts.tv_nsec;
		if (now < seen)
			went_back = true;
		while (seen < now && !__atomic_compare_exchange_n(&latest, &seen, now, false,
								  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
	return NULL;
}

TEST_LIMIT(no_thread_sees_time_go_back, 60)
{
	void *gettime = find("__vdso_clock_gettime");
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, read_and_compare, gettime), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(!went_back);
}

struct area {
	uintptr_t start, end;
	char perms[8];
};

static bool find_area(const char *name, struct area *a)
{
	FILE *f = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	CHECK(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, name) &&
			sscanf(line, "%lx-%lx %7s", &a->start, &a->end, a->perms) == 3;
	fclose(f);
	return found;
}

TEST(areas_in_maps)
{
	struct area data, code;

	CHECK(find_area("[vvar]", &data) && find_area("[vdso]", &code));
	CHECK_STR(data.perms, "r--p");
	CHECK_STR(code.perms, "r-xp");
	CHECK_EQ(code.start, getauxval(AT_SYSINFO_EHDR));
	CHECK(data.end <= code.start);
}

TEST(data_cannot_be_written)
{
	struct area data, code;

	CHECK(find_area("[vvar]", &data) && find_area("[vdso]", &code));
	CHECK_ERR(mprotect((void *)data.start, data.end - data.start, PROT_READ | PROT_WRITE), EACCES);
	for (int i = 0; i < 2; i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			*(volatile char *)(i ? code.start : data.end - 8) = 1;
			_exit(0);
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, data.end - 4096), EFAULT);
}

/* A debugger's breakpoint: a private copy, which neither others nor later programs see. */
TEST(written_code_is_a_private_copy)
{
	gettime_fn gettime = (gettime_fn)find("__vdso_clock_gettime");
	struct area code;

	CHECK(find_area("[vdso]", &code));
	IN_CHILD {
		CHECK_OK(mprotect((void *)code.start, code.end - code.start,
				  PROT_READ | PROT_WRITE | PROT_EXEC));
		*(volatile u8 *)gettime = 0xc3;
		CHECK_EQ(*(volatile u8 *)gettime, 0xc3);
		IN_CHILD
			CHECK_EQ(*(volatile u8 *)gettime, 0xc3);
	}
	CHECK(*(volatile u8 *)gettime != 0xc3);
}

TEST(areas_are_not_cut)
{
	static const char *const names[] = { "[vdso]", "[vvar]" };
	struct area a;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK(find_area(names[i], &a));
		if (a.end - a.start < 8192)
			continue;
		CHECK_ERR(munmap((void *)a.start, 4096), EINVAL);
		CHECK_ERR(mprotect((void *)a.start, 4096, PROT_NONE), EINVAL);
		CHECK_ERR(mremap((void *)a.start, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
				 (void *)0x500000000000), EINVAL);
		CHECK_ERR(mremap((void *)a.start, a.end - a.start, a.end - a.start + 4096,
				 MREMAP_MAYMOVE), EFAULT);
	}
}

TEST(moves_with_mremap)
{
	uintptr_t there = 0x500000000000;
	struct area data, code, moved;
	gettime_fn gettime = (gettime_fn)find("__vdso_clock_gettime");
	struct timespec ts = { -1, -1 };

	CHECK(find_area("[vvar]", &data) && find_area("[vdso]", &code));
	CHECK_OK(mremap((void *)data.start, data.end - data.start, data.end - data.start,
			MREMAP_MAYMOVE | MREMAP_FIXED, (void *)there));
	CHECK_OK(mremap((void *)code.start, code.end - code.start, code.end - code.start,
			MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(there + (code.start - data.start))));
	CHECK(find_area("[vdso]", &moved));
	CHECK_EQ(moved.start, there + (code.start - data.start));
	gettime = (gettime_fn)((uintptr_t)gettime - code.start + moved.start);
	CHECK_EQ(gettime(CLOCK_MONOTONIC, &ts), 0);
	CHECK(ts.tv_sec >= 0 && ts.tv_nsec >= 0);
	IN_CHILD {
		CHECK_EQ(gettime(CLOCK_REALTIME, &ts), 0);
		CHECK_OK(munmap((void *)moved.start, moved.end - moved.start));
		CHECK(!find_area("[vdso]", &moved));
		CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
	}
}

HELPER(tell_vdso)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR);

	return write(1, &base, sizeof(base)) == sizeof(base) ? 0 : 1;
}

TEST(each_program_has_it_elsewhere)
{
	unsigned long seen[4];
	int fds[2], same = 0;

	CHECK_OK(pipe(fds));
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		pid_t pid = test_fork();

		if (pid == 0) {
			dup2(fds[1], 1);
			execl(test_self, test_self, "--helper", "tell_vdso", (char *)NULL);
			_exit(127);
		}
		CHECK_EQ(read(fds[0], &seen[i], sizeof(seen[i])), sizeof(seen[i]));
		CHECK_EXITS(pid, 0);
		CHECK(seen[i] && seen[i] % 4096 == 0);
		for (size_t k = 0; k < i; k++)
			same += seen[i] == seen[k];
	}
	CHECK(same <= 1);
}

TEST(pages_of_time_hold_no_kernel_address)
{
	struct area data;

	CHECK(find_area("[vvar]", &data));
	/* The last page is the one that is always there; others fault when their clock is not used. */
	for (const u64 *p = (const u64 *)(data.end - 4096); p < (const u64 *)data.end; p++) {
		u64 word;
		int fds[2];

		CHECK_OK(pipe(fds));
		if (write(fds[1], p, sizeof(*p)) == sizeof(*p)) {
			CHECK_EQ(read(fds[0], &word, sizeof(word)), sizeof(word));
			CHECK(word < 0xffff800000000000 || word == ~0ull);
		}
		close(fds[0]);
		close(fds[1]);
	}
}
