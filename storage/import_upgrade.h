/*
 * What versions 11 to 16 keep otherwise than schema 18 (collection-format.md §4.1), read from a foreign file into a new one.
 * And what has to be computed anew after copying.
 */
#ifndef STORAGE_IMPORT_UPGRADE_H
#define STORAGE_IMPORT_UPGRADE_H

#include <stdint.h>

#include "base/err.h"
#include "storage/collection.h"
#include "storage/foreign.h"

/* Option groups whose initial ease was too low and has been raised: cards that they apply to follow. */
struct low_options {
	int64_t *ids;
	size_t n;
};

/* 0, or -1 (ERR_BAD_REQUEST: data that no Anki could read either). `to` has its tables and its unique indexes. */
int import_upgrade(struct foreign *from, struct collection *to, int64_t now_s, struct low_options *low, struct err *e);
/* Once cards and all indexes are there: ease 2500 for cards with at most 2000 in decks that use low options. */
int import_upgrade_cards(struct collection *to, const struct low_options *low, int64_t usn, struct err *e);
/* Once notes are there: sort field and checksum of those whose fields had to be mended. */
int import_compute_notes(struct collection *to, const int64_t *ids, size_t n, struct err *e);
void low_options_release(struct low_options *low);

#endif
