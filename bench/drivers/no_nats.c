/* SPDX-License-Identifier: MIT
 * Instead of NATS, where its library was not found. */
#include "bench/driver.h"

static const char *
missing(const struct server *server)
{
	return "the benchmark was built without libnats";
}

const struct driver driver_nats = {.name = "nats", .missing = missing};
