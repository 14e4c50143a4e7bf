/* SPDX-License-Identifier: MIT
 *
 * libqbroker: named queues that processes share, held by the broker qbrokerd.
 *
 *	qb *q;
 *	if (qb_open(NULL, &q) != QB_OK)		// $QBROKER_ADDR, or the system's broker
 *		...
 *	qb_put(q, "jobs", "hello", 5, QB_FOREVER, NULL);
 *
 *	qb_item *item;
 *	if (qb_get(q, "jobs", QB_FOREVER, QB_MANUAL, &item) == QB_OK) {
 *		work(qb_item_body(item), qb_item_size(item));
 *		qb_ack(q, item);		// task_done, for this very item
 *		qb_item_free(item);
 *	}
 *	qb_join(q, "jobs", QB_FOREVER);
 *	qb_close(q);
 *
 * The calls are those of Python's queue.Queue (docs.python.org/3/library/queue.html):
 * put and get wait in the broker, join waits until every item that was put has been
 * finished.
 *
 * Handles. A `qb` is one client session over one connection. It is opened at the first
 * need. When it is lost the session goes on over another one: calls that wait connect
 * again, with pauses that grow, until their own timeout is over, but for a second at least (those without a
 * timeout: 10 s), and what is left of the timeout they wait for then; and
 * everything that has no answer, also pipelined puts, started requests and
 * acknowledgements, is sent again and has exactly one effect. Items that the session holds stay its own. That works
 * for as long as the broker keeps the session, resume_grace (10 s) by default. Later, items are back
 * in their queues and QB_STALE here; gets and joins are simply done again; and of puts
 * and acknowledgements that may have been carried out nobody knows: QB_LOST. A broker that was started
 * anew has new queues: what waits there is sent to it, a put too.
 *
 * Threads. The library has no globals, starts no threads, touches no signals (writes
 * use MSG_NOSIGNAL). One handle must be used by one thread at a time; different handles
 * are independent.
 *
 * fork(). After a fork the child may go on using the handle: its first call drops the
 * inherited connection, without a word to the broker and without disturbing the
 * parent's, and opens its own, as a new session. Requests that were outstanding belong
 * to the parent alone; their callbacks are not called in the child. An item that the
 * parent got can be read by the child, but finishing it is QB_STALE. A child that never
 * calls the library needs to do nothing; sockets are close-on-exec.
 *
 * Timeouts are in milliseconds, 0 (do not wait) to QB_FOREVER; a negative one is
 * QB_INVALID before anything is sent. The broker watches over them. When it does not
 * answer within 10 s after a timeout, or for requests that do not wait within 30 s, the
 * call returns QB_LOST; the time counts from when the request has been sent, and a
 * large body may take its time as long as it moves. When a first connection cannot be made
 * within 10 s, or the timeout if that is longer, it is QB_NO_BROKER; when there is no other one in a
 * call's time (see above), QB_NO_BROKER if nothing of it had been sent, and QB_LOST if something
 * had. When nobody listens at all, a first connection fails at
 * once, and so does a call that finds the connection lost, has no timeout and nothing outstanding.
 *
 * Memory. Strings and bodies that are passed in are used during the call only, unless
 * it says otherwise. Pointers that a function returns belong to the object that they
 * came from and live as long as it does.
 */
#ifndef QBROKER_H
#define QBROKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QB_FOREVER   INT64_MAX
#define QB_MAX_BATCH 1000 /* items in one call for many */

/* What a call says. Positive: the broker's answer, with the number that it has on the
 * wire (PROTOCOL.md). Negative: the library's own. */
typedef enum qb_result {
	QB_OK = 0,
	QB_EMPTY = 1,	    /* get, peek: no item in time (queue.Empty) */
	QB_FULL = 2,	    /* put: no room in time (queue.Full) */
	QB_TIMEOUT = 3,	    /* join: unfinished items were left */
	QB_SHUT_DOWN = 4,   /* queue.ShutDown */
	QB_CANCELLED = 5,   /* ended by qb_cancel(); put: with its group */
	QB_NOT_FOUND = 6,   /* no such queue, or no such waiting request */
	QB_MISMATCH = 7,    /* declare: the queue has another value of an option */
	QB_STALE = 8,	    /* the item is not (or no more) leased to this session */
	QB_NOT_LEASED = 9,  /* task_done called too many times (Python's ValueError) */
	QB_TOO_BIG = 10,    /* the item is larger than the broker or the queue allows */
	QB_INVALID = 11,    /* an argument is out of range; qb_error() names it */
	QB_UNKNOWN_OP = 12, /* the broker is older than the library */
	QB_LIMIT = 13,	    /* too many queues, waiting requests or connections */
	QB_NO_MEMORY = 14,  /* here or in the broker; nothing was changed */
	QB_NOT_EMPTY =
		15,	 /* delete, and declare of another order: the queue is in use */
	QB_DENIED = 16,	 /* also: no permission to open the broker's socket */
	QB_DELETED = 17, /* the queue was deleted while the request waited */
	QB_STOPPING = 18,  /* the broker is stopping */
	QB_MALFORMED = 19, /* the other end does not speak this protocol */
	QB_BAD_STATE = 20,
	QB_VERSION = 21,
	QB_DUPLICATE = 22, /* put: the key of the item is taken */
	QB_STALLED = 23,   /* join: nobody works on what is ready */
	QB_DEAD = 24,	   /* join: items died */
	QB_NOSPACE = 25,   /* put: the queue is durable, and the broker's disk has no
			      room; as QB_FULL, a later try may succeed */
	QB_NO_BROKER = -1, /* nobody listens at the address, or it cannot be reached */
	QB_LOST = -2,  /* the connection was lost, and what became of the request is not
			 known */
	QB_AGAIN = -3, /* qb_wait(): the time is over and requests are outstanding */
} qb_result;

