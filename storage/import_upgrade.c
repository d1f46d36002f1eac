/* See import_upgrade.h. Entries are taken in the order of their ids, so that one file always gives the same result. */
#include "storage/import_upgrade.h"

#include "format/note_text.h"
#include "format/schema11.h"
#include "storage/collection_priv.h"
#include "storage/objects.h"
#include "storage/settings.h"

struct upgrade {
	struct foreign *from;
	struct collection *to;
	int64_t now_s;
	struct low_options *low;
};

/* A JSON column of table col. */
static int read_map(struct upgrade *u, const char *column, const char *text, bool ids, struct schema11_map *m, struct err *e)
{
	sqlite3_stmt *st = foreign_prepare(u->from, text, e);
	int rc = -1, more;

	*m = (struct schema11_map){ .root = NULL };
	if (!st)
		return -1;
	more = sql_step(&u->from->sql, st, e);
	if (more == 1)
		rc = schema11_map_init(m, column, sql_column(st, 0), ids, e);
	else if (more == 0)
		err_set(e, ERR_DAMAGED, "no row in table col");
	sqlite3_finalize(st);
	return rc;
}

/* `_` behind the name until nobody else has it. 1 when the name changed, 0, -1. */
static int free_name(struct collection *c, enum named_kind kind, int64_t id, struct buf *name, struct err *e)
{
	int64_t holder;
	int rc, changed = 0;

	while ((rc = named_holder(c, kind, buf_slice(name), &holder, e)) == 1 && holder != id) {
		buf_putc(name, '_');
		changed = 1;
	}
	return rc < 0 ? -1 : changed;
}

static int upgrade_decks(struct upgrade *u, struct err *e)
{
	struct schema11_map m;
	struct deck d;
	int rc = read_map(u, "decks", "SELECT decks FROM src.col", true, &m, e);

	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		deck_init(&d);
		rc = schema11_deck(&m.entries[i], (int32_t)u->from->usn, u->now_s, &d, e);
		if (rc == 0)
			rc = free_name(u->to, NAMED_DECK, d.id, &d.name, e);
		if (rc == 1) {
			d.mod_s = u->now_s;
			d.usn = (int32_t)u->from->usn;
			rc = 0;
		}
		if (d.usn < 0 || d.usn > u->from->usn)
			d.usn = (int32_t)u->from->usn;
		if (rc == 0)
			rc = deck_put(u->to, &d, e);
		deck_release(&d);
	}
	schema11_map_release(&m);
	return rc;
}

static int upgrade_notetypes(struct upgrade *u, struct err *e)
{
	struct schema11_map m;
	struct notetype n;
	int rc = read_map(u, "models", "SELECT models FROM src.col", true, &m, e);

	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		notetype_init(&n);
		rc = schema11_notetype(&m.entries[i], u->now_s * 1000, &n, e);
		if (rc == 0)
			rc = free_name(u->to, NAMED_NOTETYPE, n.id, &n.name, e);
		if (rc == 1)
			rc = 0;
		if (n.usn < 0 || n.usn > u->from->usn)
			n.usn = (int32_t)u->from->usn;
		if (rc == 0)
			rc = notetype_put(u->to, &n, e);
		notetype_release(&n);
	}
	schema11_map_release(&m);
	return rc;
}

/* Step 16 for one group; then it is stored. */
static int put_options(struct upgrade *u, struct deck_config *o, struct err *e)
{
	struct low_options *low = u->low;

	switch (deck_config_mend_ease(o, e)) {
	case 1:
		low->ids = xrealloc(low->ids, (low->n + 1) * sizeof *low->ids);
		low->ids[low->n++] = o->id;
		break;
	case -1:
		return -1;
	}
	if (o->usn < 0 || o->usn > u->from->usn)
		o->usn = (int32_t)u->from->usn;
	return deck_config_put(u->to, o, e);
}

static int upgrade_options_json(struct upgrade *u, const struct schema11_entry *in, struct err *e)
{
	struct deck_config o;
	int rc;

	deck_config_init(&o);
	rc = schema11_options(in, &o, e);
	if (rc == 0)
		rc = put_options(u, &o, e);
	deck_config_release(&o);
	return rc;
}

