/* SPDX-License-Identifier: MIT
 *
 * See alloc_fail.h.
 */
#include "tests/lib/alloc_fail.h"

#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

struct alloc_fail alloc_fail;

static bool
fails(void)
{
	struct alloc_fail *a = &alloc_fail;

	if (!a->watching)
		return false;
	a->count++;
	if (a->at == 0 || (a->all_after ? a->count < a->at : a->count != a->at))
		return false;
	a->failed = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}
