/* The ChaCha20 block function (RFC 8439). */
#pragma once

#include <lib/types.h>

#define CHACHA_KEY_WORDS  8
#define CHACHA_BLOCK_SIZE 64

/* One block of key stream: key, 64-bit counter, 64-bit nonce. */
void chacha20_block(const u32 key[CHACHA_KEY_WORDS], u64 counter, u64 nonce,
		    u8 out[CHACHA_BLOCK_SIZE]);
