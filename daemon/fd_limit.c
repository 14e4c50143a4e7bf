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

void
fd_limit_raise(uint64_t max_connections)
{
	struct rlimit limit;
	rlim_t want = FDS_PER_CONNECTION * max_connections + SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
		    getrlimit(RLIMIT_NOFILE, &limit) != 0)
			return;
	}
	if (limit.rlim_cur < want)
		log_event(LOG_LEVEL_WARNING, "few_fds",
			  "limit=%llu wanted=%llu max_connections=%" PRIu64,
			  (unsigned long long)limit.rlim_cur, (unsigned long long)want,
			  max_connections);
}
