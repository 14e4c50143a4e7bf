/* SPDX-License-Identifier: MIT
 * How clients are shown to others. */
#ifndef QBROKER_NET_WHO_H
#define QBROKER_NET_WHO_H

#include "daemon/net/session.h"

/* What others have said may be any bytes; what is shown is UTF-8 on one line. Returns the
 * length, 0 for none. */
size_t printable(char shown[QP_MAX_NAME], const char *text, size_t len);

/* The number of its process, as the kernel says if it can, else as the client said; 0: it is
 * not known. */
uint64_t session_pid(const struct session *session);

#endif