static int upgrade_options_11(struct upgrade *u, struct err *e)
{
	struct schema11_map m;
	int rc = read_map(u, "dconf", "SELECT dconf FROM src.col", true, &m, e);

	for (size_t i = 0; rc == 0 && i < m.n; i++)
		rc = upgrade_options_json(u, &m.entries[i], e);
	schema11_map_release(&m);
	return rc;
}

/* One row of version 14, whose config is still JSON, or of 15, whose ease is in percent. */
static int upgrade_options_row(struct upgrade *u, sqlite3_stmt *row, struct err *e)
{
	struct slice name = sql_column(row, 1), config = sql_column(row, 4);
	struct deck_config o;
	struct json_object *json = NULL;
	int rc = -1;

	deck_config_init(&o);
	if (u->from->version == 14) {
		if (json_parse_object(config, &JSON_LIMITS_PAYLOAD, &json, e) == 0)
			rc = upgrade_options_json(u, &(struct schema11_entry){ .id = sqlite3_column_int64(row, 0), .value = json }, e);
	} else {
		o.id = sqlite3_column_int64(row, 0);
		buf_set(&o.name, name.p, name.len);
		o.mod_s = sqlite3_column_int64(row, 2);
		o.usn = sqlite3_column_int(row, 3);
		buf_set(&o.config, config.p, config.len);
		if (deck_config_ease_from_percent(&o, e) == 0)
			rc = put_options(u, &o, e);
	}
	json_object_put(json);
	deck_config_release(&o);
	return rc;
}

static int upgrade_options_14(struct upgrade *u, struct err *e)
{
	sqlite3_stmt *st = foreign_prepare(u->from, "SELECT id, name, mtime_secs, usn, config FROM src.deck_config ORDER BY id", e);
	int rc;

	if (!st)
		return -1;
	while ((rc = sql_step(&u->from->sql, st, e)) == 1)
		if (upgrade_options_row(u, st, e) != 0) {
			rc = -1;
			break;
		}
	sqlite3_finalize(st);
	return rc;
}

/* As it is, unlike a tag from the wire. Of those that are equal the first stays. */
static int put_tag(struct upgrade *u, struct slice tag, int64_t usn, struct err *e)
{
	struct sql *s = &u->to->sql;
	sqlite3_stmt *st = sql_stmt(s, TAG_FIND, e);
	int rc;

	if (!st)
		return -1;
	sql_bind_text(st, 1, tag);
	rc = sql_step(s, st, e);
	sqlite3_reset(st);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	st = sql_stmt(s, TAG_ADD, e);
	if (!st)
		return -1;
	sql_bind_text(st, 1, tag);
	sqlite3_bind_int64(st, 2, usn < 0 || usn > u->from->usn ? u->from->usn : usn);
	return sql_run(s, st, e);
}

static int upgrade_tags(struct upgrade *u, struct err *e)
{
	struct schema11_map m;
	int rc = read_map(u, "tags", "SELECT tags FROM src.col", false, &m, e);

	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		int64_t usn;

		if (json_is_int(m.entries[i].value, INT32_MIN, INT32_MAX, &usn))
			rc = put_tag(u, m.entries[i].key, usn, e);
		else
			rc = err_set(e, ERR_BAD_REQUEST, "col.tags: the value of %.40s is no number", m.entries[i].key.p);
	}
	schema11_map_release(&m);
	return rc;
}

static int upgrade_config(struct upgrade *u, struct err *e)
{
	struct schema11_map m;
	struct buf value = BUF_INIT(BUF_UNBOUNDED);
	int rc = read_map(u, "conf", "SELECT conf FROM src.col", false, &m, e);

	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		buf_reset(&value);
		json_put_value(&value, m.entries[i].value);
		rc = conf_put(u->to, m.entries[i].key, buf_slice(&value), 0, 0, e);
	}
	schema11_map_release(&m);
	buf_release(&value);
	return rc;
}

