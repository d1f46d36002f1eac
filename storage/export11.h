/* A collection as a file of schema 11, for clients before v11 (collection-format.md §4.2). */
#ifndef STORAGE_EXPORT11_H
#define STORAGE_EXPORT11_H

#include "base/err.h"
#include "storage/collection.h"

/*
 * Fill the empty file `path` (absolute) from `from`, which should be in a read transaction. Row by row: a copy changed in
 * place would carry the large tables twice. Not fsynced. 0, or -1 (ERR_DAMAGED: a blob that cannot be decoded).
 */
int export11(struct collection *from, const char *path, struct err *e);

#endif
