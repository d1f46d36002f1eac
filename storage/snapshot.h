/*
 * The collection as one file to be sent, which later syncs do not change (design.md §6, "Download"). Taken under the
 * user's lock, read without it.
 */
#ifndef STORAGE_SNAPSHOT_H
#define STORAGE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/stream.h"
#include "storage/home.h"

struct snapshot;

/*
 * Needs the lock. `schema11`: for clients before v11. There must be a collection (home_first_collection).
 * NULL with *e set (ERR_DAMAGED when the current generation has no file).
 */
struct snapshot *snapshot_begin(struct home *h, bool schema11, struct err *e);
/* Whatever is left to do, which may take seconds; needs no lock. 0, or -1: end it. */
int snapshot_make(struct snapshot *s, struct err *e);
/* Then: the bytes of the file, once, from its beginning; owned by the snapshot. And how many they are. */
struct source *snapshot_source(struct snapshot *s);
uint64_t snapshot_bytes(const struct snapshot *s);
void snapshot_end(struct snapshot *s); /* accepts NULL */

#endif
