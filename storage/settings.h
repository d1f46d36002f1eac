/* Tags and the configuration map of a collection. */
#ifndef STORAGE_SETTINGS_H
#define STORAGE_SETTINGS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "storage/collection.h"

/*
 * Add a tag as it comes from the wire: normalised, its leading parts in the spelling of the nearest ancestor that exists.
 * A tag that exists under unicase is left alone (collection-format.md §3.9).
 */
int tag_add(struct collection *c, struct slice name, int64_t usn, struct err *e);
typedef int tag_fn(struct slice tag, void *arg, struct err *e);
int tag_each_pending(struct collection *c, int64_t min_usn, tag_fn *fn, void *arg, struct err *e);

/* Values are JSON text. get: 1 with a copy in *val, 0, -1. A value that is not a blob, or not JSON, counts as absent. */
int conf_get(struct collection *c, const char *key, struct buf *val, struct err *e);
int conf_put(struct collection *c, struct slice key, struct slice val, int64_t usn, int64_t now_s, struct err *e);
/*
 * The map becomes this one (an object of json.h). A value that is there in the same spelling is left alone: clients send the
 * whole map with every sync.
 */
int conf_replace(struct collection *c, struct json_object *map, int64_t usn, int64_t now_s, struct err *e);
/* The whole map as a JSON object, appended to out. Rows whose value is not JSON are left out. */
int conf_print(struct collection *c, struct buf *out, struct err *e);

/*
 * What a client does to its own collection on a new day, done here as well: buried cards go back to their queues, in a
 * transaction of its own, touching neither usn nor mod of anything but the two config rows (collection-format.md §7). It
 * does not wait for the disk: a power loss takes it back, and the next sync does it again.
 */
int collection_unbury(struct collection *c, int64_t now_s, struct err *e);

#endif
