/* Every statement on a collection file, as literal text. */
#include "storage/collection_priv.h"

#define CARD_COLUMNS \
	"id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data"
#define NOTE_COLUMNS "id, guid, mid, mod, usn, tags, flds"
#define REVLOG_COLUMNS "id, cid, usn, ease, ivl, lastIvl, factor, time, type"

/*
 * Two statements per table for what a client has not seen, each held to the usn index: the statistics that clients upload
 * (all usn 0) would lead to a full scan, and one statement for both would read again what was sent
 * (performance-facts.md, "Chunks to the client").
 */
#define AT_USN(columns, table) \
	"SELECT " columns " FROM " table " INDEXED BY ix_" table "_usn WHERE usn = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
#define ABOVE_USN(columns, table) \
	"SELECT " columns " FROM " table " INDEXED BY ix_" table "_usn WHERE usn > ?1 ORDER BY usn, id LIMIT ?3"

const char *const col_stmt_text[COL_STMTS] = {
	[COL_VIEW] = "BEGIN",
	[COL_VIEW_END] = "COMMIT",
	[COL_GET] = "SELECT crt, mod, scm, ls, usn FROM col",
	[COL_SET] = "UPDATE col SET crt = ?1, mod = ?2, scm = ?3, ls = ?4, usn = ?5",
	[COL_ANY_CARD] = "SELECT 1 FROM cards LIMIT 1",
	[COL_COUNT_CARDS] = "SELECT count(*) FROM cards",
	[COL_COUNT_NOTES] = "SELECT count(*) FROM notes",
	[COL_COUNT_REVLOG] = "SELECT count(*) FROM revlog",
	[COL_COUNT_NOTETYPES] = "SELECT count(*) FROM notetypes",
	[COL_COUNT_DECKS] = "SELECT count(*) FROM decks",
	[COL_COUNT_DECK_CONFIGS] = "SELECT count(*) FROM deck_config",

	[DECK_GET] = "SELECT id, name, mtime_secs, usn, common, kind FROM decks WHERE id = ?1",
	[DECK_PUT] = "INSERT INTO decks (id, name, mtime_secs, usn, common, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		     " ON CONFLICT (id) DO UPDATE SET name = excluded.name, mtime_secs = excluded.mtime_secs,"
		     " usn = excluded.usn, common = excluded.common, kind = excluded.kind",
	[DECK_PENDING] = "SELECT id, name, mtime_secs, usn, common, kind FROM decks WHERE usn >= ?1 ORDER BY id",
	[DECK_BY_NAME] = "SELECT id FROM decks WHERE name = ?1",
	[DECK_RENAME] = "UPDATE decks SET name = ?2, mtime_secs = ?3, usn = ?4 WHERE id = ?1",
	[DECK_DELETE] = "DELETE FROM decks WHERE id = ?1",
	[DECK_CONFIG_GET] = "SELECT id, name, mtime_secs, usn, config FROM deck_config WHERE id = ?1",
	[DECK_CONFIG_PUT] = "INSERT INTO deck_config (id, name, mtime_secs, usn, config) VALUES (?1, ?2, ?3, ?4, ?5)"
			    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, mtime_secs = excluded.mtime_secs,"
			    " usn = excluded.usn, config = excluded.config",
	[DECK_CONFIG_PENDING] = "SELECT id, name, mtime_secs, usn, config FROM deck_config WHERE usn >= ?1 ORDER BY id",
	[NOTETYPE_GET] = "SELECT id, name, mtime_secs, usn, config FROM notetypes WHERE id = ?1",
	[NOTETYPE_PUT] = "INSERT INTO notetypes (id, name, mtime_secs, usn, config) VALUES (?1, ?2, ?3, ?4, ?5)"
			 " ON CONFLICT (id) DO UPDATE SET name = excluded.name, mtime_secs = excluded.mtime_secs,"
			 " usn = excluded.usn, config = excluded.config",
	[NOTETYPE_PENDING] = "SELECT id, name, mtime_secs, usn, config FROM notetypes WHERE usn >= ?1 ORDER BY id",
	[NOTETYPE_BY_NAME] = "SELECT id FROM notetypes WHERE name = ?1",
	[NOTETYPE_RENAME] = "UPDATE notetypes SET name = ?2, mtime_secs = ?3, usn = ?4 WHERE id = ?1",
	[NOTETYPE_CONFIG] = "SELECT config FROM notetypes WHERE id = ?1",
	[FIELD_COUNT] = "SELECT count(*) FROM fields WHERE ntid = ?1",
	[FIELDS_GET] = "SELECT name, config FROM fields WHERE ntid = ?1 ORDER BY ord",
	[FIELDS_DELETE] = "DELETE FROM fields WHERE ntid = ?1",
	[FIELD_ADD] = "INSERT INTO fields (ntid, ord, name, config) VALUES (?1, ?2, ?3, ?4)",
	[TEMPLATES_GET] = "SELECT name, config FROM templates WHERE ntid = ?1 ORDER BY ord",
	[TEMPLATES_DELETE] = "DELETE FROM templates WHERE ntid = ?1",
	[TEMPLATE_ADD] = "INSERT INTO templates (ntid, ord, name, mtime_secs, usn, config) VALUES (?1, ?2, ?3, 0, 0, ?4)",

	[TAG_FIND] = "SELECT tag FROM tags WHERE tag = ?1",
	[TAG_ADD] = "INSERT INTO tags (tag, usn, collapsed, config) VALUES (?1, ?2, 1, NULL)",
	[TAGS_PENDING] = "SELECT tag FROM tags WHERE usn >= ?1 ORDER BY tag",
	[CONFIG_GET] = "SELECT val FROM config WHERE KEY = ?1",
	[CONFIG_PUT] = "INSERT INTO config (KEY, usn, mtime_secs, val) VALUES (?1, ?2, ?3, ?4)"
		       " ON CONFLICT (KEY) DO UPDATE SET usn = excluded.usn, mtime_secs = excluded.mtime_secs, val = excluded.val",
	[CONFIG_DELETE] = "DELETE FROM config WHERE KEY = ?1",
	[CONFIG_ALL] = "SELECT KEY, val FROM config ORDER BY KEY",

	/* A second deletion of an id that had come back must reach those who heard of the first one. */
	[GRAVE_PUT] = "INSERT INTO graves (oid, type, usn) VALUES (?1, ?2, ?3) ON CONFLICT (oid, type) DO UPDATE SET usn = excluded.usn",
	[GRAVES_PENDING] = "SELECT oid, type FROM graves WHERE usn >= ?1",
	/*
	 * Of the same second the client's row wins: it keeps its own anyway (design.md §5, "Ties"). ?19 is minUsn.
	 *
	 * CHANGE does what PUT does to a row that is there and stays where it is in some indexes: SQLite takes an entry out of
	 * an index and puts it back for every column that is set, to the same value too, which takes half of the time.
	 */
	[CARD_CHANGE] = "UPDATE cards SET did = ?3, ord = ?4, mod = ?5, usn = ?6, type = ?7, queue = ?8, due = ?9, ivl = ?10,"
			" factor = ?11, reps = ?12, lapses = ?13, left = ?14, odue = ?15, flags = ?17, data = ?18"
			" WHERE id = ?1 AND nid = ?2 AND odid = ?16 AND (usn < ?19 OR mod <= ?5)",
	[CARD_PUT] = "INSERT INTO cards (" CARD_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
		     " ?17, ?18) ON CONFLICT (id) DO UPDATE SET nid = excluded.nid, did = excluded.did, ord = excluded.ord,"
		     " mod = excluded.mod, usn = excluded.usn, type = excluded.type, queue = excluded.queue, due = excluded.due,"
		     " ivl = excluded.ivl, factor = excluded.factor, reps = excluded.reps, lapses = excluded.lapses,"
		     " left = excluded.left, odue = excluded.odue, odid = excluded.odid, flags = excluded.flags,"
		     " data = excluded.data WHERE cards.usn < ?19 OR cards.mod <= excluded.mod",
	[CARD_DELETE] = "DELETE FROM cards WHERE id = ?1",
	[CARDS_AT_USN] = AT_USN(CARD_COLUMNS, "cards"),
	[CARDS_ABOVE_USN] = ABOVE_USN(CARD_COLUMNS, "cards"),
	/* No index begins with queue. From deck to deck in the one that has it second, it costs by decks and not by cards. */
	[CARDS_BURIED] = "WITH RECURSIVE deck (id) AS (SELECT min(did) FROM cards"
			 " UNION ALL SELECT (SELECT min(did) FROM cards WHERE did > deck.id) FROM deck WHERE deck.id IS NOT NULL)"
			 " SELECT c.id, c.type, c.due FROM deck CROSS JOIN cards AS c INDEXED BY ix_cards_sched"
			 " ON c.did = deck.id AND c.queue IN (-2, -3)",
	[CARD_SET_QUEUE] = "UPDATE cards SET queue = ?2 WHERE id = ?1",
	[NOTE_CHANGE] = "UPDATE notes SET guid = ?2, mod = ?4, usn = ?5, tags = ?6, flds = ?7, sfld = ?8, flags = 0, data = ''"
			" WHERE id = ?1 AND mid = ?3 AND csum = ?9 AND (usn < ?10 OR mod <= ?4)",
	[NOTE_PUT] = "INSERT INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data)"
		     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, '') ON CONFLICT (id) DO UPDATE SET guid = excluded.guid,"
		     " mid = excluded.mid, mod = excluded.mod, usn = excluded.usn, tags = excluded.tags, flds = excluded.flds,"
		     " sfld = excluded.sfld, csum = excluded.csum, flags = 0, data = ''"
		     " WHERE notes.usn < ?10 OR notes.mod <= excluded.mod",
	[NOTE_DELETE] = "DELETE FROM notes WHERE id = ?1",
	[NOTES_AT_USN] = AT_USN(NOTE_COLUMNS, "notes"),
	[NOTES_ABOVE_USN] = ABOVE_USN(NOTE_COLUMNS, "notes"),
	[REVLOG_PUT] = "INSERT INTO revlog (" REVLOG_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
	[REVLOG_AT_USN] = AT_USN(REVLOG_COLUMNS, "revlog"),
	[REVLOG_ABOVE_USN] = ABOVE_USN(REVLOG_COLUMNS, "revlog"),
};
