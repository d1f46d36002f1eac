/*
 * A collection as a file of schema 11, for clients before v11 (collection-format.md §4.2). Notes, cards and reviews look
 * alike in both schemas, so the file need not be copied: it is changed under an overlay, which touches some tens of pages.
 */
#ifndef STORAGE_EXPORT11_H
#define STORAGE_EXPORT11_H

#include "base/err.h"
#include "storage/overlay.h"

/* Afterwards the overlay reads as a file of schema 11. 0, or -1 (ERR_DAMAGED: a blob that cannot be decoded). */
int export11(struct overlay *o, struct err *e);

#endif
