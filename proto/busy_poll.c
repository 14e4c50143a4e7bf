/* SPDX-License-Identifier: MIT
 * See busy_poll.h. */
#include "proto/busy_poll.h"

#define TAKEN_NS \
	UINT64_C(500000) /* that a look takes: the processor was somebody else's */
#define ASKER_NS    UINT64_C(50000)   /* of that, for each who asked: it was his */
#define REST_NS	    UINT64_C(1000000) /* the first time, and at least */
#define MAX_REST_NS UINT64_C(256000000)
#define AGAIN	    32 /* looks may take so many times as long as was taken */
#define BRIEF_NS    UINT64_C(20000) /* to sleep and be woken costs as much */
#define BRIEFS	    3		    /* waits in a row */

void
busy_poll_start(struct busy_poll *p, uint64_t now_ns)
{
	p->since_ns = now_ns;
	p->look_ns = 0;
}

/* Somebody who has a lot to do is recognised by taking the processor again and again. What counts
 * is for how long it could have been taken: where processors are shared among groups, one's own
 * share has to be used up first. */
static void
rest(struct busy_poll *p, uint64_t now_ns, uint64_t taken_ns)
{
	bool again = p->looked_ns / AGAIN < taken_ns;

	p->rest_ns = again ? p->rest_ns * 2 : p->rest_ns / 4;
	if (p->rest_ns < REST_NS)
		p->rest_ns = REST_NS;
	if (p->rest_ns > MAX_REST_NS)
		p->rest_ns = MAX_REST_NS;
	p->rest_until_ns = now_ns + p->rest_ns;
	p->looked_ns = 0;
}

/* A look is over, if there was one; so many have asked in it. */
static void
looked(struct busy_poll *p, uint64_t now_ns, uint64_t askers)
{
	uint64_t took_ns = p->look_ns ? now_ns - p->look_ns : 0;

	p->look_ns = 0;
	if (took_ns > TAKEN_NS + askers * ASKER_NS)
		rest(p, now_ns, took_ns);
	else
		p->looked_ns += took_ns;
}

enum busy_poll_next
busy_poll_next(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns)
{
	uint64_t waited_ns = now_ns - p->since_ns;

	looked(p, now_ns, 0);
	if (!p->quick || waited_ns >= for_ns)
		return BUSY_POLL_SLEEP;
	if (now_ns < p->rest_until_ns)
		return p->briefs == BRIEFS && waited_ns < BRIEF_NS ? BUSY_POLL_LOOK
								   : BUSY_POLL_SLEEP;
	p->look_ns = now_ns;
	return BUSY_POLL_YIELD;
}

/* A wait that is a little longer counts as short too: then it includes the time to wake up. */
static bool
is_short(uint64_t waited_ns, uint64_t for_ns)
{
	return waited_ns < for_ns + for_ns / 2;
}

void
busy_poll_end(struct busy_poll *p, uint64_t now_ns, uint64_t for_ns, uint64_t askers)
{
	uint64_t waited_ns = now_ns - p->since_ns;

	if (p->since_ns == 0)
		return;
	looked(p, now_ns, askers);
	p->quick = is_short(waited_ns, for_ns);
	if (!is_short(waited_ns, BRIEF_NS))
		p->briefs = 0;
	else if (p->briefs < BRIEFS)
		p->briefs++;
	p->since_ns = 0;
}
