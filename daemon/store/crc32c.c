/* SPDX-License-Identifier: MIT
 *
 * Whether the processor can do it is looked up at each call: that is a load and a
 * branch.
 */
#include "daemon/store/crc32c.h"

#if defined(__x86_64__)
#include <immintrin.h>
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

static int
can_fold(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
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

/* Where there are products of four words at once, 128 bytes are a polynomial that is moved on to the next ones, and
 * added to them: of each 16 bytes the first word is multiplied by what its place has more, x^(8 * (distance + 8) -
 * 33), the second one by x^(8 * distance - 33). At the end they are moved together. */
#define FOLD   128 /* shorter than two of these they are not worth it */
#define BY_16  0x493c7d27
#define BY_24  0xf20c0dfe
#define BY_32  0xba4fc28e
#define BY_40  0x3da6d0cb
#define BY_72  0x740eef02
#define BY_96  0x0715ce53
#define BY_104 0xc49f4f67
#define BY_136 0x6992cea2

#define WIDE __attribute__((target("sse4.2,pclmul,avx2,vpclmulqdq")))

WIDE static inline __m256i
bytes_at(const unsigned char *p)
{
	return _mm256_loadu_si256((const void *)p);
}

WIDE static inline __m256i
moved(__m256i bytes, uint32_t by_1, uint32_t by_2)
{
	__m256i by = _mm256_set_epi64x(by_2, by_1, by_2, by_1);

	return _mm256_xor_si256(_mm256_clmulepi64_epi128(bytes, by, 0x00),
				_mm256_clmulepi64_epi128(bytes, by, 0x11));
}

WIDE static inline __m256i
moved_to(__m256i bytes, const unsigned char *p)
{
	return _mm256_xor_si256(moved(bytes, BY_136, BY_128), bytes_at(p));
}

WIDE static inline __m128i
together(__m256i a, __m256i b, __m256i c, __m256i d)
{
	__m128i by = _mm_set_epi64x(BY_16, BY_24), first;

	d = _mm256_xor_si256(d, moved(a, BY_104, BY_96));
	d = _mm256_xor_si256(d, moved(b, BY_72, BY_64));
	d = _mm256_xor_si256(d, moved(c, BY_40, BY_32));
	first = _mm256_castsi256_si128(d);
	first = _mm_xor_si128(_mm_clmulepi64_si128(first, by, 0x00),
			      _mm_clmulepi64_si128(first, by, 0x11));
	return _mm_xor_si128(first, _mm256_extracti128_si256(d, 1));
}

/* Returns how many bytes are left, at the end, of 2 * FOLD and more. */
WIDE static size_t
by_folding(uint32_t *crc, const unsigned char *p, size_t len)
{
	__m256i a = bytes_at(p), b = bytes_at(p + 32), c = bytes_at(p + 64),
		d = bytes_at(p + 96);
	__m128i last;

	a = _mm256_xor_si256(a, _mm256_set_epi32(0, 0, 0, 0, 0, 0, 0, (int)*crc));
	for (p += FOLD, len -= FOLD; len >= FOLD; p += FOLD, len -= FOLD) {
		a = moved_to(a, p);
		b = moved_to(b, p + 32);
		c = moved_to(c, p + 64);
		d = moved_to(d, p + 96);
	}
	last = together(a, b, c, d);
	*crc = (uint32_t)_mm_crc32_u64(_mm_crc32_u64(0,
						     (uint64_t)_mm_cvtsi128_si64(last)),
				       (uint64_t)_mm_extract_epi64(last, 1));
	return len;
}

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t wide;
	size_t left = len;

	crc = ~crc;
	if (len >= 2 * FOLD && can_fold())
		left = by_folding(&crc, p, len);
	else if (len >= 3 * SMALL && __builtin_cpu_supports("pclmul"))
		left = by_parts(&crc, p, len);
	p += len - left;
	len = left;
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
