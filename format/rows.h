/*
 * Cards, notes and review log rows: arrays of the wire <-> structs (protocol.md §2.1, collection-format.md §3.6–3.8).
 * Texts in these structs are borrowed slices: from the JSON object, from a SQLite row, or from the scratch buffer that
 * the parsing function was given.
 */
#ifndef FORMAT_ROWS_H
#define FORMAT_ROWS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct card_row {
	int64_t id, nid, did;
	int64_t ord; /* u16 */
	int64_t mod_s;
	int64_t usn;
	int64_t type, queue;
	int64_t due;                 /* i32 */
	int64_t ivl;                 /* u32 */
	int64_t factor;              /* u16 */
	int64_t reps, lapses, left;  /* u32 */
	int64_t odue;                /* i32 */
	int64_t odid;
	int64_t flags;               /* u8 */
	struct slice data;           /* JSON text */
};

struct revlog_row {
	int64_t id, cid, usn, ease, ivl, last_ivl, factor, time_ms, type;
};

struct note_row {
	int64_t id;
	struct slice guid;
	int64_t mid, mod_s, usn;
	struct slice tags; /* from the wire: joined by one space, no outer ones; print and store take care of the rest */
	struct slice flds; /* joined by U+001F, control characters removed */
	size_t n_fields;   /* from the wire: number of fields in flds */
};

/*
 * Each: 0, or -1 with ERR_BAD_REQUEST (what official answers 400 for, the tables in §3.6–3.8). Values are as they are to
 * be stored: wrapped, clamped, `data` rewritten. `scratch` is appended to where a text has to be made anew; the row is valid
 * until somebody appends to it again. Resetting it between rows is the caller's business. ERR_TOO_BIG when it is full.
 */
int card_from_json(struct card_row *c, struct json_object *array, struct buf *scratch, struct err *e);
int revlog_from_json(struct revlog_row *r, struct json_object *array, struct err *e);
int note_from_json(struct note_row *n, struct json_object *array, struct buf *scratch, struct err *e);

/*
 * Append the array of the wire. Values out of the ranges above (a foreign program's) are clamped, never refused; a due, odue
 * or review type out of range is 0, as in official.
 */
void card_print(struct buf *out, const struct card_row *c);
void revlog_print(struct buf *out, const struct revlog_row *r);
void note_print(struct buf *out, const struct note_row *n); /* sfld "", csum "", flags 0, data "" */

/* The text of column notes.tags for tags from the wire: one space at both ends, or nothing. Appends to `out`. */
void note_tags_column(struct buf *out, struct slice tags);

#endif
