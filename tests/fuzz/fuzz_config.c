/* SPDX-License-Identifier: MIT
 * The configuration file from any bytes: it is refused with a sentence, or taken with
 * every value in its range, and loading it again changes nothing. */
#include <config.h>

#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"

static void
valid(const struct config *c)
{
	FUZZ_CHECK(c->listen.n > 0 && c->socket_group);
	FUZZ_CHECK(c->socket_mode <= 0777 && c->log_level <= LOG_LEVEL_DEBUG);
	FUZZ_CHECK(c->max_item >= 1 && c->max_item <= c->memory_limit / 2);
	FUZZ_CHECK(c->output_low <= c->output_high);
	FUZZ_CHECK(c->max_connections >= 1 && c->max_connections <= 1000000);
	FUZZ_CHECK(c->maxsize >= INT32_MIN && c->maxsize <= INT32_MAX);
	FUZZ_CHECK(c->max_bytes >= 0 && c->max_bytes <= INT64_C(1) << 53);
	for (size_t i = 0; i < c->n_policies; i++) {
		const struct config_policy *p = &c->policies[i];

		FUZZ_CHECK(p->pattern[0] && strlen(p->pattern) <= 255);
		FUZZ_CHECK(i == 0 || p[-1].rank <= p->rank);
	}
	FUZZ_CHECK(c->hello_timeout_ms >= 10 && c->hello_timeout_ms <= 3600000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char path[64], err[CONFIG_ERROR_LEN] = "";
	struct config_args args = {.file = path};
	struct config_changes changes;
	struct config config;
	int fd = memfd_create("qbrokerd.conf", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(&config, &args, err, sizeof(err)) != 0) {
		FUZZ_CHECK(err[0] && memchr(err, 0, sizeof(err)));
	} else {
		valid(&config);
		FUZZ_CHECK(config_reload(&config, &changes, err, sizeof(err)) == 0);
		FUZZ_CHECK(!changes.applied[0] && !changes.restart[0]);
		config_free(&config);
	}
	close(fd);
	return 0;
}
