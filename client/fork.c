/* SPDX-License-Identifier: MIT
 * The guard is one page with MADV_WIPEONFORK (Linux 4.14); where there is none, the
 * pid. */
#include "client/fork.h"

#include <sys/mman.h>

#define PAGE_BYTES 4096 /* rounded up by the kernel where its pages are larger */

void
fork_guard_init(struct fork_guard *guard)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED && madvise(page, PAGE_BYTES, MADV_WIPEONFORK) != 0) {
		munmap(page, PAGE_BYTES);
		page = MAP_FAILED;
	}
	guard->page = page == MAP_FAILED ? NULL : page;
	fork_guard_set(guard);
}

void
fork_guard_done(struct fork_guard *guard)
{
	if (guard->page)
		munmap((void *)guard->page, PAGE_BYTES);
	guard->page = NULL;
}

void
fork_guard_set(struct fork_guard *guard)
{
	guard->pid = getpid();
	if (guard->page)
		*guard->page = 1;
}