typedef enum qb_ack_mode {
	QB_MANUAL = 0, /* the caller finishes the item: qb_ack() or qb_task_done() */
	QB_AUTO = 1,   /* the library finishes it as soon as the whole body is here: one
			  more write, no round trip */
	QB_NONE = 2,   /* finished as soon as the broker sends it: it is lost if this
			  process dies before it is read */
} qb_ack_mode;

/* How long an item keeps its key, and what becomes of a put whose key is taken:
 * qb_put_options_set_key(). */
typedef enum qb_unique {
	QB_UNFINISHED = 0, /* until it is finished */
	QB_QUEUED = 1,	   /* while it waits: another may be put once it was given */
} qb_unique;

typedef enum qb_on_duplicate {
	QB_IGNORE = 0, /* QB_OK, with the id of the item that has the key */
	QB_REJECT = 1, /* QB_DUPLICATE */
	QB_REPLACE =
		2, /* the same as QB_IGNORE, and that item gets the new body and ctype;
			   QB_DUPLICATE if it does not wait any more */
} qb_on_duplicate;

typedef struct qb qb;
typedef struct qb_item qb_item;
typedef struct qb_buffer qb_buffer;
typedef struct qb_table qb_table;
typedef struct qb_put_options qb_put_options;
typedef struct qb_get_options qb_get_options;

/* The name of a result ("FULL"), and a sentence about it. Static storage; never NULL.
 */
const char *qb_result_name(qb_result result);
const char *qb_result_text(qb_result result);

/* The version of the library, as "1.2.3". */
const char *qb_version(void);

/* --- the handle ------------------------------------------------------------------ */

/* Opens a handle and connects. `address`: "unix:/path", "tcp://host:port",
 * "tcp://[::1]:port"; NULL stands for the environment's QBROKER_ADDR, and if that is
 * unset or empty for QB_DEFAULT_ADDRESS. On QB_OK *ret is a handle for qb_close(). On
 * QB_NO_BROKER, QB_DENIED, QB_LOST and whatever the broker refuses the connection with
 * (QB_LIMIT, QB_STOPPING, QB_VERSION, ...) too, so that qb_error() can say what
 * happened and a later call can try again. On QB_INVALID (the address) and QB_NO_MEMORY
 * it is NULL. */
#define QB_DEFAULT_ADDRESS "unix:/run/qbroker/qbrokerd.sock"
qb_result qb_open(const char *address, qb **ret);

/* Waits at most `timeout_ms` until every outstanding put is confirmed, ends the session
 * in order (items that it holds go back to their queues) and frees the handle, always.
 * Anything but QB_OK says that some puts were refused or are not known to have been
 * accepted: the result is the first failure's. In a forked child that inherited the
 * handle and has not used it, only frees. NULL is allowed. */
qb_result qb_close_wait(qb *q, int64_t timeout_ms);

/* qb_close_wait() with 10 s, for callers that have no use for the result. */
void qb_close(qb *q);

/* The sentence of the last call on this handle that was not QB_OK; "" before. Valid
 * until the next call. */
const char *qb_error(const qb *q);

/* The name that the broker shows for this client, at most 255 bytes (longer:
 * QB_INVALID); it takes effect at the next connect, so call it before the first use. By
 * default the name of the program. */
qb_result qb_set_name(qb *q, const char *name);

/* The address that the handle connects to. */
const char *qb_address(const qb *q);

/* A round trip to the broker. */
qb_result qb_ping(qb *q);

/* The broker's name and version ("qbrokerd/0.1.0") and the largest item it takes; ""
 * and 0 while not connected. */
const char *qb_server(const qb *q);
uint64_t qb_max_item(const qb *q);

/* --- put ------------------------------------------------------------------------- */

/* Puts one item of `len` bytes. Waits while the queue is full, or, of a durable queue, the journal
 * has to be cleaned first. QB_OK: the broker has
 * it, and its id is in *ret_id unless that is NULL. QB_FULL, QB_NOSPACE, QB_SHUT_DOWN,
 * QB_TOO_BIG, QB_INVALID, QB_LIMIT, QB_DELETED, … : it was not accepted. QB_LOST: unknown. */
qb_result qb_put(qb *q, const char *queue, const void *body, size_t len,
		 int64_t timeout_ms, uint64_t *ret_id);

/* The same with a content type for the consumer, 0 to 255, which means nothing to the
 * broker. */
qb_result qb_put_typed(qb *q, const char *queue, uint8_t ctype, const void *body,
		       size_t len, int64_t timeout_ms, uint64_t *ret_id);

/* What a put may say of its items. A set of options can be used for any number of puts,
 * also on several handles, and be changed between them. NULL from _new(): no memory; NULL
 * for _free() is allowed.
 *   ctype     as above
 *   priority  lower comes first, in a queue with order=priority; 0 by default
 *   delay     nobody is given the item before so many milliseconds have passed
 *   at        the same, until a moment of the wall clock, in milliseconds since 1970, as the
 *             broker's host reads it when the put comes; a later step of the clock changes
 *             nothing. Of delay and at the one that was set last counts
 *   ttl       when so many milliseconds have passed and nobody holds the item, it is dropped,
 *             delayed or not, and counted as expired
 *   keep      what is dropped so is dead instead, and kept (qb_show()); 0 by default
 *   group     the item is of this group of the queue, to be joined and cancelled together; NULL:
 *             of none. The name is copied; it is as a queue's, else the put is QB_INVALID
 *   key       no other put may have this key of the queue while the item has it, at most one item
 *             in a call: with many it is QB_INVALID. NULL: none. The name is copied, as a group's
 *   unique    how long it has it; QB_UNFINISHED by default
 *   window    it has it for so many milliseconds from when it is accepted, whatever becomes of it;
 *             alone, or as long as `unique` says if that was set too
 *   on_duplicate  what becomes of the put if the key is taken; QB_IGNORE by default
 * These times begin when the broker has the whole put. One that is negative or beyond 2^53,
 * or a ttl of 0, makes the put QB_INVALID. Delayed items count for maxsize and for join. */
