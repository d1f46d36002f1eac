/* Option groups: the JSON of the wire <-> the columns of table `deck_config` (collection-format.md §2.2, §3.4). */
#ifndef FORMAT_DECK_CONFIG_H
#define FORMAT_DECK_CONFIG_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct deck_config {
	int64_t id;
	int64_t mod_s;
	int32_t usn;
	struct buf name;
	struct buf config; /* blob */
};

void deck_config_init(struct deck_config *c);
void deck_config_release(struct deck_config *c);
/* Fill *c (init'ed) from a wire object. 0, or -1 with ERR_BAD_REQUEST naming the group and the key. */
int deck_config_from_json(struct deck_config *c, struct json_object *o, struct err *e);
/* Append the wire object, ranges of §3.4 applied. 0, or -1 with ERR_DAMAGED. */
int deck_config_print(struct buf *out, const struct deck_config *c, struct err *e);
int deck_config_check(const struct deck_config *c, struct err *e);
/* A new collection's group 1 "Default" (collection-format.md §1.3). */
void deck_config_default(struct deck_config *c);
/*
 * The step "16" of the upgrade from schema 11 (collection-format.md §4.1): an initial ease of at most 1.3 becomes 2.5.
 * 1 when it was so low and the blob has been rewritten, 0 when not, -1 with ERR_DAMAGED.
 */
int deck_config_mend_ease(struct deck_config *c, struct err *e);
/* What version 15 stored as percent becomes a factor (collection-format.md §4.1, steps 15 and 16). 0, or -1 with ERR_DAMAGED. */
int deck_config_ease_from_percent(struct deck_config *c, struct err *e);

#endif