int import_upgrade(struct foreign *from, struct collection *to, int64_t now_s, struct low_options *low, struct err *e)
{
	struct upgrade u = { from, to, now_s, low };

	if (from->version < 14 && (upgrade_options_11(&u, e) != 0 || upgrade_tags(&u, e) != 0 || upgrade_config(&u, e) != 0))
		return -1;
	if ((from->version == 14 || from->version == 15) && upgrade_options_14(&u, e) != 0)
		return -1;
	if (from->version < 15 && (upgrade_notetypes(&u, e) != 0 || upgrade_decks(&u, e) != 0))
		return -1;
	return 0;
}

struct cards_upgrade {
	struct collection *to;
	const struct low_options *low;
	sqlite3_stmt *here, *home;
	int64_t usn;
};

static int upgrade_cards_of(const struct deck *d, void *arg, struct err *e)
{
	struct cards_upgrade *u = arg;
	int64_t options;

	switch (deck_options(d, &options, e)) {
	case 0:
		return 0;
	case -1:
		return -1;
	}
	for (size_t i = 0; i < u->low->n; i++) {
		if (u->low->ids[i] != options)
			continue;
		sqlite3_bind_int64(u->here, 1, d->id);
		sqlite3_bind_int64(u->here, 2, u->usn);
		sqlite3_bind_int64(u->home, 1, d->id);
		sqlite3_bind_int64(u->home, 2, u->usn);
		if (sql_run(&u->to->sql, u->here, e) != 0 || sql_run(&u->to->sql, u->home, e) != 0)
			return -1;
	}
	return 0;
}

int import_upgrade_cards(struct collection *to, const struct low_options *low, int64_t usn, struct err *e)
{
	struct cards_upgrade u = { .to = to, .low = low, .usn = usn };
	int rc = -1;

	if (low->n == 0)
		return 0;
	if (sqlite3_prepare_v2(to->sql.db, "UPDATE main.cards SET factor = 2500, usn = ?2 WHERE did = ?1 AND factor BETWEEN 1 AND 2000",
			       -1, &u.here, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(to->sql.db, "UPDATE main.cards SET factor = 2500, usn = ?2 WHERE odid = ?1 AND odid != 0"
			       " AND factor BETWEEN 1 AND 2000", -1, &u.home, NULL) != SQLITE_OK)
		sql_err(&to->sql, e, "UPDATE cards");
	else
		rc = deck_each_pending(to, INT64_MIN, upgrade_cards_of, &u, e);
	sqlite3_finalize(u.here);
	sqlite3_finalize(u.home);
	return rc;
}

/* The note type may be missing, as in any collection that was not checked for long: then nothing sorts. */
static int compute_note(struct collection *to, sqlite3_stmt *get, sqlite3_stmt *set, int64_t id, struct err *e)
{
	struct buf sfld = BUF_INIT(BUF_UNBOUNDED);
	uint32_t sort_field = 0, csum;
	size_t n_fields;
	int rc = -1;

	sqlite3_bind_int64(get, 1, id);
	if (sql_step(&to->sql, get, e) != 1)
		return -1;
	if (notetype_shape(to, sqlite3_column_int64(get, 0), &n_fields, &sort_field, e) >= 0) {
		note_text(sql_column(get, 1), sort_field, &sfld, &csum);
		sqlite3_bind_int64(set, 1, id);
		sql_bind_text(set, 2, buf_slice(&sfld));
		sqlite3_bind_int64(set, 3, csum);
		rc = sql_run(&to->sql, set, e);
	}
	sqlite3_reset(get);
	sqlite3_clear_bindings(set);
	buf_release(&sfld);
	return rc;
}

int import_compute_notes(struct collection *to, const int64_t *ids, size_t n, struct err *e)
{
	sqlite3_stmt *get = NULL, *set = NULL;
	int rc = 0;

	if (n == 0)
		return 0;
	if (sqlite3_prepare_v2(to->sql.db, "SELECT mid, flds FROM main.notes WHERE id = ?1", -1, &get, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(to->sql.db, "UPDATE main.notes SET sfld = ?2, csum = ?3 WHERE id = ?1", -1, &set, NULL) != SQLITE_OK)
		rc = sql_err(&to->sql, e, "UPDATE notes");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = compute_note(to, get, set, ids[i], e);
	sqlite3_finalize(get);
	sqlite3_finalize(set);
	return rc;
}

void low_options_release(struct low_options *low)
{
	free(low->ids);
	*low = (struct low_options){ .ids = NULL };
}