qb_put_options *qb_put_options_new(void);
void qb_put_options_free(qb_put_options *options);
void qb_put_options_set_ctype(qb_put_options *options, uint8_t ctype);
void qb_put_options_set_priority(qb_put_options *options, int32_t priority);
void qb_put_options_set_delay(qb_put_options *options, int64_t delay_ms);
void qb_put_options_set_at(qb_put_options *options, int64_t at_ms);
void qb_put_options_set_ttl(qb_put_options *options, int64_t ttl_ms);
void qb_put_options_set_keep(qb_put_options *options, int keep);
void qb_put_options_set_group(qb_put_options *options, const char *group);
void qb_put_options_set_key(qb_put_options *options, const char *key);
void qb_put_options_set_unique(qb_put_options *options, qb_unique unique);
void qb_put_options_set_window(qb_put_options *options, int64_t window_ms);
void qb_put_options_set_on_duplicate(qb_put_options *options,
				     qb_on_duplicate on_duplicate);

/* The puts of this header with options, which may be NULL. */
qb_result qb_put_with(qb *q, const char *queue, const qb_put_options *options,
		      const void *body, size_t len, int64_t timeout_ms,
		      uint64_t *ret_id);
qb_result qb_put_many_with(qb *q, const char *queue, const qb_put_options *options,
			   const struct iovec *bodies, unsigned n, int atomic,
			   int64_t timeout_ms, int64_t *ret_ids);
qb_result qb_put_start_with(qb *q, const char *queue, const qb_put_options *options,
			    const void *body, size_t len);

/* Memory for one large item, which is handed over instead of being copied when the broker is on
 * this host (a Unix socket), and read by its consumer where it was written; but the first ones that
 * come over a connection are copied, for only then are others asked for. NULL: no memory. The
 * memory is all zero, its address that of a page. */
qb_buffer *qb_buffer_new(size_t size);
void *qb_buffer_data(qb_buffer *buffer);
size_t qb_buffer_size(const qb_buffer *buffer);
void qb_buffer_free(qb_buffer *buffer); /* NULL is allowed */

/* Puts what is in the buffer, as qb_put_with(). QB_OK: the buffer is gone, it must not be used any
 * more. Else it is still the caller's, to be put again, also on another handle, or to be freed.
 * From this call on its memory must only be read, in all processes, whatever the result: it
 * is write-protected as soon as it has been handed over once. Below 128 KiB, over TCP, when
 * another process still has it mapped (a forked child), and when the broker has too many
 * already, the bytes are copied. */
qb_result qb_put_buffer(qb *q, const char *queue, const qb_put_options *options,
			qb_buffer *buffer, int64_t timeout_ms, uint64_t *ret_id);

/* Whether the last put of one item on this handle that was QB_OK put nothing, because its key was
 * taken: the id is that of the item that has it. Not of pipelined and started puts. */
int qb_was_duplicate(const qb *q);

/* Puts 1 to QB_MAX_BATCH items of together at most 16 MiB, in order. `ret_ids` may be
 * NULL; else it has room for `n` entries: an item's id (> 0), or the negated qb_result
 * that refused it. Without `atomic`: QB_OK when all were accepted, else the result that
 * refused the first of those that were not. With `atomic` all are accepted, or none. */
qb_result qb_put_many(qb *q, const char *queue, const struct iovec *bodies, unsigned n,
		      int atomic, int64_t timeout_ms, int64_t *ret_ids);

/* Puts without waiting for the confirmation: the pipelined put. The body is the
 * caller's again when the call returns. While the queue is full the put waits in the
 * broker, for ever. Up to the handle's window of puts (qb_set_window()) may be
 * outstanding; at the bound the call waits until a part of it is free. Data is sent
 * when enough has gathered, and by every other call. Small puts that follow each other into
 * one queue share a request (PUT_MANY): they are confirmed together.
 *
 * A put that the broker refuses, or that is lost, is reported once: by the
 * next qb_put_start() or qb_flush(), or by qb_close_wait(), as their result;
 * qb_failed_puts() counts them. So a result other than QB_OK is about earlier puts, or
 * an argument, or there is no broker: this item has not been put. Never loses silently:
 * at exit, call qb_close_wait(). */
qb_result qb_put_start(qb *q, const char *queue, const void *body, size_t len);

/* Waits until every pipelined put is confirmed. QB_OK: all those since the last report
 * were accepted; else the first failure's result. QB_FULL with "puts are still
 * outstanding" in qb_error(): the timeout ran out first; they go on. */
qb_result qb_flush(qb *q, int64_t timeout_ms);

/* For how many microseconds a call looks for its answer before it sleeps, if answers have come so
 * soon lately: 0 (never) to 10000; 100 by default. To be woken takes longer than an answer, in a
 * virtual machine many times as long. Calls that wait for longer sleep at once. Where other
 * processes want the processor all do, but while they are answered sooner than one could sleep. */
qb_result qb_set_busy_poll(qb *q, unsigned us);

/* How many pipelined puts may be outstanding: 1 to 65536; 256 by default. */
qb_result qb_set_window(qb *q, unsigned window);

