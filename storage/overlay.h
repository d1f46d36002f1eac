/*
 * A database file with changes on top of it: SQLite reads the base where nothing was changed, and writes into a file of
 * changes. So a large file can be changed a little, for one reader, without being copied and without changing itself.
 */
#ifndef STORAGE_OVERLAY_H
#define STORAGE_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct overlay;

/* Exactly n bytes of the base from `at`, which are there. 0 or -1. */
typedef int overlay_base_fn(void *base, void *p, size_t n, uint64_t at, struct err *e);

/*
 * `bytes` is the length of the base, which must not change while the overlay lives. `fd` is an empty file for the changes,
 * which the overlay owns. Whatever the base's header says, the file is seen as one with a rollback journal.
 */
struct overlay *overlay_new(overlay_base_fn *read_base, void *base, uint64_t bytes, int fd);
void overlay_free(struct overlay *o); /* accepts NULL */

/* The next sql_open with SQL_OVERLAY opens this one. No other connection may be open to it. */
void overlay_offer(struct overlay *o);

/* The file as it is now. 0 or -1. */
uint64_t overlay_bytes(const struct overlay *o);
int overlay_read(struct overlay *o, void *p, size_t n, uint64_t at, struct err *e);

#endif
