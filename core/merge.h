/*
 * Note types, decks, option groups, tags and configuration of applyChanges: decided, answered, and stored (protocol.md §3.4).
 * docs/merging.md tells the rules; whose version counts is verdict.h, who is called what naming.h.
 */
#ifndef CORE_MERGE_H
#define CORE_MERGE_H

#include "core/incoming.h"
#include "core/naming.h"
#include "storage/home.h"
#include "storage/session.h"

struct merge_config { /* what becomes of an incoming option group */
	bool accept;
	int64_t mod_s; /* to be stored; may be later than the one sent (verdict.h) */
};

struct merge {
	struct incoming in;
	struct naming notetypes, decks;
	struct merge_config *configs;
	int64_t min_usn, now_s;
};

/*
 * Parse the payload and decide what is to become of it. `deleted`: decks that the same sync has deleted but the collection
 * still has (NULL: it has deleted them). now_s: the time of renamings. 0, or -1 (ERR_BAD_REQUEST also when a note type
 * arrives with another number of fields or templates than it has here); release it in both cases.
 */
int merge_prepare(struct merge *m, struct slice payload, struct collection *c, struct graves *deleted, int64_t min_usn,
		  int64_t now_s, struct err *e);
void merge_release(struct merge *m);

/* Store what was accepted, every row stamped with `usn`. Inside a transaction, after the graves. */
int merge_apply(struct merge *m, struct home *h, struct collection *c, int64_t usn, struct err *e);

/*
 * The reply to applyChanges, added up in *moved: what this client has not seen, minus decks in `deleted`, in an order in which no name clashes
 * on its way; then what is to be stored otherwise than the client sent it; with conf and crt when the server is the newer
 * side.
 */
int merge_print_reply(const struct merge *m, struct home *h, struct collection *c, struct graves *deleted, bool with_conf,
		      struct buf *out, struct session_moved *moved, struct err *e);

#endif
