/* SPDX-License-Identifier: MIT
 * The rows of ops.def and options.def as tables, and what decoders share. Private to
 * proto/. */
#ifndef QBROKER_PROTO_SIGNATURE_H
#define QBROKER_PROTO_SIGNATURE_H

#include "proto/message.h"

struct op_row {
	const char *name;   /* NULL: no such operation */
	const char *args;   /* letters of the request */
	const char *fields; /* letters of the reply */
	uint8_t n_args, n_fields;
	enum qp_body body;
};

struct option_row {
	const char *name;
	uint8_t name_len;
	enum qp_type type; /* QP_UINT, QP_INT, QP_BOOL or QP_STR */
	int64_t min, max;  /* of a string: its length */
	size_t offset;	   /* in struct qp_options */
};

#define QP_N_OPS 53 /* one more than the largest number */
extern const struct op_row op_rows[QP_N_OPS];

/* The row of an operation, NULL for an unknown one. */
static inline const struct op_row *
op_row(uint64_t op)
{
	return op < QP_N_OPS && op_rows[op].name ? &op_rows[op] : NULL;
}

#define N_OPTIONS			       (sizeof(option_rows) / sizeof(option_rows[0]))
#define QP_OPTION(name, ctype, type, min, max) +1
extern const struct option_row option_rows[0
#include "proto/options.def"
];
#undef QP_OPTION

/* Fills `e` with a status and a sentence. Returns false. */
bool qp_refuse(struct qp_error *e, enum qp_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Takes the map of options. false: `e` says what is wrong with it. */
bool qp_read_options(struct qp_reader *in, struct qp_options *ret, struct qp_error *e);

#endif
