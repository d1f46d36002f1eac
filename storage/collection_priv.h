/* The handle and the statements of a collection, for the rooms of storage/ that work on it. */
#ifndef STORAGE_COLLECTION_PRIV_H
#define STORAGE_COLLECTION_PRIV_H

#include "storage/collection.h"
#include "storage/sql.h"

struct collection {
	struct sql sql;
	dev_t dev;
	ino_t ino;
	int64_t delta_cards, delta_notes, delta_revlog; /* of the transaction, by the update hook */
	bool viewing;       /* in a read transaction */
	bool loose;         /* in a transaction whose commit does not wait for the disk */
	bool large_job;     /* its page cache is to be given back */
	int changes_before; /* sqlite3_total_changes at the beginning of the transaction */
};

enum col_stmt {
	COL_VIEW,
	COL_VIEW_END,
	COL_GET,
	COL_SET,
	COL_ANY_CARD,
	COL_COUNT_CARDS,
	COL_COUNT_NOTES,
	COL_COUNT_REVLOG,
	COL_COUNT_NOTETYPES,
	COL_COUNT_DECKS,
	COL_COUNT_DECK_CONFIGS,

	DECK_GET,
	DECK_PUT,
	DECK_PENDING,
	DECK_BY_NAME,
	DECK_RENAME,
	DECK_DELETE,
	DECK_CONFIG_GET,
	DECK_CONFIG_PUT,
	DECK_CONFIG_PENDING,
	NOTETYPE_GET,
	NOTETYPE_PUT,
	NOTETYPE_PENDING,
	NOTETYPE_BY_NAME,
	NOTETYPE_RENAME,
	NOTETYPE_CONFIG,
	FIELD_COUNT,
	FIELDS_GET,
	FIELDS_DELETE,
	FIELD_ADD,
	TEMPLATES_GET,
	TEMPLATES_DELETE,
	TEMPLATE_ADD,

	TAG_FIND,
	TAG_ADD,
	TAGS_PENDING,
	CONFIG_GET,
	CONFIG_PUT,
	CONFIG_DELETE,
	CONFIG_ALL,

	GRAVE_PUT,
	GRAVES_PENDING,
	CARD_CHANGE,
	CARD_PUT,
	CARD_DELETE,
	CARDS_AT_USN,
	CARDS_ABOVE_USN,
	CARDS_BURIED,
	CARD_SET_QUEUE,
	NOTE_CHANGE,
	NOTE_PUT,
	NOTE_DELETE,
	NOTES_AT_USN,
	NOTES_ABOVE_USN,
	REVLOG_PUT,
	REVLOG_AT_USN,
	REVLOG_ABOVE_USN,

	COL_STMTS
};

extern const char *const col_stmt_text[COL_STMTS];

/*
 * A collection in the making: an SQL_BUILD connection to a file without tables yet, which the caller makes (schema18.h).
 * Insertions are not counted.
 */
struct collection *collection_open_build(const char *path, struct err *e);
/* A collection with changes on top that only this connection sees. */
struct overlay;
struct collection *collection_open_overlay(struct overlay *o, struct err *e);

#endif
