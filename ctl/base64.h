/* SPDX-License-Identifier: MIT
 * Bytes as text, for JSON. */
#ifndef CTL_BASE64_H
#define CTL_BASE64_H

#include <jansson.h>
#include <stddef.h>

/* Writes BASE64_LEN(len) characters, without a 0 behind them. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)
void base64_encode(const void *bytes, size_t len, char *ret);

/* NULL: no memory. */
json_t *base64_json(const void *data, size_t len);

/* The bytes, for free(); what is not base64 with its padding is NULL with errno EINVAL. */
void *base64_decode(const char *text, size_t len, size_t *ret_len);

#endif
