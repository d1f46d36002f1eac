/* How many new files reach the disk. For contents_put.c alone. */
#ifndef STORAGE_CONTENTS_SYNC_H
#define STORAGE_CONTENTS_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Would a sync of the whole file system (syncfs) be the cheapest way for so many files? It is one flush of the disk for all
 * of them, but while others write, it makes this user wait for them.
 */
bool sync_all_is_cheapest(size_t files, int64_t bytes);
/*
 * fdatasync for each of at most CONTENTS_PUT_MAX files, and fsync for their folder unless it is -1. 0, or -1 with *e, whose
 * message begins with `what`.
 */
int sync_files(const int *fds, size_t n, int folder, const char *what, struct err *e);
/*
 * The same, all at the same moment: one after the other, 25 files wait for 25 flushes of the disk; together they share one or
 * two. 0 or an errno.
 */
int sync_at_once(const int *fds, size_t n, int folder);
/* A hint: the disk may begin. */
void sync_hint(int fd);

#endif
