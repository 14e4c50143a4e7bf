/* SPDX-License-Identifier: MIT
 *
 * Whether the processor can do it is looked up at each call: that is a load and a
 * branch.
 */
#include "daemon/store/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif
#include <string.h>

/* By half bytes: 16 numbers, and fast enough for where there is no instruction. */
static const uint32_t half_bytes[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t
crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ half_bytes[crc & 15];
		crc = crc >> 4 ^ half_bytes[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

static int
has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

static inline uint64_t
word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word;
}

/* The instruction takes three cycles, and the next can begin in each: so three parts are gone through side
 * by side. The CRC of a part is that of what it is the beginning of when it is multiplied by x to the
 * number of bits that follow, modulo the polynomial; the instruction itself is a factor of x^32 and the
 * product of two CRCs, bits reversed, one of x. Large parts for what is long, small ones for bodies of some hundred
 * bytes. */
#define LARGE  256
#define SMALL  64
#define BY_64  0x9e4addf8 /* x^(8 * 64 - 33), bits reversed */
#define BY_128 0x0d3b6092
#define BY_256 0xb9e02b86
#define BY_512 0xdd7e3b0c

__attribute__((target("sse4.2,pclmul"))) static uint32_t
multiply(uint32_t crc, uint32_t by)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc),
					       _mm_cvtsi32_si128((int)by), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* `by_1`, `by_2`: for one part, and two, that follow. */
__attribute__((target("sse4.2,pclmul"))) static inline uint32_t
three_parts(uint32_t crc, const unsigned char *p, size_t part, uint32_t by_1,
	    uint32_t by_2)
{
	uint64_t a = crc, b = 0, c = 0;

	for (const unsigned char *end = p + part; p < end; p += 8) {
		a = _mm_crc32_u64(a, word_at(p));
		b = _mm_crc32_u64(b, word_at(p + part));
		c = _mm_crc32_u64(c, word_at(p + 2 * part));
	}
	return multiply((uint32_t)a, by_2) ^ multiply((uint32_t)b, by_1) ^ (uint32_t)c;
}

/* Returns how many bytes are left, at the end. */
__attribute__((target("sse4.2,pclmul"))) static size_t
by_parts(uint32_t *crc, const unsigned char *p, size_t len)
{
	for (; len >= 3 * LARGE; len -= 3 * LARGE, p += 3 * LARGE)
		*crc = three_parts(*crc, p, LARGE, BY_256, BY_512);
	for (; len >= 3 * SMALL; len -= 3 * SMALL, p += 3 * SMALL)
		*crc = three_parts(*crc, p, SMALL, BY_64, BY_128);
	return len;
}

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t wide;

	crc = ~crc;
	if (len >= 3 * SMALL && __builtin_cpu_supports("pclmul")) {
		size_t left = by_parts(&crc, p, len);

		p += len - left;
		len = left;
	}
	for (wide = crc; len >= 8; len -= 8, p += 8)
		wide = _mm_crc32_u64(wide, word_at(p));
	crc = (uint32_t)wide;
	for (; len; len--)
		crc = _mm_crc32_u8(crc, *p++);
	return ~crc;
}

#elif defined(__aarch64__)

static int
has_instruction(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

__attribute__((target("+crc"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t word;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		crc = __crc32cd(crc, word);
	}
	for (; len; len--)
		crc = __crc32cb(crc, *p++);
	return ~crc;
}

#else

static int
has_instruction(void)
{
	return 0;
}

static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
	return crc32c_portable(crc, p, len);
}

#endif

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t len)
{
	return has_instruction() ? by_instruction(crc, bytes, len)
				 : crc32c_portable(crc, bytes, len);
}
