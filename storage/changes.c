/* See changes.h. */
#include "storage/changes.h"

#include "base/json.h"
#include "format/note_text.h"
#include "storage/collection_priv.h"

int graves_each_pending(struct collection *c, int64_t min_usn, grave_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, GRAVES_PENDING, e);
	int rc;

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, min_usn);
	while ((rc = sql_step(&c->sql, st, e)) == 1) {
		int64_t type = sqlite3_column_int64(st, 1);

		if (type < GRAVE_CARD || type > GRAVE_DECK)
			continue;
		if (fn(sqlite3_column_int64(st, 0), (enum grave_type)type, arg, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

int grave_apply(struct collection *c, int64_t id, enum grave_type type, int64_t usn, struct err *e)
{
	static const enum col_stmt deletes[] = {
		[GRAVE_CARD] = CARD_DELETE,
		[GRAVE_NOTE] = NOTE_DELETE,
		[GRAVE_DECK] = DECK_DELETE,
	};
	sqlite3_stmt *st = sql_stmt(&c->sql, (int)deletes[type], e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	if (sql_run(&c->sql, st, e) != 0 || !(st = sql_stmt(&c->sql, GRAVE_PUT, e)))
		return -1;
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, type);
	sqlite3_bind_int64(st, 3, usn);
	return sql_run(&c->sql, st, e);
}

static void enter_table(struct cursor *cur, int64_t table)
{
	cur->table = table;
	cur->usn = cur->min_usn - 1;
	cur->id = INT64_MAX;
}

void cursor_start(struct cursor *cur, int64_t min_usn)
{
	cur->min_usn = min_usn;
	enter_table(cur, CURSOR_REVLOG);
}

static void print_revlog(struct buf *out, sqlite3_stmt *st)
{
	struct revlog_row r = {
		.id = sqlite3_column_int64(st, 0),
		.cid = sqlite3_column_int64(st, 1),
		.usn = sqlite3_column_int64(st, 2),
		.ease = sqlite3_column_int64(st, 3),
		.ivl = sqlite3_column_int64(st, 4),
		.last_ivl = sqlite3_column_int64(st, 5),
		.factor = sqlite3_column_int64(st, 6),
		.time_ms = sqlite3_column_int64(st, 7),
		.type = sqlite3_column_int64(st, 8),
	};

	revlog_print(out, &r);
}

static void print_card(struct buf *out, sqlite3_stmt *st)
{
	struct card_row r = {
		.id = sqlite3_column_int64(st, 0),
		.nid = sqlite3_column_int64(st, 1),
		.did = sqlite3_column_int64(st, 2),
		.ord = sqlite3_column_int64(st, 3),
		.mod_s = sqlite3_column_int64(st, 4),
		.usn = sqlite3_column_int64(st, 5),
		.type = sqlite3_column_int64(st, 6),
		.queue = sqlite3_column_int64(st, 7),
		.due = sqlite3_column_int64(st, 8),
		.ivl = sqlite3_column_int64(st, 9),
		.factor = sqlite3_column_int64(st, 10),
		.reps = sqlite3_column_int64(st, 11),
		.lapses = sqlite3_column_int64(st, 12),
		.left = sqlite3_column_int64(st, 13),
		.odue = sqlite3_column_int64(st, 14),
		.odid = sqlite3_column_int64(st, 15),
		.flags = sqlite3_column_int64(st, 16),
		.data = sql_column(st, 17),
	};

	card_print(out, &r);
}

static void print_note(struct buf *out, sqlite3_stmt *st)
{
	struct note_row r = {
		.id = sqlite3_column_int64(st, 0),
		.guid = sql_column(st, 1),
		.mid = sqlite3_column_int64(st, 2),
		.mod_s = sqlite3_column_int64(st, 3),
		.usn = sqlite3_column_int64(st, 4),
		.tags = sql_column(st, 5),
		.flds = sql_column(st, 6),
	};

	note_print(out, &r);
}

static const struct table {
	const char *key;
	enum col_stmt at_usn, above_usn;
	int usn_column;
	enum grave_type grave; /* of cards and notes */
	void (*print)(struct buf *out, sqlite3_stmt *st);
} tables[] = {
	[CURSOR_REVLOG] = { "revlog", REVLOG_AT_USN, REVLOG_ABOVE_USN, 2, GRAVE_DECK, print_revlog },
	[CURSOR_CARDS] = { "cards", CARDS_AT_USN, CARDS_ABOVE_USN, 5, GRAVE_CARD, print_card },
	[CURSOR_NOTES] = { "notes", NOTES_AT_USN, NOTES_ABOVE_USN, 4, GRAVE_NOTE, print_note },
};

struct printing {
	struct collection *c;
	struct cursor *cur;
	size_t max_rows, end_bytes;
	buried_fn *buried;
	void *arg;
	struct buf *out;
	size_t rows, *by_table;
	bool open_list;
};

static bool full(const struct printing *p)
{
	return p->rows >= p->max_rows || p->out->len >= p->end_bytes;
}

static void print_row(struct printing *p, const struct table *t, sqlite3_stmt *st)
{
	int64_t id = sqlite3_column_int64(st, 0);

	p->cur->usn = sqlite3_column_int64(st, t->usn_column);
	p->cur->id = id;
	if (t->grave != GRAVE_DECK && p->buried && p->buried(t->grave, id, p->arg))
		return;
	if (!p->open_list) {
		json_put_key(p->out, t->key);
		buf_putc(p->out, '[');
	} else {
		buf_putc(p->out, ',');
	}
	p->open_list = true;
	t->print(p->out, st);
	p->rows++;
	p->by_table[p->cur->table]++;
}

/* All rows of one statement that are left. 1: the reply is full; 0: no more rows; -1. */
static int print_rest(struct printing *p, const struct table *t, enum col_stmt n, struct err *e)
{
	size_t limit, seen;

	do {
		sqlite3_stmt *st = sql_stmt(&p->c->sql, (int)n, e);
		int rc;

		if (!st)
			return -1;
		limit = p->max_rows - p->rows + 1;
		seen = 0;
		sqlite3_bind_int64(st, 1, p->cur->usn);
		if (n == t->at_usn)
			sqlite3_bind_int64(st, 2, p->cur->id);
		sqlite3_bind_int64(st, 3, (int64_t)limit);
		while ((rc = sql_step(&p->c->sql, st, e)) == 1) {
			if (full(p)) {
				sqlite3_reset(st);
				return 1;
			}
			seen++;
			print_row(p, t, st);
		}
		if (rc < 0)
			return -1;
		/* Buried rows were not printed, so LIMIT may have ended the rows too early: look again behind the last one. */
		if (seen == limit)
			n = t->at_usn;
	} while (seen == limit);
	return 0;
}

static int print_table(struct printing *p, struct err *e)
{
	const struct table *t = &tables[p->cur->table];
	int rc;

	p->open_list = false;
	rc = print_rest(p, t, t->at_usn, e);
	while (rc == 0) {
		int64_t usn = p->cur->usn;

		rc = print_rest(p, t, t->above_usn, e);
		if (rc == 0 && p->cur->usn == usn)
			break;
	}
	if (p->open_list)
		buf_putc(p->out, ']');
	return rc;
}

int changes_print(struct collection *c, struct cursor *cur, size_t max_rows, size_t soft_bytes, buried_fn *buried, void *arg,
		  struct buf *out, size_t rows[CURSOR_END], struct err *e)
{
	struct printing p = { c, cur, max_rows, out->len + soft_bytes, buried, arg, out, .by_table = rows };
	int rc = 0;

	memset(rows, 0, CURSOR_END * sizeof *rows);
	c->large_job = true;
	while (cur->table < CURSOR_END && rc == 0) {
		rc = print_table(&p, e);
		if (rc == 0)
			enter_table(cur, cur->table + 1);
	}
	return rc < 0 ? -1 : 0;
}

static void bind_ints(sqlite3_stmt *st, int from, const int64_t *v, int n)
{
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(st, from + i, v[i]);
}

static int run_card(struct collection *c, enum col_stmt n, const struct card_row *r, int64_t min_usn, int64_t usn, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, (int)n, e);
	const int64_t v[] = { r->id,  r->nid, r->did,    r->ord,  r->mod_s,  usn,     r->type, r->queue, r->due,
			      r->ivl, r->factor, r->reps, r->lapses, r->left, r->odue, r->odid, r->flags };

	if (!st)
		return -1;
	bind_ints(st, 1, v, 17);
	sql_bind_text(st, 18, r->data);
	sqlite3_bind_int64(st, 19, min_usn);
	return sql_run(&c->sql, st, e);
}

int card_merge(struct collection *c, const struct card_row *r, int64_t min_usn, int64_t usn, struct err *e)
{
	if (run_card(c, CARD_CHANGE, r, min_usn, usn, e) != 0)
		return -1;
	return sqlite3_changes(c->sql.db) ? 0 : run_card(c, CARD_PUT, r, min_usn, usn, e);
}

int revlog_merge(struct collection *c, const struct revlog_row *r, int64_t usn, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, REVLOG_PUT, e);
	const int64_t v[] = { r->id, r->cid, usn, r->ease, r->ivl, r->last_ivl, r->factor, r->time_ms, r->type };

	if (!st)
		return -1;
	bind_ints(st, 1, v, 9);
	return sql_run(&c->sql, st, e);
}

struct note_values { /* what is computed */
	struct buf tags, sfld;
	uint32_t csum;
};

static int run_note(struct collection *c, enum col_stmt n, const struct note_row *r, const struct note_values *v, int64_t min_usn,
		    int64_t usn, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, (int)n, e);
	int rc;

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, r->id);
	sql_bind_text(st, 2, r->guid);
	sqlite3_bind_int64(st, 3, r->mid);
	sqlite3_bind_int64(st, 4, r->mod_s);
	sqlite3_bind_int64(st, 5, usn);
	sql_bind_text(st, 6, buf_slice(&v->tags));
	sql_bind_text(st, 7, r->flds);
	sql_bind_text(st, 8, buf_slice(&v->sfld));
	sqlite3_bind_int64(st, 9, v->csum);
	sqlite3_bind_int64(st, 10, min_usn);
	rc = sql_run(&c->sql, st, e);
	sqlite3_clear_bindings(st);
	return rc;
}

int note_merge(struct collection *c, const struct note_row *r, uint32_t sort_field, int64_t min_usn, int64_t usn, struct err *e)
{
	struct note_values v = { BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED), 0 };
	int rc;

	note_tags_column(&v.tags, r->tags);
	note_text(r->flds, sort_field, &v.sfld, &v.csum);
	rc = run_note(c, NOTE_CHANGE, r, &v, min_usn, usn, e);
	if (rc == 0 && sqlite3_changes(c->sql.db) == 0)
		rc = run_note(c, NOTE_PUT, r, &v, min_usn, usn, e);
	buf_release(&v.tags);
	buf_release(&v.sfld);
	return rc;
}