unsigned qb_outstanding_puts(const qb *q); /* pipelined puts that have no answer yet */
uint64_t qb_failed_puts(
	const qb *q); /* pipelined puts that were refused or lost, since qb_open() */

/* --- get ------------------------------------------------------------------------- */

/* Gets the next item, which the caller frees with qb_item_free(). Waits while there is
 * none. QB_EMPTY, QB_SHUT_DOWN, QB_INVALID, QB_LIMIT, QB_DELETED, … : there is no item,
 * and *ret is NULL. QB_LOST: an item that was on its way goes to another consumer. With
 * QB_NONE an item is lost if the connection is, while it is on its way. */
qb_result qb_get(qb *q, const char *queue, int64_t timeout_ms, qb_ack_mode ack,
		 qb_item **ret);

/* Gets 1 to `max_items` (at most QB_MAX_BATCH) items into the array `ret_items`; their
 * number is in *ret_n. Waits until `min_items` (1 to max_items) are there or the
 * timeout runs out, and then takes what there is; once they are there, at most
 * `linger_ms` longer for `max_items`. `max_bytes`: of all bodies together, 0 for the
 * broker's 16 MiB; the first item comes whatever its size. */
qb_result qb_get_many(qb *q, const char *queue, int64_t timeout_ms, qb_ack_mode ack,
		      unsigned max_items, unsigned min_items, uint64_t max_bytes,
		      int64_t linger_ms, qb_item **ret_items, unsigned *ret_n);

/* What a get may say of its leases. A set of options can be used for any number of gets, also
 * on several handles, and be changed between them. NULL from _new(): no memory; NULL for
 * _free() is allowed.
 *   lease  the lease ends after so many milliseconds: unless it was finished or touched
 *          (qb_touch()) before, the item is back in its queue then, for others, and
 *          finishing it is QB_STALE. 0 (the default): as the queue's lease_ms says;
 *          QB_FOREVER: without an end, whatever the queue says
 * A lease that is negative makes the get QB_INVALID. With QB_AUTO and QB_NONE it means little,
 * or nothing. */
qb_get_options *qb_get_options_new(void);
void qb_get_options_free(qb_get_options *options);
void qb_get_options_set_lease(qb_get_options *options, int64_t lease_ms);

/* The gets of this header with options, which may be NULL. */
qb_result qb_get_with(qb *q, const char *queue, const qb_get_options *options,
		      int64_t timeout_ms, qb_ack_mode ack, qb_item **ret);
qb_result qb_get_many_with(qb *q, const char *queue, const qb_get_options *options,
			   int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
			   unsigned min_items, uint64_t max_bytes, int64_t linger_ms,
			   qb_item **ret_items, unsigned *ret_n);

/* Gets an item from one of 1 to 64 queues, all different; *ret_which (may be NULL) is the place
 * in the array of the queue that gave, from 0. `options` may be NULL.
 *   QB_STRICT       the first queue that has an item
 *   QB_ROUND_ROBIN  the first behind the queue that gave to this session's last such get, so
 *                   that none starves
 * While none has an item it waits for all of them at once, for each at the place of its arrival.
 * QB_SHUT_DOWN: all of them are, and have nothing left; one of them is left out. QB_DELETED: one
 * was deleted meanwhile. Else as qb_get(). */
typedef enum qb_any_mode { QB_STRICT = 0, QB_ROUND_ROBIN = 1 } qb_any_mode;

qb_result qb_get_any(qb *q, const char *const *queues, unsigned n, qb_any_mode mode,
		     const qb_get_options *options, int64_t timeout_ms, qb_ack_mode ack,
		     qb_item **ret, unsigned *ret_which);

/* The item that the next get would be given, left where it is. It is not leased, so
 * finishing it is QB_STALE. QB_EMPTY. */
qb_result qb_peek(qb *q, const char *queue, qb_item **ret);

const void *qb_item_body(
	const qb_item *item); /* never NULL; followed by a 0 byte that is not counted; of
				 what was put from a qb_buffer, memory that is shared
				 with others and cannot be written to */
size_t qb_item_size(const qb_item *item);
uint64_t qb_item_id(const qb_item *item);
uint32_t qb_item_deliveries(
	const qb_item *item); /* above 1: it may have been worked on before */

/* How its attempts failed: holders that died, that gave it back as failed (qb_nack()), whose
 * lease ran out. Each stops counting at 65535. */
uint32_t qb_item_crashes(const qb_item *item);
uint32_t qb_item_nacks(const qb_item *item);
uint32_t qb_item_timeouts(const qb_item *item);
uint8_t qb_item_ctype(const qb_item *item);
int32_t qb_item_priority(const qb_item *item);
int64_t qb_item_lease(const qb_item *item); /* how many milliseconds it was leased for;
					       QB_FOREVER: without an end */
const char *qb_item_group(const qb_item *item); /* NULL: it is of none */

/* Frees the memory here; the lease in the broker stays. NULL is allowed. Any thread may do so, also after
 * qb_close(). Small items that came together share memory, so one that is kept for long keeps up to 16 KiB. */
void qb_item_free(qb_item *item);

/* --- finishing ------------------------------------------------------------------- */

/* Finishes an item that was got with QB_MANUAL. QB_STALE: it is no lease of this
 * session, or not any more. */
qb_result qb_ack(qb *q, const qb_item *item);

/* The same without waiting for the answer: it travels with the next call's request, or
 * with qb_send(). If the session is lost before, the item comes back and is
 * delivered again. */
qb_result qb_ack_start(qb *q, const qb_item *item);

