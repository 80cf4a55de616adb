/*
 * A 16550 at COM1, output only, polled. The log's lock serialises writers; in a panic there is one
 * CPU left. A port that stops taking data loses text instead of hanging the kernel.
 */
#include <arch/cpu.h>
#include <arch/platform.h>
#include <dev/serial.h>
#include <lib/compiler.h>

#define COM1 0x3f8

enum { REG_DATA, REG_IER, REG_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define LSR_EMPTY   0x20
#define FIFO_SIZE   16
#define WAIT_POLLS  1000000

static bool present __ro_after_init;

static void put(u32 reg, u8 v)
{
	arch_port_write(COM1 + reg, v, 1);
}

static u8 get(u32 reg)
{
	return (u8)arch_port_read(COM1 + reg, 1);
}

bool serial_init(void)
{
	put(REG_SCRATCH, 0x5a);
	if (get(REG_SCRATCH) != 0x5a)
		return false;
	put(REG_IER, 0);
	put(REG_LCR, 0x80); /* divisor: 115200 baud */
	put(REG_DATA, 1);
	put(REG_IER, 0);
	put(REG_LCR, 0x03); /* 8N1 */
	put(REG_FCR, 0x07); /* FIFOs on and empty */
	put(REG_MCR, 0x0b);
	present = true;
	return true;
}

static bool wait_empty(void)
{
	for (u32 i = 0; i < WAIT_POLLS; i++) {
		if (get(REG_LSR) & LSR_EMPTY)
			return true;
		cpu_relax();
	}
	return false;
}

void serial_write(const char *s, size_t len)
{
	u32 room = 0;

	for (size_t i = 0; present && i < len; i++) {
		if (room < 2) {
			if (!wait_empty())
				return;
			room = FIFO_SIZE;
		}
		if (s[i] == '\n') {
			put(REG_DATA, '\r');
			room--;
		}
		put(REG_DATA, (u8)s[i]);
		room--;
	}
}
