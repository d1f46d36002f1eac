/*
 * What a disk may hold after the power went, from the trace of the calls that changed it (shim.h). What was synced is there:
 * a file's bytes and length by a sync of the file, names by a sync of their folder. Of the rest anything may be there, bytes
 * torn at 512. Journals' shared memory (-shm) is not carried over: SQLite makes it anew.
 */
#ifndef TESTS_FAULTS_DISK_H
#define TESTS_FAULTS_DISK_H

#include <stdint.h>

#include "tests/faults/image.h"

struct disk;

/* All that `start` holds is on the disk. The image and shim's trace are borrowed. */
struct disk *disk_new(const struct image *start);
void disk_free(struct disk *d);

/* Take in the next call of the trace: 1, or 0 at its end. */
int disk_next(struct disk *d);
int disk_acks(const struct disk *d); /* how many operations had been answered by then */

enum disk_choice {
	DISK_LOST,       /* only what was synced */
	DISK_KEPT,       /* everything */
	DISK_NAMES_ONLY, /* names, without the bytes */
	DISK_BYTES_ONLY,
	DISK_RANDOM,     /* each file and folder for itself: none, all, a beginning, or any part of it */
};
/* One state. The same seed gives the same one. *out is to be released. */
void disk_state(const struct disk *d, enum disk_choice choice, uint64_t seed, struct image *out);

#endif
