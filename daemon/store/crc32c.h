/* SPDX-License-Identifier: MIT
 *
 * CRC-32C (Castagnoli), by the processor's instruction where it has one.
 */
#ifndef QBROKER_STORE_CRC32C_H
#define QBROKER_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* `crc` is 0, or that of the bytes before these. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same without the instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
