/*
 * Random numbers: ChaCha20 with fast key erasure. One global key; each request takes a block whose
 * first half replaces the key at once, so that a later look at memory tells nothing about earlier
 * output. New entropy is folded into the key, never used to replace it. random_lock guards the
 * state; long requests draw a key of their own and run on without it.
 */
#include <arch/cpu.h>
#include <lib/chacha.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/random.h>
#include <mm/user.h>
#include <sync/spinlock.h>
#include <syscall/table.h>
#include <task/random.h>
#include <task/task.h>

static DEFINE_SPINLOCK(random_lock, LOCK_RANK_RANDOM);
static u32 random_key[CHACHA_KEY_WORDS]; /* random_lock */
static u64 random_counter;               /* random_lock */

#define KEY_BYTES sizeof(random_key)

/* Takes a fresh block; its first half becomes the key, the second is output. */
static void draw_locked(u8 out[CHACHA_BLOCK_SIZE - KEY_BYTES])
{
	u8 block[CHACHA_BLOCK_SIZE];

	chacha20_block(random_key, random_counter++, 0, block);
	memcpy(random_key, block, KEY_BYTES);
	memcpy(out, block + KEY_BYTES, sizeof(block) - KEY_BYTES);
	memset(block, 0, sizeof(block));
	barrier(); /* the clearing is not for nothing */
}

static void draw(u8 out[CHACHA_BLOCK_SIZE - KEY_BYTES])
{
	u64 flags = spin_lock_irqsave(&random_lock);

	draw_locked(out);
	spin_unlock_irqrestore(&random_lock, flags);
}

void random_add(const void *data, size_t len)
{
	u64 flags = spin_lock_irqsave(&random_lock);
	u8 *key = (u8 *)random_key, discard[CHACHA_BLOCK_SIZE - KEY_BYTES];

	for (size_t i = 0; i < len; i++) {
		key[i % KEY_BYTES] ^= ((const u8 *)data)[i];
		if (i % KEY_BYTES == KEY_BYTES - 1)
			draw_locked(discard);
	}
	draw_locked(discard);
	spin_unlock_irqrestore(&random_lock, flags);
}

/* The time that the same work takes varies a little from run to run, even in a virtual machine. */
static void seed_from_jitter(void)
{
	u8 waste[CHACHA_BLOCK_SIZE];
	u64 stamp;

	for (int i = 0; i < 64; i++) {
		chacha20_block(random_key, (u64)i, 1, waste);
		stamp = arch_cycles();
		random_add(&stamp, sizeof(stamp));
	}
}

void random_init(void)
{
	u8 seed[KEY_BYTES];
	size_t got = arch_random(seed, sizeof(seed));

	random_add(seed, got);
	seed_from_jitter();
}

void random_bytes(void *buf, size_t len)
{
	u8 block[CHACHA_BLOCK_SIZE];
	u32 key[CHACHA_KEY_WORDS];
	u8 *out = buf;

	draw((u8 *)key);
	if (len <= KEY_BYTES) {
		memcpy(out, key, len);
	} else {
		for (u64 counter = 0; len; counter++) {
			size_t n = MIN(len, sizeof(block));

			chacha20_block(key, counter, 2, block);
			memcpy(out, block, n);
			out += n;
			len -= n;
		}
	}
	memset(key, 0, sizeof(key));
	memset(block, 0, sizeof(block));
	barrier();
}

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}

long sys_getrandom(struct user_bytes buf, u64 count, u32 flags)
{
	u8 chunk[256];
	u64 done = 0;

	if (flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM))
		return -EINVAL;
	count = MIN(count, (u64)INT_MAX);
	while (done < count) {
		size_t n = MIN(count - done, (u64)sizeof(chunk));

		random_bytes(chunk, n);
		if (user_write_bytes(user_at(buf, done), chunk, n)) {
			done = done ? done : (u64)-EFAULT;
			break;
		}
		done += n;
		if (signal_pending(current) && done < count && done >= PAGE_SIZE)
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	barrier();
	return (long)done;
}
