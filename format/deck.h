/*
 * Decks: the JSON of the wire <-> the columns of table `decks` (collection-format.md §2.3, §3.2, §3.3).
 * Blobs are read and written by format/blob; unknown protobuf fields of a stored row are not touched by printing.
 */
#ifndef FORMAT_DECK_H
#define FORMAT_DECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct deck {
	int64_t id;
	int64_t mod_s;
	int32_t usn;
	struct buf name;         /* native: levels separated by U+001F (format/names.h) */
	struct buf common, kind; /* blobs */
};

void deck_init(struct deck *d);
void deck_release(struct deck *d);
/* Fill *d (init'ed) from a wire object. 0, or -1 with ERR_BAD_REQUEST naming deck and key. */
int deck_from_json(struct deck *d, struct json_object *o, struct err *e);
/* Append the wire object. 0, or -1 with ERR_DAMAGED when a blob cannot be decoded. */
int deck_print(struct buf *out, const struct deck *d, struct err *e);
/* Can both blobs be decoded? 0, or -1 with ERR_DAMAGED. */
int deck_check(const struct deck *d, struct err *e);
/* The option group of a normal deck: 1 with *id, 0 for a filtered deck, -1 with ERR_DAMAGED. */
int deck_options(const struct deck *d, int64_t *id, struct err *e);
/* A new collection's deck 1 "Default" (collection-format.md §1.3). */
void deck_default(struct deck *d);

#endif
