/*
 * Note types, decks and option groups in their tables. Structs are those of format/; every put stores the struct as it
 * is, usn included. A name that another row has under unicase makes a put or rename fail (ERR_BAD_REQUEST): the caller
 * settles names first (core/merge.h).
 */
#ifndef STORAGE_OBJECTS_H
#define STORAGE_OBJECTS_H

#include <stdint.h>

#include "base/err.h"
#include "format/deck.h"
#include "format/deck_config.h"
#include "format/notetype.h"
#include "storage/collection.h"

/* get: 1 found (the struct, init'ed by the caller, is filled), 0, -1. */
int deck_get(struct collection *c, int64_t id, struct deck *d, struct err *e);
int deck_put(struct collection *c, const struct deck *d, struct err *e);
int deck_delete(struct collection *c, int64_t id, struct err *e);
int deck_config_get(struct collection *c, int64_t id, struct deck_config *o, struct err *e);
int deck_config_put(struct collection *c, const struct deck_config *o, struct err *e);
int notetype_get(struct collection *c, int64_t id, struct notetype *n, struct err *e);
int notetype_put(struct collection *c, const struct notetype *n, struct err *e); /* replaces all fields and templates */

/* What a note needs to know: number of fields and sort field. 1, 0 when there is no such note type, -1. */
int notetype_shape(struct collection *c, int64_t id, size_t *n_fields, uint32_t *sort_field, struct err *e);

/* Call fn for each row with usn >= min_usn, by id. fn returns 0 to go on; it may not touch the same table. */
typedef int deck_fn(const struct deck *d, void *arg, struct err *e);
int deck_each_pending(struct collection *c, int64_t min_usn, deck_fn *fn, void *arg, struct err *e);
typedef int deck_config_fn(const struct deck_config *o, void *arg, struct err *e);
int deck_config_each_pending(struct collection *c, int64_t min_usn, deck_config_fn *fn, void *arg, struct err *e);
/* Ids first, then one get each: fields and templates are tables of their own. */
int notetype_ids_pending(struct collection *c, int64_t min_usn, int64_t **ids, size_t *n, struct err *e); /* free(*ids) */

/* The two kinds of object whose names are unique. */
enum named_kind { NAMED_NOTETYPE, NAMED_DECK };
/* Name, mod and usn alone: 1 found, 0, -1. */
int named_get(struct collection *c, enum named_kind kind, int64_t id, struct buf *name, int64_t *mod_s, int64_t *usn, struct err *e);
/* Call fn with id and name of each row with usn >= min_usn, by id. fn returns 0 to go on; it may not touch the same table. */
typedef int named_fn(int64_t id, struct slice name, void *arg, struct err *e);
int named_each_pending(struct collection *c, enum named_kind kind, int64_t min_usn, named_fn *fn, void *arg, struct err *e);
/* Who has this name (under unicase)? 1 with *id, 0 nobody, -1. */
int named_holder(struct collection *c, enum named_kind kind, struct slice name, int64_t *id, struct err *e);
int named_rename(struct collection *c, enum named_kind kind, int64_t id, struct slice name, int64_t mod_s, int64_t usn, struct err *e);

#endif
