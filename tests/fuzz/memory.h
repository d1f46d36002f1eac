/* Files of tests/unit/files.h on a disk in memory, where there is one. */
#ifndef TESTS_FUZZ_MEMORY_H
#define TESTS_FUZZ_MEMORY_H

#include <fcntl.h>

#include "tests/unit/files.h"

static inline void files_in_memory(void)
{
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* They are made below the current folder; names of the fuzzer's corpus, too, are relative to it. */
	if (access("/dev/shm", W_OK) == 0 && chdir("/dev/shm") != 0)
		abort();
	files_setup(NULL);
	if (fchdir(here) != 0)
		abort();
	close(here);
}

#endif
