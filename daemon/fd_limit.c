/* SPDX-License-Identifier: MIT
 * See fd_limit.h. */
#include "daemon/fd_limit.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "daemon/log.h"

#define SPARE_FDS 64 /* listeners, libraries, files */

/* A connection costs one, and often another for the process at its end. That one is kept while
 * the connection is lost and the session waits for its client: as many wait as there may be
 * connections. */
#define FDS_PER_CONNECTION 3

/* The limit, as high as it goes; 0: unknown. */
static rlim_t
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
		    getrlimit(RLIMIT_NOFILE, &limit) != 0)
			return 0;
	}
	return limit.rlim_cur;
}

uint64_t
fd_limit_raise(uint64_t max_connections, uint64_t max_memfds)
{
	rlim_t limit = raise_limit();
	rlim_t want = FDS_PER_CONNECTION * max_connections + SPARE_FDS;

	if (limit == 0)
		return 0;
	if (limit < want)
		log_event(LOG_LEVEL_WARNING, "few_fds",
			  "limit=%llu wanted=%llu max_connections=%" PRIu64,
			  (unsigned long long)limit, (unsigned long long)want,
			  max_connections);
	if (limit <= want)
		return 0;
	return limit - want < max_memfds ? limit - want : max_memfds;
}
