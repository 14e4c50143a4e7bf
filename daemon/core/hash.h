/* SPDX-License-Identifier: MIT
 *
 * Hashes for table.h. Clients choose the names of queues and the ids of sessions and
 * requests, so all hashes are keyed: who does not know the key cannot make collisions.
 */
#ifndef QBROKER_CORE_HASH_H
#define QBROKER_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* Spreads every bit over all others; a bijection. */
static inline uint64_t
hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93;
	x ^= x >> 32;
	return x;
}

/* A pair of numbers. */
static inline uint64_t
hash_pair(const struct hash_key *key, uint64_t a, uint64_t b)
{
	return hash_mix(hash_mix(a ^ key->k0) + (b ^ key->k1));
}

/* SipHash-1-3 (Aumasson and Bernstein) of `len` bytes. */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t len);

#endif
