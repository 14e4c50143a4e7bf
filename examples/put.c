/* SPDX-License-Identifier: MIT
 * put QUEUE: every line of standard input becomes an item. The puts are pipelined: the
 * last call says whether all of them were accepted. */
#include <qbroker.h>
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	qb_result r;
	qb *q;

	if (argc != 2) {
		fprintf(stderr, "usage: %s QUEUE\n", argv[0]);
		return 2;
	}
	r = qb_open(NULL, &q);
	while (r == QB_OK && (len = getline(&line, &size, stdin)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		r = qb_put_start(q, argv[1], line, (size_t)len);
	}
	if (r == QB_OK)
		r = qb_flush(q, QB_FOREVER);
	if (r != QB_OK)
		fprintf(stderr, "%s: %s\n", qb_result_name(r), qb_error(q));
	qb_close(q);
	free(line);
	return r != QB_OK;
}
