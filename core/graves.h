/* A set of deletions: from the wire, and staged in the session (protocol.md §2.1 "Graves"). */
#ifndef CORE_GRAVES_H
#define CORE_GRAVES_H

#include "base/err.h"
#include "base/json.h"
#include "storage/changes.h"
#include "storage/session.h"

struct grave {
	int64_t id;
	int64_t type; /* enum grave_type */
};

struct graves {
	struct grave *items;
	size_t n, cap;
	bool sorted;
};
#define GRAVES_INIT { .items = NULL }

void graves_add(struct graves *g, int64_t id, enum grave_type type);
void graves_release(struct graves *g);
/*
 * Add what {"cards":[…],"decks":[…],"notes":[…]} lists; ids may be integers or strings. Unless `all_lists` are needed, one may
 * be absent or null. 0, or -1 with ERR_BAD_REQUEST.
 */
int graves_from_json(struct graves *g, struct json_object *o, bool all_lists, struct err *e);
/* Is it in the set? Sorts when that has not been done. */
bool graves_have(struct graves *g, enum grave_type type, int64_t id);

/* As one record of the session, and back: all records are added to *g. */
int graves_stage(const struct graves *g, struct home *h, struct session *s, uint64_t max_bytes, struct err *e);
int graves_staged(struct graves *g, struct home *h, const struct session *s, struct err *e);

#endif