/* Finishes 1 to QB_MAX_BATCH items, each on its own. QB_STALE when some were;
 * qb_error() says how many. */
qb_result qb_ack_many(qb *q, qb_item *const *items, unsigned n);

/* Finishes the oldest item of the queue that this session holds, as Queue.task_done()
 * of Python does. QB_NOT_LEASED: called more often than there were items (Python's
 * ValueError). */
qb_result qb_task_done(qb *q, const char *queue);

/* Gives an item back, unworked, to its original place in the queue. QB_STALE. */
qb_result qb_release(qb *q, const qb_item *item);

/* Gives an item back as failed: it counts as an attempt. If that was one too many (the queue's
 * max_attempts) it is dead, else it is in its original place again, or with `tail` at the end
 * of the queue, as if it had been put now; first it is delayed for `delay_ms`, 0 to QB_FOREVER,
 * or with QB_RETRY for as long as the queue says (retry_delay_ms and so on). `error` says what
 * went wrong and is kept with the item (qb_item_error() of one that is shown); NULL: nothing. Of more than
 * 4096 bytes the last are sent. QB_STALE. */
#define QB_RETRY (-1)
qb_result qb_nack(qb *q, const qb_item *item, int64_t delay_ms, const char *error,
		  int tail);

/* Gives an item up: it is dead at once, for this reason; `error` as above. QB_STALE. */
qb_result qb_bury(qb *q, const qb_item *item, const char *error);

/* Replaces the body of an item, with its content type, and gives it back to its original place,
 * unworked: same id, no attempt counted. So one item in a queue of its own is a value that
 * processes share, and whoever holds it has the lock; if the holder dies it is as it was. A
 * larger body needs room: QB_FULL, QB_NOSPACE, at once, or QB_TOO_BIG; the item is held still. One that
 * dies because its end has come meanwhile has the new body, too. QB_STALE. */
qb_result qb_update(qb *q, const qb_item *item, uint8_t ctype, const void *body,
		    size_t len);

/* Has the lease end `lease_ms` from now: later than before, or sooner. 0: as long from now as it
 * was given for (nothing changes if that was without an end); QB_FOREVER: not by itself.
 * *ret_left_ms: what is left of it then, QB_FOREVER without an end; *ret_cancelled: whether the
 * item's group was cancelled meanwhile, so that the work is in vain; both may be NULL.
 * QB_STALE: too late, among others. */
qb_result qb_touch(qb *q, const qb_item *item, int64_t lease_ms, int64_t *ret_left_ms,
		   int *ret_cancelled);

/* Waits until every item of the queue is finished: none ready, none held. QB_TIMEOUT.
 */
qb_result qb_join(qb *q, const char *queue, int64_t timeout_ms);

/* The same for the items of one group of the queue. A group that is not there has none:
 * QB_OK. */
qb_result qb_join_group(qb *q, const char *queue, const char *group,
			int64_t timeout_ms);

/* The same, for a group or, with NULL, for the whole queue, and it tells the truth. QB_STALLED: for
 * `stall_ms` (QB_FOREVER: never mind) items were ready, nobody held one or waited for one, and
 * nothing happened to any; qb_error() has the numbers. *ret_died, which may be NULL: how many
 * items died while it waited; they do not hold it back. If `strict` is not 0, it is QB_DEAD
 * when that is not 0. When the connection is lost meanwhile, those that died before are not counted. */
qb_result qb_join_with(qb *q, const char *queue, const char *group, int64_t timeout_ms,
		       int64_t stall_ms, int strict, uint64_t *ret_died);

/* Cancels a group: its items that wait are dropped, nobody is given one of them any more. Those
 * that are held are marked: they can be finished as ever, but are dropped when they come back. Dead
 * ones can be looked at, but are dropped when they are kicked or moved. Puts into the group that wait
 * end with QB_CANCELLED. The name can be used again at once. *ret_dropped and *ret_held (each may be
 * NULL): how many they were, 0 if there is no such group.
 * QB_NOT_FOUND: there is no such queue. */
qb_result qb_cancel_group(qb *q, const char *queue, const char *group,
			  uint64_t *ret_dropped, uint64_t *ret_held);

/* Moves up to `max_items` (1 to QB_MAX_BATCH) items from the front of the queue into `target`, at one
 * moment: ready ones (state "ready" or NULL), or dead ones ("dead"). There they are new, with new
 * ids, no attempts, no group and no key. Dead ones whose group was cancelled are dropped instead.
 * *ret_count, which may be NULL: how many, with these; fewer, or QB_FULL, if
 * the target has no room, and fewer if bodies of others must first be read from the disk.
 * QB_NOT_FOUND, QB_SHUT_DOWN (the target), QB_INVALID: it is the same. */
qb_result qb_move(qb *q, const char *queue, const char *target, const char *state,
		  unsigned max_items, uint64_t *ret_count);

/* Drops one item of the queue: one that waits, or is dead. QB_NOT_EMPTY: somebody holds it, qb_error()
 * says who; with `force` not 0 it is gone all the same. QB_NOT_FOUND. The broker searches for an item
 * that waits, which takes a while in a queue of millions. */
qb_result qb_delete_item(qb *q, const char *queue, uint64_t id, int force);

/* --- looking at items ------------------------------------------------------------ */

/* Up to 100 items of the queue in this state, behind the first `skip` (0 to QB_MAX_SKIP) of them,
 * without their bodies, as a table for qb_table_free(). "ready": in the order in which they would be
 * given; "dead": those that died first before others; "leased": by holder; "delayed": in no order.
 * Columns: id, deliveries, crashes, nacks, timeouts, priority, ctype, size, age_ms, group, worker,
 * error (its first line); due_ms (delayed), held_ms, client, pid (leased), reason, dead_ms (dead).
 * QB_NOT_FOUND. */
