/* SPDX-License-Identifier: MIT
 * Heads as typed messages, both directions. PROTOCOL.md is the contract; ops.def,
 * options.def, status.def and notices.def are its tables, and one letter of a signature in ops.def
 * is one field here. Views in a decoded message borrow from the head. */
#ifndef QBROKER_PROTO_MESSAGE_H
#define QBROKER_PROTO_MESSAGE_H

#include "proto/frame.h"
#include "proto/out.h"
#include "proto/reader.h"

#define QP_PROTOCOL_VERSION 1
#define QP_FOREVER	    UINT64_MAX /* a timeout of nil */
#define QP_MAX_COUNT \
	(UINT64_C(1) << 53) /* the largest number that an argument may be, ids apart \
			     */
#define QP_MAX_BATCH_ITEMS 1000
#define QP_MAX_BATCH_BYTES (UINT32_C(16) << 20)
#define QP_MAX_NAME	   255
#define QP_MAX_ANY	   64 /* queues in one get */
#define QP_MAX_RUN	   256 /* gets in one GET_RUN */
#define QP_SESSION_BYTES   16
#define QP_MAX_TEXT	   1024 /* bytes of a refusal's sentence */

#define QP_OP(name, number, args, fields, body) QP_OP_##name = number,
enum qp_op {
#include "proto/ops.def"
};
#undef QP_OP

#define QP_STATUS(name, number, text) QP_##name = number,
enum qp_status {
#include "proto/status.def"
};
#undef QP_STATUS

#define QP_NOTICE(name, number, text) QP_NOTICE_##name = number,
enum qp_notice {
#include "proto/notices.def"
};
#undef QP_NOTICE

enum qp_ack { QP_ACK_MANUAL, QP_ACK_AUTO, QP_ACK_NONE };
enum qp_body { QP_BODY_NONE, QP_BODY_ITEM, QP_BODY_BATCH };

/* The name ("FULL", "PUT") and text of a number; NULL for a number that is not in the
 * table. */
const char *qp_status_name(unsigned status);
const char *qp_status_text(unsigned status);
const char *qp_op_name(unsigned op);

/* What kind of body a request of this operation has. */
enum qp_body qp_op_body(enum qp_op op);

/* The map at the end of a request or a reply. QP_BIT(name) of `present` says
 * whether it is given; a member that is not given has no value: QP_OPT() reads it as
 * 0. */
#define QP_OPTION(name, ctype, type, min, max) QP_HAS_##name,
enum qp_option {
#include "proto/options.def"
};
#undef QP_OPTION

/* A bit for each option. */
__extension__ typedef unsigned __int128 qp_set;

#define QP_OPTION(name, ctype, type, min, max) ctype name;
struct qp_options {
	qp_set present;
#include "proto/options.def"
};
#undef QP_OPTION

#define QP_BIT(name)		((qp_set)1 << QP_HAS_##name)
#define QP_GIVEN(options, name) (((options)->present & QP_BIT(name)) != 0)
#define QP_OPT(options, name)	(QP_GIVEN(options, name) ? (options)->name : 0)
#define QP_GIVE(options, name, value) \
	((options)->present |= QP_BIT(name), (options)->name = (value))

/* An array in a head: decoded, `in` stands before its first element, and every element
 * has been verified; to encode, `numbers` are its elements. */
struct qp_list {
	uint32_t n;
	struct qp_reader in;
	const int64_t *numbers;
	uint64_t sum; /* of the elements of a decoded argument, modulo 2^64 */
};

/* The same of names: to encode, `names` are its elements. */
struct qp_names {
	uint32_t n;
	struct qp_reader in;
	const struct qp_str *names;
};

/* One item of GET_MANY's reply. */
struct qp_item {
	uint64_t id;
	uint64_t delivery;
	uint64_t length;
	uint64_t ctype;
	uint64_t crashes;
	uint64_t nacks;
	uint64_t timeouts;
	int64_t priority;
	struct qp_str group; /* absent: of none */
};

/* Which members count is the operation's signature in ops.def; the others have no
 * value. */
struct qp_request {
	enum qp_op op;
	uint64_t rid;
	struct qp_str queue;	/* q: always valid; Q: absent for nil */
	struct qp_str group;	/* G: always valid */
	struct qp_str to;	/* T: always valid */
	uint64_t timeout_ms;	/* t: QP_FOREVER for nil */
	enum qp_ack ack;	/* a */
	uint64_t max_items;	/* n */
	uint64_t id;		/* i; J: 0 for nil */
	uint64_t delivery;	/* d */
	uint64_t epoch;		/* e */
	uint64_t target;	/* r */
	uint64_t cursor;	/* c */
	uint64_t version;	/* v */
	uint64_t last;		/* N */
	struct qp_str session;	/* s: 16 bytes */
	struct qp_list lengths; /* l */
	struct qp_list tags;	/* g: flat; n counts numbers, two for a tag */
	struct qp_names queues; /* m */
	struct qp_options options;
};

