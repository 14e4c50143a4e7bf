/* SPDX-License-Identifier: MIT
 * ping: is the broker there, which one is it, how far away. */
#include <config.h>

#include "ctl/ctl.h"
#include "ctl/out.h"

#include <time.h>

static const struct argp argp = {
	.parser = args_none_parser,
	.doc = "Asks whether the broker is there, and prints its name and version, the "
	       "address, and the time of a round trip.",
	.children = args_children,
};

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int
cmd_ping(struct ctl *ctl, int argc, char **argv)
{
	qb_result result;
	double start, ms;
	int status;

	args_parse(&argp, argc, argv, ctl);
	status = ctl_connect(ctl);
	if (status)
		return status;
	start = now_ms();
	result = qb_ping(ctl->q);
	ms = now_ms() - start;
	if (result != QB_OK)
		return ctl_result(ctl, result);
	if (ctl->json)
		return out_json(json_pack("{s:s, s:s, s:f}", "server",
					  qb_server(ctl->q), "address",
					  qb_address(ctl->q), "rtt_ms", ms));
	printf("%s at %s: %.3f ms\n", qb_server(ctl->q), qb_address(ctl->q), ms);
	return CTL_DONE;
}
