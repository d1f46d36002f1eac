/*
 * How many fields the note types have, and which one their notes are sorted by: what a note is checked against, when it
 * arrives and when it is stored.
 */
#ifndef CORE_SHAPES_H
#define CORE_SHAPES_H

#include "base/err.h"
#include "format/rows.h"
#include "storage/collection.h"
#include "storage/session.h"

struct shape {
	int64_t id, n_fields, sort_field;
};

struct shapes {
	struct shape *list; /* by id */
	size_t n, cap;
};
#define SHAPES_INIT { .list = NULL }

/* Add a note type that the collection does not have yet, or not like this. */
void shapes_add(struct shapes *s, struct shape shape);
void shapes_release(struct shapes *s);

/*
 * May this note be stored? Note types that are not known yet are looked up in the collection. 0 with *sort_field, or -1:
 * ERR_BAD_REQUEST when there is no such note type, or it has another number of fields.
 */
int shapes_check(struct shapes *s, struct collection *c, const struct note_row *row, uint32_t *sort_field, struct err *e);

/* As one record of the session, and back: all records are added to *s. */
int shapes_stage(const struct shapes *s, struct home *h, struct session *session, uint64_t max_bytes, struct err *e);
int shapes_staged(struct shapes *s, struct home *h, const struct session *session, struct err *e);

#endif
