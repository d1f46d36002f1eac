/*
 * Rows of cards, notes and the review log as compact bytes, for our own files only: what was checked when it arrived, and is
 * read again when it is stored, without being parsed a second time.
 */
#ifndef FORMAT_PACKED_ROWS_H
#define FORMAT_PACKED_ROWS_H

#include "base/buf.h"
#include "format/rows.h"

void card_pack(struct buf *out, const struct card_row *c);
void revlog_pack(struct buf *out, const struct revlog_row *r);
void note_pack(struct buf *out, const struct note_row *n);

struct packed_row {
	enum { PACKED_CARD = 1, PACKED_REVLOG, PACKED_NOTE } kind;
	union {
		struct card_row card;
		struct revlog_row revlog;
		struct note_row note;
	} as; /* texts are borrowed from the bytes */
};

/* The next row at the beginning of *rest, which moves behind it. 1, 0 at the end, -1 when these are no such bytes. */
int packed_next(struct slice *rest, struct packed_row *row);

#endif
