/* SPDX-License-Identifier: MIT
 * See clock.h. */
#include "bench/clock.h"

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

static void
look(int cpu, int64_t slice_ns, int64_t interval_ns, struct histogram *times)
{
	int64_t planned_ns, end_ns, now;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return;
	planned_ns = now_ns();
	end_ns = planned_ns + slice_ns;
	while (planned_ns < end_ns) {
		now = now_ns();
		for (; planned_ns <= now; planned_ns += interval_ns)
			histogram_add(times, now - planned_ns);
	}
}

void
clock_times(int64_t slice_ns, int64_t interval_ns, struct histogram *ret)
{
	struct histogram *times = shared_alloc(CPU_SETSIZE * sizeof(*times));
	pid_t pids[CPU_SETSIZE];
	cpu_set_t cpus;
	int n = 0;

	*ret = (struct histogram){0};
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		CPU_ZERO(&cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &cpus))
			continue;
		pids[n] = fork_bound();
		if (pids[n] == 0) {
			look(cpu, slice_ns, interval_ns, &times[n]);
			_exit(EXIT_SUCCESS);
		}
		n++;
	}
	for (int i = 0; i < n; i++) {
		waitpid(pids[i], NULL, 0);
		histogram_merge(ret, &times[i]);
	}
	shared_free(times, CPU_SETSIZE * sizeof(*times));
}