struct qp_reply {
	uint64_t rid;
	enum qp_status status; /* not OK: `text` counts and nothing below it */
	struct qp_str text;
	uint64_t notice;       /* rid 0 and OK: its kind, any number, and `options` */
	uint64_t id;	       /* i */
	uint64_t delivery;     /* d */
	uint64_t count;	       /* k */
	uint64_t cursor;       /* c */
	bool created;	       /* b */
	uint64_t version;      /* v */
	uint64_t epoch;	       /* e */
	struct qp_str session; /* s */
	uint64_t qsize;	       /* z */
	uint64_t unfinished;   /* u */
	int64_t maxsize;       /* y */
	struct qp_list results; /* R: an id, or a negated status */
	struct qp_list stale;	/* x: positions */
	struct qp_list
		items; /* I: decoded with qp_item_next(), encoded from `item_rows` */
	const struct qp_item *item_rows;
	struct qp_options options;
};

/* Why a head was refused. */
struct qp_error {
	enum qp_status
		status; /* MALFORMED: close the connection; else answer and go on */
	uint64_t rid;	/* 0 when it could not be read */
	char text[256]; /* a sentence that names the offending value */
};

/* Decodes a request. false: `ret_error` says why, and `ret` is worthless. */
bool qp_request_decode(const void *head, size_t len, struct qp_request *ret,
		       struct qp_error *ret_error);

/* Bytes that the frame of a request takes at most, without its body. What is not of its signature is
 * 0, of its options only `present`. */
size_t qp_request_max(const struct qp_request *request);

/* Appends a request's frame without its body: the caller appends `body_len` bytes next. */
void qp_request_encode(struct qp_out *out, const struct qp_request *request,
		       uint32_t body_len);

/* Appends a request that was encoded before, `frame`, without its body, again, but with another timeout
 * if its operation has one. */
void qp_request_repeat(struct qp_out *out, const uint8_t *frame, uint64_t timeout_ms);

/* Only the rid of a reply, which says what it answers; false when it is broken. */
bool qp_reply_rid(const void *head, size_t len, uint64_t *ret_rid);

/* Decodes the reply of a request of operation `op` (0: none), or what answers none: a
 * refusal, or a notice. */
bool qp_reply_decode(const void *head, size_t len, unsigned op, struct qp_reply *ret,
		     struct qp_error *ret_error);

/* Appends a reply's frame without its body. */
void qp_reply_encode(struct qp_out *out, enum qp_op op, const struct qp_reply *reply,
		     uint32_t body_len);

/* Appends a refusal: [status, rid, text]. The text is cut at QP_MAX_TEXT bytes. */
void qp_refusal_encode(struct qp_out *out, enum qp_status status, uint64_t rid,
		       const char *text);

/* Appends a notice: [0, 0, kind, options]. */
void qp_notice_encode(struct qp_out *out, enum qp_notice kind,
		      const struct qp_options *options);

/* The next number, or item, of a decoded list. Call it at most `n` times. */
static inline uint64_t
qp_list_next(struct qp_list *list)
{
	return qp_read_number(&list->in);
}
int64_t qp_list_next_signed(struct qp_list *list);
struct qp_str qp_names_next(struct qp_names *names);
struct qp_item qp_item_next(struct qp_list *items);

/* An answer in one number. Of an operation that has one field at most, an integer or a bool, the
 * whole of it; of others nothing that they could be answered from: false. */
bool qp_reply_value(enum qp_op op, const struct qp_reply *reply, uint64_t *ret);
bool qp_reply_set_value(enum qp_op op, struct qp_reply *reply, uint64_t value);

/* Whether these bytes are a queue's name: 1 to 255 bytes of UTF-8 without control
 * characters. */
bool qp_valid_name(const char *name, size_t len);

/* --- rows: the body of QUEUES, STATS and others ------------------------------------------ */

/* Writes rows into an output list. */
void qp_row_array(struct qp_out *out, uint32_t rows);
void qp_row_begin(struct qp_out *out, uint32_t pairs);
void qp_row_number(struct qp_out *out, const char *name, uint64_t value);
void qp_row_signed(struct qp_out *out, const char *name, int64_t value);
void qp_row_string(struct qp_out *out, const char *name, const char *value, size_t len);
void qp_row_nil(struct qp_out *out, const char *name);

#endif