#define QB_MAX_SKIP 10000
qb_result qb_browse(qb *q, const char *queue, const char *state, unsigned skip,
		    qb_table **ret);

/* All items of the queue in this state, with everything that they are, page by page: up to 100 of them as a table
 * for qb_table_free(), and their bodies. `*cursor` is 0 at the beginning, and again at the end; between the pages this handle
 * must begin no other dump. Ready ones come in the order in which they would have to be put again. What is put
 * meanwhile is left out, what comes, goes or changes its state may be missing. Columns: id, size, age_ms, and if
 * they are not 0, or there, deliveries, crashes, nacks, timeouts, priority, ctype, group, key, unique, window_ms,
 * on_duplicate, on_expire, delay_ms, ttl_ms, reason, dead_ms, worker, error (its first line). QB_NOT_FOUND;
 * QB_STALE: the connection was lost, and the dump with it. */
qb_result qb_dump(qb *q, const char *queue, const char *state, uint64_t *cursor,
		  qb_table **ret);

/* The body of an item in such a table, which belongs to the table. NULL: it is too large for a page, qb_look()
 * has it. */
const void *qb_table_body(const qb_table *table, unsigned row, size_t *ret_size);

/* --- dead items ------------------------------------------------------------------ */

/* An item is dead when it failed too often, was buried, or has expired and was to be kept. It
 * does not count for maxsize or join and is given to nobody, until it is kicked, purged, or falls
 * out (the queue's max_dead and dead_ttl_ms). */

/* The dead item with this id, or one that is held, left where it is. QB_NOT_FOUND. */
qb_result qb_show(qb *q, const char *queue, uint64_t id, qb_item **ret);

/* The same for an item wherever in the queue it is. The broker searches for one that waits, which takes
 * a while in a queue of millions. */
qb_result qb_look(qb *q, const char *queue, uint64_t id, qb_item **ret);

/* What is known of an item that is shown; of others these are NULL and -1.
 *   reason  why it died: "attempts", "crashes", "expired" or "buried"; NULL: it is not dead
 *   error   what the last nack or bury said; NULL: nothing
 *   worker  who held it then, or when it died
 *   age     milliseconds since it was accepted
 *   dead    milliseconds since it died
 *   delay   milliseconds until it is ready; -1: it is not delayed
 *   ttl     milliseconds until it expires; -1: it does not */
const char *qb_item_reason(const qb_item *item);
const char *qb_item_error(const qb_item *item);
const char *qb_item_worker(const qb_item *item);
int64_t qb_item_age(const qb_item *item);
int64_t qb_item_dead(const qb_item *item);
int64_t qb_item_delay(const qb_item *item);
int64_t qb_item_ttl(const qb_item *item);

/* Has dead items ready again, in their original places, as if no attempt had failed, and without
 * a time at which they expire: the one with this id (QB_NOT_FOUND), or for id 0 up to `max_items`
 * (1 to QB_MAX_BATCH), those that died first before others. Those whose group was cancelled are
 * dropped instead. *ret_count, which may be NULL: how many, with these. */
qb_result qb_kick(qb *q, const char *queue, uint64_t id, unsigned max_items,
		  uint64_t *ret_count);

/* Drops the dead item with this id (QB_NOT_FOUND), or for id 0 all of the queue. */
qb_result qb_dead_purge(qb *q, const char *queue, uint64_t id, uint64_t *ret_count);

/* --- queues ---------------------------------------------------------------------- */

/* As Queue.qsize(), and the count that join waits for. Each pointer may be NULL.
 * maxsize is <= 0 for no bound. */
qb_result qb_size(qb *q, const char *queue, uint64_t *ret_qsize,
		  uint64_t *ret_unfinished, int64_t *ret_maxsize);

/* Makes a queue. `options` is an array of "name=value" that ends with NULL: "maxsize=N"
 * (<= 0: no bound), "max_bytes=N" (0: no bound), "lease_ms=N" (how long gets lease an
 * item; 0: without an end), "order=fifo", "order=lifo" or
 * "order=priority", "durable=none", "durable=async" or "durable=sync" (what of it outlives the
 * broker: nothing; what was put, if its process ends; also if the machine does); what is not in it, or all when it is NULL, is as the broker's
 * configuration says. If the queue exists, the options must be those it has (QB_MISMATCH
 * names the first that is not), unless `update` is not 0: then they are changed
 * (QB_NOT_EMPTY: the order, while there are unfinished items; whether it is durable, while there
 * are any). QB_INVALID: also what is durable, if the broker can keep nothing. What is given is the queue's
 * own from then on, whatever the broker's configuration says. *ret_created (may be
 * NULL): whether it was made. */
qb_result qb_declare(qb *q, const char *queue, const char *const *options, int update,
		     int *ret_created);

/* Removes a queue. QB_NOT_EMPTY: it has unfinished items or waiting requests, and
 * `force` is 0; else its items are gone, those that are held too, and what waits ends
 * with QB_DELETED. QB_NOT_FOUND. */
qb_result qb_delete(qb *q, const char *queue, int force);

/* Drops the items that wait; those that are held stay. *ret_count (may be NULL): how
 * many there were. QB_NOT_FOUND. */
qb_result qb_purge(qb *q, const char *queue, uint64_t *ret_count);

/* As Queue.shutdown() of Python 3.13: puts, also those that wait, are QB_SHUT_DOWN,
 * gets are served while there are items and QB_SHUT_DOWN then. If `immediate` is not 0
 * the items that wait are dropped, and so are those that are held and come back. Makes
 * the queue when there is none. */
