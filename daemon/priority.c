/* SPDX-License-Identifier: MIT
 * See priority.h. */
#include "daemon/priority.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/log.h"

static int normal = PRIO_MIN; /* constant once threads are started */

void
priority_init(struct priority *p, unsigned steps)
{
	normal = getpriority(PRIO_PROCESS, 0);
	*p = (struct priority){.preferred = normal - (int)steps};
	if (p->preferred < PRIO_MIN)
		p->preferred = PRIO_MIN;
}

/* On Linux it is the niceness of this thread alone. */
static void
set(struct priority *p, bool raised)
{
	if (setpriority(PRIO_PROCESS, 0, raised ? p->preferred : normal) == 0) {
		p->raised = raised;
		return;
	}
	log_event(LOG_LEVEL_INFO, "priority_refused", "nice=%d error=\"%s\"",
		  p->preferred, strerror(errno));
	p->preferred = normal;
}

void
priority_turn(struct priority *p, uint64_t reads, uint64_t now_ns)
{
	bool crowded = reads - p->reads >= PRIORITY_CROWD;

	p->reads = reads;
	if (p->preferred == normal)
		return;
	if (crowded)
		p->crowded_ns = now_ns;
	if (crowded != p->raised &&
	    (crowded || now_ns - p->crowded_ns > PRIORITY_STAY_NS))
		set(p, crowded);
}

void
priority_end(void)
{
	if (getpriority(PRIO_PROCESS, 0) < normal)
		(void)setpriority(PRIO_PROCESS, 0, normal);
}
