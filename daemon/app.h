/* SPDX-License-Identifier: MIT
 * The whole: constructs the parts, connects them, runs the loop, takes them apart. */
#ifndef QBROKER_APP_H
#define QBROKER_APP_H

#include <stddef.h>

#include "daemon/config.h"

struct app;

/* Opens the sockets and makes everything ready to serve. `config` is borrowed, and
 * changed by a reload. NULL, with a sentence in `err` and the exit
 * status, when something cannot be had. */
struct app *app_new(struct config *config, char *err, size_t errlen, int *ret_status)
	__attribute__((warn_unused_result));

/* Serves until SIGTERM or SIGINT; SIGHUP reloads the configuration. Returns the exit
 * status. */
int app_run(struct app *app);

void app_free(struct app *app);

#endif