qb_result qb_shutdown(qb *q, const char *queue, int immediate);

/* Undoes a shutdown. QB_NOT_FOUND. */
qb_result qb_reopen(qb *q, const char *queue);

/* Pauses a queue, if `in` is not 0 for puts, if `out` is not 0 for gets; the other way
 * stays as it is. Puts wait then as if it were full, gets as if it were empty, and those
 * that may not wait are QB_FULL or QB_EMPTY. Items that are held can be finished and come
 * back. qb_resume() lets those who wait go on, in their order. QB_NOT_FOUND. */
qb_result qb_pause(qb *q, const char *queue, int in, int out);
qb_result qb_resume(qb *q, const char *queue, int in, int out);

/* Pauses the queue for puts, and waits until nothing that it has is unfinished.
 * QB_TIMEOUT; the queue stays paused in any case. */
qb_result qb_drain(qb *q, const char *queue, int64_t timeout_ms);

/* --- tables: rows of named values, for administration ---------------------------- */

/* One row for each queue, in the order in which they were made; with a name, for that
 * queue alone (QB_NOT_FOUND). One row about the broker. PROTOCOL.md (QUEUES, STATS)
 * names the columns. The caller frees the table. */
qb_result qb_queues(qb *q, const char *queue, qb_table **ret);
qb_result qb_stats(qb *q, qb_table **ret);

/* For whoever wants to know why nothing moves; PROTOCOL.md (CLIENTS, WAITERS, WHO) names the
 * columns. One row for each session of a client; for each request that waits, in one
 * queue or in all (NULL), those who wait longest first, also for the journal of durable queues; for the lease of an item (QB_NOT_FOUND:
 * nobody holds it; qb_error() says what is known). A value that is not known is not there. */
qb_result qb_clients(qb *q, qb_table **ret);
qb_result qb_waiters(qb *q, const char *queue, qb_table **ret);
qb_result qb_who(qb *q, uint64_t id, qb_table **ret);
/* One row for each option of the queue: `option`, `value`, and `source`, where the value comes
 * from; of a queue that does not exist, what it would have. */
qb_result qb_policy(qb *q, const char *queue, qb_table **ret);

/* For whoever copies the journal of durable queues while the broker runs, as qbrokerctl does: one row,
 * with `dir` and `inode` of its folder, and what a copy of it as it is now needs: the segments `first` to `last`,
 * and of the last one `last_bytes`, which end with the record `last_record`. They stay until qb_backup_end(), or the connection is lost: when that is
 * QB_NOT_FOUND, the copy is worth nothing. QB_DENIED: only for root and the broker's user, over a Unix
 * socket; QB_LIMIT: somebody else does it. */
qb_result qb_backup_begin(qb *q, qb_table **ret);
qb_result qb_backup_end(qb *q);

/* Has the broker read its configuration again: one row, with the options that have `changed`, and those that wait for
 * a restart (`after_restart`). QB_INVALID: it cannot be applied, and nothing has changed; qb_error() says why.
 * QB_DENIED: as above. */
qb_result qb_reload(qb *q, qb_table **ret);

/* The same rows of the items of a queue that are held, at most 100, those that have been held for
 * longest first. QB_NOT_FOUND: there is no such queue. */
qb_result qb_holders(qb *q, const char *queue, qb_table **ret);

unsigned qb_table_rows(const qb_table *table);

/* A value by row and name: a number into *ret (1: there is one, 0: no such number), or
 * a string (NULL: no such string). */
int qb_table_number(const qb_table *table, unsigned row, const char *name,
		    int64_t *ret);
const char *qb_table_string(const qb_table *table, unsigned row, const char *name);

/* The name of the i-th value of a row, NULL behind the last: to walk over whatever is
 * there. */
const char *qb_table_name(const qb_table *table, unsigned row, unsigned i);
void qb_table_free(qb_table *table);

/* --- in an event loop ------------------------------------------------------------ */

/* A request that was started is finished by a call of its callback, exactly once, from
 * within qb_process(), qb_wait(), qb_send() or any call on the handle that may wait.
 * `item` is the callback's to free (get only, and only with QB_OK). `id` is that of the
 * item that was put; of qb_start_get_any() the place of the queue that gave. qb_error() has the sentence when the result is not QB_OK. Requests stay
 * outstanding while the connection is lost. When the session cannot be resumed, those that may have
 * been carried out are finished with QB_LOST, as all are when the handle is closed; all with
 * QB_MALFORMED when the broker broke the protocol. The callback may start and
 * cancel requests (QB_LOST when there is no session any more: it cannot wait for a
 * new one); calls that may wait are QB_BAD_STATE in it, also closing the handle. */
typedef void qb_done(qb *q, uint64_t request, qb_result result, uint64_t id,
		     qb_item *item, void *arg);

/* Starts a request. *ret_request, which may be NULL, is for qb_cancel(). Bodies are
 * copied. Nothing is sent before qb_send(), qb_process(), qb_wait() or a blocking call,
 * or until enough has gathered. Gets that may wait and follow each other share a request
 * (GET_RUN), which goes after puts and acks that are started later. */
qb_result qb_start_put(qb *q, const char *queue, const void *body, size_t len,
		       int64_t timeout_ms, qb_done *done, void *arg,
		       uint64_t *ret_request);
qb_result qb_start_get(qb *q, const char *queue, int64_t timeout_ms, qb_ack_mode ack,
		       qb_done *done, void *arg, uint64_t *ret_request);
qb_result qb_start_ack(qb *q, const qb_item *item, qb_done *done, void *arg,
		       uint64_t *ret_request);
