/* SPDX-License-Identifier: MIT
 * The rows of ops.def and options.def as tables, for decode.c and encode.c alone. */
#ifndef QBROKER_PROTO_SIGNATURE_H
#define QBROKER_PROTO_SIGNATURE_H

#include "proto/message.h"

struct op_row {
	const char *name;   /* NULL: no such operation */
	const char *args;   /* letters of the request */
	const char *fields; /* letters of the reply */
	enum qp_body body;
};

struct option_row {
	const char *name;
	uint8_t name_len;
	enum qp_type type; /* QP_UINT, QP_INT, QP_BOOL or QP_STR */
	int64_t min, max;  /* of a string: its length */
	size_t offset;	   /* in struct qp_options */
};

/* The row of an operation, NULL for an unknown one. */
const struct op_row *op_row(uint64_t op);

#define N_OPTIONS			       (sizeof(option_rows) / sizeof(option_rows[0]))
#define QP_OPTION(name, ctype, type, min, max) +1
extern const struct option_row option_rows[0
#include "proto/options.def"
];
#undef QP_OPTION

#endif
