/* SPDX-License-Identifier: MIT
 * What the tests of listeners share: a folder, a loop, a list of what has been
 * accepted. */
#ifndef QBROKER_TESTS_LISTENING_H
#define QBROKER_TESTS_LISTENING_H

#include <stdbool.h>

#include "daemon/net/address.h"
#include "daemon/net/listener.h"

#define MAX_ACCEPTED 256

extern char path[64]; /* of a Unix socket, in a folder of its own */
extern char lock_path[80];
extern char unix_address[80];
extern char err[CONFIG_ERROR_LEN];
extern struct event_base *base;
extern struct listeners *listeners; /* closed at the end */
extern int accepted[MAX_ACCEPTED];
extern int n_accepted;
extern char peers[MAX_ACCEPTED][ADDRESS_LEN];

void set_up(void);
void tear_down(void);

/* Opens the addresses, separated by blanks, as `listeners`; false: see `err`. */
bool open_with(const char *addresses, unsigned mode, bool allow_remote);
void open_ok(const char *addresses);
/* ... and fails with a text that contains `piece`. */
void open_fails(const char *addresses, const char *piece);

/* Connects; -1 with errno. */
int dial(const char *text);

/* Turns the loop until so many have been accepted in all. */
void wait_accepted(int n);

#endif
