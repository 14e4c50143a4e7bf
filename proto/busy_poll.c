/* SPDX-License-Identifier: MIT
 * See busy_poll.h. */
#include "proto/busy_poll.h"

#define TAKEN_NS \
	UINT64_C(500000) /* between two looks: the processor was somebody else's */
#define REST_NS	    UINT64_C(1000000) /* the first time */
#define MAX_REST_NS UINT64_C(256000000)
#define SOON_NS	    UINT64_C(16000000) /* after a rest: others still want it */

void
busy_poll_start(struct busy_poll *p, uint64_t now_ns)
{
	p->since_ns = p->last_ns = now_ns;
}

/* Somebody who has a lot to do is recognised by taking the processor again and again. */
static void
rest(struct busy_poll *p, uint64_t now_ns)
{
	bool again = p->rest_ns > 0 && now_ns < p->rest_until_ns + p->rest_ns + SOON_NS;

	p->rest_ns = again ? p->rest_ns * 2 : REST_NS;
	if (p->rest_ns > MAX_REST_NS)
		p->rest_ns = MAX_REST_NS;
	p->rest_until_ns = now_ns + p->rest_ns;
}

bool
busy_poll_goes_on(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns)
{
	bool looks = p->quick && now_ns >= p->rest_until_ns;

	if (looks && now_ns - p->last_ns > TAKEN_NS) {
		rest(p, now_ns);
		return false;
	}
	p->last_ns = now_ns;
	return looks && now_ns - p->since_ns < for_ns;
}

/* A wait that is a little longer counts as short too: then it includes the time to wake up. */
void
busy_poll_end(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns)
{
	if (p->since_ns == 0)
		return;
	p->quick = now_ns - p->since_ns < for_ns + for_ns / 2;
	p->since_ns = 0;
}
