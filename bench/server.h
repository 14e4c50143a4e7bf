/* SPDX-License-Identifier: MIT
 * What drivers share: starting a program as a server, sockets to it. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/driver.h"

/* Whether a program is in one of the usual folders; its path goes to ret_path. */
bool program_find(const char *name, char *ret_path, size_t len);

/* Starts the program, with its output in the log of the server's folder, and waits until
 * it listens. `arguments` end with NULL. false: it does not; its log was shown. */
bool server_run(struct server *server, const char *program, char *const arguments[]);

/* Runs serve(listener) in a child, which must not return. */
bool server_fork(struct server *server, void (*serve)(int listener));

/* The path of its Unix socket. */
void server_path(const struct server *server, char *ret_path, size_t len);

/* A port of 127.0.0.1 that was free just now. */
int free_port(void);

/* A connected stream socket, or dies. */
int server_connect(const struct server *server);

/* Sends, or receives, all of it, or dies. */
void send_all(int fd, const void *p, size_t len);
void receive_all(int fd, void *p, size_t len);

#endif
