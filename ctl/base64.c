/* SPDX-License-Identifier: MIT
 * See base64.h. */
#include <config.h>

#include "ctl/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(const void *bytes, size_t len, char *ret)
{
	const unsigned char *data = bytes;
	char *p = ret;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)data[i] << 16;

		if (i + 1 < len)
			bits |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < len)
			bits |= data[i + 2];
		*p++ = digits[bits >> 18];
		*p++ = digits[bits >> 12 & 63];
		*p++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*p++ = i + 2 < len ? digits[bits & 63] : '=';
	}
}

json_t *
base64_json(const void *bytes, size_t len)
{
	size_t out_len = BASE64_LEN(len);
	char *out = malloc(out_len + 1);
	json_t *string;

	if (!out)
		return NULL;
	base64_encode(bytes, len, out);
	string = json_stringn_nocheck(out, out_len);
	free(out);
	return string;
}

/* -1: it is none. */
static int
value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Four digits, of which up to two at the end may be '='. How many bytes; 0: it is wrong. */
static size_t
decode_four(const char *text, unsigned char *out)
{
	size_t n = text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < n ? value_of(text[i]) : 0;

		if (value < 0)
			return 0;
		bits = bits << 6 | (uint32_t)value;
	}
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	return n - 1;
}

void *
base64_decode(const char *text, size_t len, size_t *ret_len)
{
	unsigned char *out = malloc(len / 4 * 3 + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i + 4 <= len; i += 4) {
		size_t some = decode_four(text + i, out + n);

		n += some;
		if (some == 3 || (some > 0 && i + 4 == len))
			continue;
		len = 1; /* wrong */
	}
	if (len % 4 == 0) {
		*ret_len = n;
		return out;
	}
	free(out);
	errno = EINVAL;
	return NULL;
}
