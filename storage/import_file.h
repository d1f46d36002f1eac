/*
 * Make a collection file of our own out of a foreign one: the rows of the known tables, nothing else of it (design.md §6).
 * Runs in the importing child alone (importer.h).
 */
#ifndef STORAGE_IMPORT_FILE_H
#define STORAGE_IMPORT_FILE_H

#include "base/err.h"
#include "storage/importer.h"

/*
 * `src` is not touched; `dst` (empty or absent) is a collection of schema 18, sealed and on disk, when it returns 0. Both
 * absolute. ERR_REFUSED with a sentence for the user when the file is at fault; ERR_FULL, ERR_CUT_OFF, ERR_INTERNAL.
 */
int import_file(const char *src, const char *dst, struct import_result *r, struct err *e);

#endif
