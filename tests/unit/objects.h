/* What the tests of decks, options and note types have in common: comparing with vectors, damaging blobs. */
#ifndef TESTS_UNIT_OBJECTS_H
#define TESTS_UNIT_OBJECTS_H

#include "base/buf.h"
#include "tests/unit/vectors.h"

struct json_object *objects_input(struct json_object *c);  /* of the case, parsed; to be released */
bool objects_accepted(struct json_object *c);              /* did official say 200? */
bool objects_varies(struct json_object *c);                /* is the order of unknown keys of chance? */
void objects_unhex(struct slice hex, struct buf *out);     /* replaces */

/* Each fails with the name of the case unless both are the same; the order of unknown keys may differ if it varies. */
void objects_same_blob(struct json_object *c, const struct buf *got, struct json_object *want_hex);
void objects_same_out(struct json_object *c, const struct buf *got);
void objects_same_int(struct json_object *c, int64_t got, struct json_object *want);
void objects_same_text(struct json_object *c, const struct buf *got, struct json_object *want);

/*
 * Call `try` with many damaged versions of `blob` in its place: every truncation, single flipped bits, random bytes, runs
 * copied to other places, noise only. The original is back at the end.
 */
void objects_damage(struct buf *blob, void (*try)(void *ctx), void *ctx);
/* What was printed must be JSON. */
void objects_is_json(const struct buf *b);

/*
 * Call `read` with `root`, each of whose members, at all levels, is replaced in turn by each of a list of odd values, and
 * is absent. `read` prints what it accepts (0) and returns -1 for what it refuses. What was printed must be accepted
 * again, and then printed as before.
 */
typedef int objects_read_fn(struct json_object *o, struct buf *printed);
void objects_vary(struct json_object *root, objects_read_fn *read);

#endif
