/*
 * Cards, notes, review log and graves: what a client has not seen yet (with a cursor that survives between requests), and
 * how incoming rows are merged. Rows are those of format/rows.h.
 */
#ifndef STORAGE_CHANGES_H
#define STORAGE_CHANGES_H

#include <stdint.h>

#include "base/err.h"
#include "format/rows.h"
#include "storage/collection.h"

enum grave_type { GRAVE_CARD, GRAVE_NOTE, GRAVE_DECK };

/* Graves with usn >= min_usn, in no order. fn returns 0 to go on. */
typedef int grave_fn(int64_t id, enum grave_type type, void *arg, struct err *e);
int graves_each_pending(struct collection *c, int64_t min_usn, grave_fn *fn, void *arg, struct err *e);
/* Delete the row with that id, and remember it; an older grave of the id takes the new usn. */
int grave_apply(struct collection *c, int64_t id, enum grave_type type, int64_t usn, struct err *e);

/* Where a client is in the rows that it gets: table, and the last row it was given. A plain struct, kept in the session. */
enum cursor_table { CURSOR_REVLOG, CURSOR_CARDS, CURSOR_NOTES, CURSOR_END };
struct cursor {
	int64_t table;
	int64_t min_usn;
	int64_t usn, id;
};
void cursor_start(struct cursor *cur, int64_t min_usn);

/* Is this id in a grave that the client sent in the same sync (so that the row is not sent back)? */
typedef bool buried_fn(enum grave_type type, int64_t id, void *arg);
/*
 * Print the next rows as three lists, `"revlog":[…],"cards":[…],"notes":[…]` (empty ones are left out), until max_rows were
 * printed or out has grown by soft_bytes. rows counts them, by table; the cursor moves on, and stands at CURSOR_END when there is
 * nothing more.
 */
int changes_print(struct collection *c, struct cursor *cur, size_t max_rows, size_t soft_bytes, buried_fn *buried, void *arg,
		  struct buf *out, size_t rows[CURSOR_END], struct err *e);

/* Merge incoming rows, stamped with `usn` (protocol.md §3.4; of the same second the client's row wins). */
int card_merge(struct collection *c, const struct card_row *row, int64_t min_usn, int64_t usn, struct err *e);
int revlog_merge(struct collection *c, const struct revlog_row *row, int64_t usn, struct err *e);
/* sort_field is the note type's; sort field text and checksum are computed here. */
int note_merge(struct collection *c, const struct note_row *row, uint32_t sort_field, int64_t min_usn, int64_t usn, struct err *e);

#endif
