/* SPDX-License-Identifier: MIT
 * qbroker.h for the library's own files: its functions are the only ones that are not
 * hidden. */
#ifndef QBROKER_CLIENT_PUBLIC_H
#define QBROKER_CLIENT_PUBLIC_H

#pragma GCC visibility push(default)
#include "client/qbroker.h"
#pragma GCC visibility pop

#endif
