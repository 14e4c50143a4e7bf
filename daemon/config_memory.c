/* SPDX-License-Identifier: MIT
 *
 * How much memory this process may use: what `memory_limit = auto` means.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_value.h"

/* Lowers `least` to the number in the file. Anything else in it ("max"), and a file
 * that is not there, is no limit. */
static void
lower_to_file(uint64_t *least, const char *path)
{
	char text[32];
	FILE *in = fopen(path, "re");

	if (!in)
		return;
	if (fgets(text, sizeof(text), in) && strspn(text, "0123456789") > 0) {
		uint64_t value = strtoull(text, NULL, 10);
		if (value > 0 && value < *least)
			*least = value;
	}
	fclose(in);
}

/* The limits of a group and of all above it. Inside a container the path may be one
 * that only the host sees; then the mount's own root has the limit. */
static void
lower_to_group(uint64_t *least, const char *mount, char *group, const char *file)
{
	char path[PATH_MAX];

	for (;;) {
		snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		lower_to_file(least, path);
		char *slash = strrchr(group, '/');
		if (!slash)
			return;
		*slash = 0;
	}
}

/* One line of /proc/self/cgroup: `0::/path` (version 2) or `7:memory:/path`. */
static void
lower_to_line(uint64_t *least, const char *root, char *line)
{
	char mount[PATH_MAX];
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!group)
		return;
	*controllers++ = 0;
	*group++ = 0;
	group[strcspn(group, "\n")] = 0;
	if (!*controllers) {
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
		lower_to_group(least, mount, group, "memory.max");
	} else if (strcmp(controllers, "memory") == 0) {
		snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/memory", root);
		lower_to_group(least, mount, group, "memory.limit_in_bytes");
	}
}

uint64_t
config_memory_auto(const char *root)
{
	char path[PATH_MAX], line[PATH_MAX];
	uint64_t least =
		(uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	FILE *in = fopen(path, "re");
	if (in) {
		while (fgets(line, sizeof(line), in))
			lower_to_line(&least, root, line);
		fclose(in);
	}
	return least / 2;
}
