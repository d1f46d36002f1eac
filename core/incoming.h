/* What a client sends with applyChanges and applyChunk, checked and taken apart (protocol.md §2.1). */
#ifndef CORE_INCOMING_H
#define CORE_INCOMING_H

#include "base/err.h"
#include "base/json.h"
#include "format/deck.h"
#include "format/deck_config.h"
#include "format/notetype.h"
#include "format/rows.h"

struct incoming {
	struct notetype *notetypes;
	size_t n_notetypes;
	struct deck *decks;
	size_t n_decks;
	struct deck_config *configs;
	size_t n_configs;
	struct slice *tags; /* borrowed from root */
	size_t n_tags;
	struct json_object *conf; /* borrowed from root; NULL when the client is not the newer side */
	bool has_crt;
	int64_t crt_s;
	struct json_object *root;
};
#define INCOMING_INIT { .root = NULL }

/* From the payload {"changes":{…}}. 0, or -1 with ERR_BAD_REQUEST; release it in both cases. */
int incoming_parse(struct incoming *in, struct slice payload, struct err *e);
void incoming_release(struct incoming *in);

/*
 * Walk over the payload {"chunk":{…}}: revlog rows, then cards, then notes. A callback may be NULL, and returns 0 to go on.
 * Every row is checked before its callback sees it.
 */
struct chunk_visitor {
	int (*revlog)(const struct revlog_row *row, void *arg, struct err *e);
	int (*card)(const struct card_row *row, void *arg, struct err *e);
	int (*note)(const struct note_row *row, void *arg, struct err *e);
	void *arg;
};
int incoming_chunk(struct slice payload, const struct chunk_visitor *v, struct err *e);

#endif
