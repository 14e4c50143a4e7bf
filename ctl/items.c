/* SPDX-License-Identifier: MIT
 * Items on standard output, straight from their own memory. Knows to the byte what went
 * out, so that the rest can go back to the broker. */
#include <config.h>

#include "ctl/base64.h"
#include "ctl/ctl.h"
#include "ctl/out.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLICE 256 /* items in one writev(), which takes 1024 pieces */

static void
add_text(json_t *object, const char *name, const char *name_base64, const char *text)
{
	json_t *string = text ? json_string(text) : NULL; /* NULL if it is no UTF-8 */

	if (string)
		json_object_set_new(object, name, string);
	else if (text)
		json_object_set_new(object, name_base64,
				    base64_json(text, strlen(text)));
}

/* What is known of an item that is shown. */
static void
add_shown(json_t *object, const qb_item *item)
{
	add_text(object, "reason", "reason_base64", qb_item_reason(item));
	add_text(object, "error", "error_base64", qb_item_error(item));
	add_text(object, "worker", "worker_base64", qb_item_worker(item));
	if (qb_item_age(item) >= 0)
		json_object_set_new(object, "age_ms", json_integer(qb_item_age(item)));
	if (qb_item_dead(item) >= 0)
		json_object_set_new(object, "dead_ms",
				    json_integer(qb_item_dead(item)));
}

static char *
item_json(const qb_item *item)
{
	const char *body = qb_item_body(item), *name = "body";
	size_t size = qb_item_size(item);
	json_t *value = json_stringn(body, size); /* NULL if it is no UTF-8 */
	json_t *object;
	char *text;

	if (!value) {
		name = "body_base64";
		value = base64_json(body, size);
	}
	object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:I, s:o}", "id",
			   (json_int_t)qb_item_id(item), "deliveries",
			   (json_int_t)qb_item_deliveries(item), "crashes",
			   (json_int_t)qb_item_crashes(item), "nacks",
			   (json_int_t)qb_item_nacks(item), "timeouts",
			   (json_int_t)qb_item_timeouts(item), "ctype",
			   (int)qb_item_ctype(item), "priority",
			   (int)qb_item_priority(item), "size", (json_int_t)size, name,
			   value);
	if (qb_item_group(item))
		json_object_set_new(object, "group", json_string(qb_item_group(item)));
	add_shown(object, item);
	text = json_dumps(object, 0);
	json_decref(object);
	return text;
}

/* Writes all pieces. *ret_done: the bytes that are out, also when it fails. */
static int
write_pieces(struct iovec *piece, unsigned n, size_t *ret_done)
{
	struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};
	ssize_t len = 0;

	*ret_done = 0;
	for (;;) {
		for (; n > 0 && (size_t)len >= piece->iov_len; piece++, n--)
			len -= (ssize_t)piece->iov_len;
		if (n == 0)
			return 0;
		piece->iov_base = (char *)piece->iov_base + len;
		piece->iov_len -= (size_t)len;
		len = writev(STDOUT_FILENO, piece, (int)n);
		if (len < 0) {
			len = 0;
			/* Somebody may have made our terminal non-blocking. */
			if (errno == EAGAIN && stop_poll(&out, 1, -1) > 0)
				continue;
			if (errno != EINTR || stop_signal())
				return errno;
		}
		*ret_done += (size_t)len;
	}
}

/* Fills the pieces of an item; false: no memory. */
static bool
item_pieces(const qb_item *item, enum items_format format, struct iovec piece[2],
	    char **ret_json)
{
	*ret_json = NULL;
	piece[0].iov_base = (void *)(uintptr_t)qb_item_body(item);
	piece[0].iov_len = qb_item_size(item);
	piece[1].iov_base = (void *)(uintptr_t) "\n";
	piece[1].iov_len = format == ITEMS_RAW ? 0 : 1;
	if (format != ITEMS_JSON)
		return true;
	*ret_json = item_json(item);
	piece[0].iov_base = *ret_json;
	piece[0].iov_len = *ret_json ? strlen(*ret_json) : 0;
	return *ret_json != NULL;
}

static int
write_slice(qb_item *const *items, unsigned n, enum items_format format,
	    unsigned *ret_written)
{
	struct iovec pieces[2 * SLICE];
	size_t ends[SLICE], all = 0, done;
	char *json[SLICE];
	unsigned ready;
	int error = 0, failed;

	for (ready = 0; ready < n; ready++) {
		struct iovec *piece = &pieces[2 * ready];

		if (!item_pieces(items[ready], format, piece, &json[ready])) {
			error = ENOMEM;
			break;
		}
		all += piece[0].iov_len + piece[1].iov_len;
		ends[ready] = all;
	}
	failed = write_pieces(pieces, 2 * ready, &done);
	for (*ret_written = 0; *ret_written < ready; ++*ret_written) {
		if (ends[*ret_written] > done)
			break;
	}
	for (unsigned i = 0; i < ready; i++)
		free(json[i]);
	return failed ? failed : error;
}

int
items_write(qb_item *const *items, unsigned n, enum items_format format,
	    unsigned *ret_written)
{
	unsigned slice, written;
	int error = 0;

	for (*ret_written = 0; *ret_written < n && !error; *ret_written += written) {
		slice = n - *ret_written < SLICE ? n - *ret_written : SLICE;
		error = write_slice(items + *ret_written, slice, format, &written);
	}
	return error;
}
