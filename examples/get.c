/* SPDX-License-Identifier: MIT
 * get QUEUE: prints every item, a line each, until the queue is empty for a second. An
 * item is finished once it has been printed: when this program is killed before,
 * another gets it. */
#include <qbroker.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	qb_item *item;
	qb_result r;
	qb *q;

	if (argc != 2) {
		fprintf(stderr, "usage: %s QUEUE\n", argv[0]);
		return 2;
	}
	r = qb_open(NULL, &q);
	while (r == QB_OK &&
	       (r = qb_get(q, argv[1], 1000, QB_MANUAL, &item)) == QB_OK) {
		fwrite(qb_item_body(item), 1, qb_item_size(item), stdout);
		putchar('\n');
		fflush(stdout);
		r = qb_ack(q, item);
		qb_item_free(item);
	}
	if (r != QB_EMPTY)
		fprintf(stderr, "%s: %s\n", qb_result_name(r), qb_error(q));
	qb_close(q);
	return r != QB_EMPTY;
}