qb_result qb_start_get_with(qb *q, const char *queue, const qb_get_options *options,
			    int64_t timeout_ms, qb_ack_mode ack, qb_done *done,
			    void *arg, uint64_t *ret_request);
qb_result qb_start_get_any(qb *q, const char *const *queues, unsigned n,
			   qb_any_mode mode, const qb_get_options *options,
			   int64_t timeout_ms, qb_ack_mode ack, qb_done *done,
			   void *arg, uint64_t *ret_request);
qb_result qb_start_touch(qb *q, const qb_item *item, int64_t lease_ms, qb_done *done,
			 void *arg, uint64_t *ret_request);
qb_result qb_start_join(qb *q, const char *queue, int64_t timeout_ms, qb_done *done,
			void *arg, uint64_t *ret_request);

/* The same of many: who has two or three of these outstanding, and starts the next one in the
 * callback, never waits for a round trip. Bodies are kept until their put is answered, whatever is
 * outstanding, so it is the caller who bounds that. A callback is called as a qb_done, with the
 * results of qb_put_many() and qb_get_many(); the arrays are valid during the call.
 *   ids    what became of each of the `n` items that were put, as in qb_put_many(). NULL when that is
 *          not known of each: all were refused together (with `atomic`, say), or it is QB_LOST
 *   items  the `n` items that were got, each the callback's to free; none unless it is QB_OK */
typedef void qb_put_many_done(qb *q, uint64_t request, qb_result result,
			      const int64_t *ids, unsigned n, void *arg);
typedef void qb_get_many_done(qb *q, uint64_t request, qb_result result,
			      qb_item *const *items, unsigned n, void *arg);

/* The arguments are those of qb_put_many_with() and qb_get_many_with(). */
qb_result qb_start_put_many(qb *q, const char *queue, const qb_put_options *options,
			    const struct iovec *bodies, unsigned n, int atomic,
			    int64_t timeout_ms, qb_put_many_done *done, void *arg,
			    uint64_t *ret_request);
qb_result qb_start_get_many(qb *q, const char *queue, const qb_get_options *options,
			    int64_t timeout_ms, qb_ack_mode ack, unsigned max_items,
			    unsigned min_items, uint64_t max_bytes, int64_t linger_ms,
			    qb_get_many_done *done, void *arg, uint64_t *ret_request);

/* A lease ends in `left_ms` milliseconds, unless it is touched: that of the item with this
 * id and number of deliveries, which this session holds. */
typedef void qb_lease_ending(qb *q, uint64_t id, uint32_t deliveries, int64_t left_ms,
			     void *arg);

/* Has the function called shortly before a lease runs out, once for each time that it was given or
 * extended. It is called like a request's callback, from within calls that read from the
 * connection, and may do the same; who works for long without a call hears of it
 * afterwards. NULL: no more. */
qb_result qb_on_lease_ending(qb *q, qb_lease_ending *ending, void *arg);

/* Something that happened in the broker; valid during the call that tells it. Its name:
 *   crashed, timed_out        an item is back in its queue: the session that held it was lost, or
 *                             its lease ran out
 *   dead                      an item is dead
 *   full                      a put began to wait at a queue where none had waited
 *   stalled                   a join ended with QB_STALLED
 *   shutdown, reopened, paused, resumed   what was done to a queue
 *   client_lost, client_resumed, client_died   the connection of a client, or its session
 *   lost                      count events were not told; 0: nobody knows how many
 * There may be others. Queue, worker and client are NULL, id, deliveries, pid and count 0, where they do not
 * apply. `at`: milliseconds since 1970 by the broker's clock, 0: unknown. */
typedef struct qb_event qb_event;
const char *qb_event_name(const qb_event *event);
const char *qb_event_queue(const qb_event *event);
const char *qb_event_worker(const qb_event *event); /* "name (pid 123)": who held the item last */
const char *qb_event_client(const qb_event *event);
int64_t qb_event_at(const qb_event *event);
uint64_t qb_event_id(const qb_event *event); /* of the item */
uint32_t qb_event_deliveries(const qb_event *event);
uint64_t qb_event_pid(const qb_event *event); /* of the client */
uint64_t qb_event_count(const qb_event *event);

typedef void qb_watching(qb *q, const qb_event *event, void *arg);

/* Has the function called for what happens from now on at a queue, or, with NULL, at all queues and
 * to the clients: like a request's callback, from within calls that read from the connection. Call
 * qb_process() when qb_fd() is readable. Who reads too slowly loses events, and is
 * told. It goes on over a new connection. `watching` NULL: no more. */
qb_result qb_watch(qb *q, const char *queue, qb_watching *watching, void *arg);

/* Ends the wait of a started request: its callback is called with QB_CANCELLED, or with
 * its result if that was on the way. Does not wait for it. QB_NOT_FOUND: no such
 * request is outstanding. */
qb_result qb_cancel(qb *q, uint64_t request);

/* For the caller's poll(): the descriptor (-1 while there is no connection; it changes
 * with a reconnect, so ask each time) and the poll events to wait for. */
int qb_fd(const qb *q);
short qb_events(const qb *q);

/* Reads and writes what is possible without waiting and calls the callbacks of what is
 * finished. Call it when poll() reports any event for the descriptor. When the connection is
 * lost it makes another one if that is possible at once (within 1 s). QB_LOST: it was not; the
 * requests stay outstanding. Call it again after a while, or any other function. */
qb_result qb_process(qb *q);

/* Writes what has gathered, as far as it goes without waiting. */
qb_result qb_send(qb *q);

/* qb_process() in a loop, until no request that was started is outstanding (QB_OK), or
 * the timeout runs out (QB_AGAIN). */
qb_result qb_wait(qb *q, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
