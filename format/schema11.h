/*
 * Schema 11 keeps note types, decks, options, tags and settings as JSON maps in table `col`. Here one entry of such a map
 * becomes what schema 18 stores (collection-format.md §4.1). Names that clash with those of other entries are the
 * business of whoever knows the other entries, the importer.
 */
#ifndef FORMAT_SCHEMA11_H
#define FORMAT_SCHEMA11_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "format/deck.h"
#include "format/deck_config.h"
#include "format/notetype.h"

struct schema11_entry {
	int64_t id; /* the key as a number; 0 in maps whose keys are words */
	struct slice key;
	struct json_object *value; /* borrowed from the map */
};

/* Entries in the order of their ids (words: of their bytes), so that the outcome does not depend on the JSON's order. */
struct schema11_map {
	struct json_object *root;
	struct schema11_entry *entries;
	size_t n;
	const char *column; /* for messages */
};

/* 0, or -1 with ERR_BAD_REQUEST or ERR_TOO_BIG naming the column: no JSON object, or (`ids`) a key that is not a number. */
int schema11_map_init(struct schema11_map *m, const char *column, struct slice text, bool ids, struct err *e);
void schema11_map_release(struct schema11_map *m); /* accepts a zeroed struct */

/*
 * Each fills an init'ed struct from an entry: 0, or -1 with ERR_BAD_REQUEST.
 * deck: the id is the inner one; a name that is not normal becomes so, with mtime `now_s` and usn `usn`.
 * options: the id is the outer one. notetype: likewise (key 0: `spare_id`); names become NFC, equal names of fields or
 * of templates get `+`.
 */
int schema11_deck(const struct schema11_entry *in, int32_t usn, int64_t now_s, struct deck *d, struct err *e);
int schema11_options(const struct schema11_entry *in, struct deck_config *c, struct err *e);
int schema11_notetype(const struct schema11_entry *in, int64_t spare_id, struct notetype *n, struct err *e);

#endif
