/* SPDX-License-Identifier: MIT
 * Instead of Redis, where hiredis was not found. */
#include "bench/driver.h"

static const char *
missing(const struct server *server)
{
	return "the benchmark was built without hiredis";
}

const struct driver driver_redis_lists = {.name = "redis-lists", .missing = missing};
const struct driver driver_redis_streams = {.name = "redis-streams",
					    .missing = missing};
