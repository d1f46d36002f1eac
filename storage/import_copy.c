/*
 * See import_copy.h. A row is copied as it is when all its values are plain: of the type and in the range that the wire
 * can carry. One C function per table judges that, inside the copying statement: an expression in SQL would take longer
 * than the copying itself. The other rows, as a rule none, are copied by a second statement that mends them. The function
 * counts what it sees: a table is read once.
 *
 * Each statement has a WHERE clause. Without one, SQLite would copy the records as they are, with all their faults
 * (performance-facts.md, "Upload").
 */
#include "storage/import_copy.h"

#include <assert.h>

#include "base/utf8.h"

enum rule_kind { RULE_INT, RULE_USN, RULE_TEXT, RULE_UTF8, RULE_KEY, RULE_BLOB, RULE_BLOB_OR_NULL, RULE_SORT_FIELD };
struct rule {
	enum rule_kind kind;
	int64_t lo, hi;
};

#define R_ANY_INT { RULE_INT, INT64_MIN, INT64_MAX }
#define R_I32 { RULE_INT, INT32_MIN, INT32_MAX }
#define R_U32 { RULE_INT, 0, UINT32_MAX }
#define R_U16 { RULE_INT, 0, UINT16_MAX }
#define R_U8 { RULE_INT, 0, UINT8_MAX }
#define R_USN { RULE_USN, 0, 0 }
#define R_TEXT { RULE_TEXT, 0, 0 }
#define R_UTF8 { RULE_UTF8, 0, 0 }
#define R_BLOB { RULE_BLOB, 0, 0 }

/* The same in SQL, for rows that are not plain. */
#define CLAMP(column, lo, hi) "min(max(coalesce(CAST(" column " AS integer), 0), " lo "), " hi ")"
#define M_ANY_INT(column) "coalesce(CAST(" column " AS integer), 0)"
#define M_I32(column) CLAMP(column, "-2147483648", "2147483647")
#define M_U32(column) CLAMP(column, "0", "4294967295")
#define M_U16(column) CLAMP(column, "0", "65535")
#define M_U8(column) CLAMP(column, "0", "255")
#define M_USN "CASE WHEN typeof(usn) = 'integer' AND usn BETWEEN 0 AND ?1 THEN usn ELSE ?1 END"
#define M_TEXT(column) "coalesce(CAST(" column " AS text), '')"
#define M_UTF8(column) "valid_text(" M_TEXT(column) ")"
#define M_BLOB(column) "coalesce(CAST(" column " AS blob), x'')"

enum { MAX_COLUMNS = 18, PLAIN_FUNCTION_ARGS = 18 };

struct table_copy {
	enum foreign_table table;
	int from, to; /* versions */
	bool large, lossy; /* lossy: rows may stay behind */
	const char *function;
	struct rule rules[MAX_COLUMNS];
	int n_rules;
	/* Plain and mending: as one statement; or, when the foreign file cannot be attached, to be read and inserted. */
	const char *copy[2], *read[2], *insert;
};

#define RULES(...) { __VA_ARGS__ }, sizeof((struct rule[]){ __VA_ARGS__ }) / sizeof(struct rule)
#define COPY(name, verb, columns, marks, plain, odd, rest) \
	{ verb " INTO main." name " (" columns ") SELECT " plain " FROM src." name " NOT INDEXED WHERE plain_" name "(" plain ")", \
	  verb " INTO main." name " (" columns ") SELECT " odd " FROM src." name " NOT INDEXED WHERE NOT plain_" name "(" plain ")" rest }, \
	{ "SELECT " plain " FROM src." name " NOT INDEXED WHERE plain_" name "(" plain ")", \
	  "SELECT " odd " FROM src." name " NOT INDEXED WHERE NOT plain_" name "(" plain ")" rest }, \
	verb " INTO main." name " (" columns ") VALUES (" marks ")"

#define NOTE_COLUMNS "id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data"
#define CARD_COLUMNS "id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data"
#define REVLOG_COLUMNS "id, cid, usn, ease, ivl, lastIvl, factor, time, type"
#define TAG_COLUMNS "tag, usn, collapsed, config"
#define CONFIG_COLUMNS "KEY, usn, mtime_secs, val"
#define DECK_COLUMNS "id, name, mtime_secs, usn, common, kind"
#define OPTIONS_COLUMNS "id, name, mtime_secs, usn, config"
#define FIELD_COLUMNS "ntid, ord, name, config"
#define TEMPLATE_COLUMNS "ntid, ord, name, mtime_secs, usn, config"

static const struct table_copy copies[] = {
	{ FOREIGN_DECK_CONFIG, 16, 18, false, false, "plain_deck_config",
	  RULES(R_ANY_INT, R_TEXT, R_ANY_INT, R_USN, R_BLOB),
	  COPY("deck_config", "INSERT", OPTIONS_COLUMNS, "?1, ?2, ?3, ?4, ?5", OPTIONS_COLUMNS,
	       "id, " M_TEXT("name") ", " M_ANY_INT("mtime_secs") ", " M_USN ", " M_BLOB("config"), "") },
	{ FOREIGN_DECKS, 15, 18, false, false, "plain_decks",
	  RULES(R_ANY_INT, R_TEXT, R_ANY_INT, R_USN, R_BLOB, R_BLOB),
	  COPY("decks", "INSERT", DECK_COLUMNS, "?1, ?2, ?3, ?4, ?5, ?6", DECK_COLUMNS,
	       "id, " M_TEXT("name") ", " M_ANY_INT("mtime_secs") ", " M_USN ", " M_BLOB("common") ", " M_BLOB("kind"), "") },
	{ FOREIGN_NOTETYPES, 15, 18, false, false, "plain_notetypes",
	  RULES(R_ANY_INT, R_TEXT, R_ANY_INT, R_USN, R_BLOB),
	  COPY("notetypes", "INSERT", OPTIONS_COLUMNS, "?1, ?2, ?3, ?4, ?5", OPTIONS_COLUMNS,
	       "id, " M_TEXT("name") ", " M_ANY_INT("mtime_secs") ", " M_USN ", " M_BLOB("config"), "") },
	{ FOREIGN_FIELDS, 15, 18, false, false, "plain_fields",
	  RULES(R_ANY_INT, R_U32, R_TEXT, R_BLOB),
	  COPY("fields", "INSERT", FIELD_COLUMNS, "?1, ?2, ?3, ?4", FIELD_COLUMNS,
	       "ntid, " M_U32("ord") ", " M_TEXT("name") ", " M_BLOB("config"), "") },
	{ FOREIGN_TEMPLATES, 15, 18, false, false, "plain_templates",
	  RULES(R_ANY_INT, R_U32, R_TEXT, R_ANY_INT, R_USN, R_BLOB),
	  COPY("templates", "INSERT", TEMPLATE_COLUMNS, "?1, ?2, ?3, ?4, ?5, ?6", TEMPLATE_COLUMNS,
	       "ntid, " M_U32("ord") ", " M_TEXT("name") ", " M_ANY_INT("mtime_secs") ", " M_USN ", " M_BLOB("config"), "") },
	/*
	 * After an upload clients have usn -1 in here, and nobody minds (collection-format.md §8). A key with a NUL stays behind: no
	 * message could carry it, so that the first sync would fail and all that followed.
	 */
	{ FOREIGN_CONFIG, 14, 18, false, true, "plain_config",
	  RULES({ RULE_KEY }, R_I32, R_ANY_INT, R_BLOB),
	  COPY("config", "INSERT", CONFIG_COLUMNS, "?1, ?2, ?3, ?4", CONFIG_COLUMNS,
	       M_TEXT("KEY") ", " M_I32("usn") ", " M_ANY_INT("mtime_secs") ", " M_BLOB("val"),
	       " AND instr(" M_TEXT("KEY") ", char(0)) = 0") },
	{ FOREIGN_TAGS, 17, 18, false, false, "plain_tags",
	  RULES(R_TEXT, R_USN, { RULE_INT, 0, 1 }, { RULE_BLOB_OR_NULL }),
	  COPY("tags", "INSERT", TAG_COLUMNS, "?1, ?2, ?3, ?4", TAG_COLUMNS,
	       M_TEXT("tag") ", " M_USN ", " CLAMP("collapsed", "0", "1") ", CAST(config AS blob)", "") },
	{ FOREIGN_TAGS, 14, 16, false, false, "plain_tags",
	  RULES(R_TEXT, R_USN, { RULE_INT, 0, 1 }, { RULE_BLOB_OR_NULL }),
	  COPY("tags", "INSERT", TAG_COLUMNS, "?1, ?2, ?3, ?4", "tag, usn, 1, NULL", M_TEXT("tag") ", " M_USN ", 1, NULL", "") },
	/* Of doubled ones (there is no key before 18) the first counts; those of unknown things delete nothing anywhere. */
	{ FOREIGN_GRAVES, 11, 18, false, true, "plain_graves",
	  RULES(R_ANY_INT, { RULE_INT, 0, 2 }, R_USN),
	  COPY("graves", "INSERT OR IGNORE", "oid, type, usn", "?1, ?2, ?3", "oid, type, usn", "oid, type, " M_USN,
	       " AND typeof(oid) = 'integer' AND type IN (0, 1, 2)") },
	{ FOREIGN_NOTES, 11, 18, true, false, "plain_notes",
	  RULES(R_ANY_INT, R_UTF8, R_ANY_INT, R_ANY_INT, R_USN, R_UTF8, R_UTF8, { RULE_SORT_FIELD }, R_U32, R_U32, R_UTF8),
	  COPY("notes", "INSERT", NOTE_COLUMNS, "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11", NOTE_COLUMNS,
	       "id, " M_UTF8("guid") ", " M_ANY_INT("mid") ", " M_ANY_INT("mod") ", " M_USN ", " M_UTF8("tags") ", "
	       "valid_fields(id, " M_TEXT("flds") "), CASE WHEN typeof(sfld) IN ('integer', 'real') THEN sfld ELSE "
	       M_UTF8("sfld") " END, " M_U32("csum") ", " M_U32("flags") ", " M_UTF8("data"), "") },
	{ FOREIGN_CARDS, 11, 18, true, false, "plain_cards",
	  RULES(R_ANY_INT, R_ANY_INT, R_ANY_INT, R_U16, R_ANY_INT, R_USN, { RULE_INT, 0, 3 }, { RULE_INT, -3, 4 }, R_I32, R_U32,
		R_U16, R_U32, R_U32, R_U32, R_I32, R_ANY_INT, R_U8, R_TEXT),
	  COPY("cards", "INSERT", CARD_COLUMNS,
	       "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18", CARD_COLUMNS,
	       "id, " M_ANY_INT("nid") ", " M_ANY_INT("did") ", " M_U16("ord") ", " M_ANY_INT("mod") ", " M_USN ", "
	       CLAMP("type", "0", "3") ", " CLAMP("queue", "-3", "4") ", " M_I32("due") ", " M_U32("ivl") ", "
	       M_U16("factor") ", " M_U32("reps") ", " M_U32("lapses") ", " M_U32("left") ", " M_I32("odue") ", "
	       M_ANY_INT("odid") ", " M_U8("flags") ", " M_TEXT("data"), "") },
	{ FOREIGN_REVLOG, 11, 18, true, false, "plain_revlog",
	  RULES(R_ANY_INT, R_ANY_INT, R_USN, R_U8, R_I32, R_I32, R_U32, R_U32, { RULE_INT, 0, 5 }),
	  COPY("revlog", "INSERT", REVLOG_COLUMNS, "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9", REVLOG_COLUMNS,
	       "id, " M_ANY_INT("cid") ", " M_USN ", " M_U8("ease") ", " M_I32("ivl") ", " M_I32("lastIvl") ", "
	       M_U32("factor") ", " M_U32("time") ", CASE WHEN type IN (0, 1, 2, 3, 4, 5) THEN CAST(type AS integer) ELSE 0 END",
	       "") },
};

static const struct table_copy *const copies_end = copies + sizeof copies / sizeof *copies;

/* What the SQL functions get as their user data: one after the other, they share what they count. */
struct plain_context {
	const struct rule *rules;
	struct import_copy *copy;
};

static struct slice text_of(sqlite3_value *v)
{
	const char *p = (const char *)sqlite3_value_text(v);
	int n = sqlite3_value_bytes(v);

	return p ? (struct slice){ p, (size_t)n } : SLICE("");
}

static bool is_plain(const struct rule *r, sqlite3_value *v, int64_t usn_max)
{
	int type = sqlite3_value_type(v);
	int64_t n;

	switch (r->kind) {
	case RULE_INT:
		if (type != SQLITE_INTEGER)
			return false;
		n = sqlite3_value_int64(v);
		return n >= r->lo && n <= r->hi;
	case RULE_USN:
		if (type != SQLITE_INTEGER)
			return false;
		n = sqlite3_value_int64(v);
		return n >= 0 && n <= usn_max;
	case RULE_TEXT:
		return type == SQLITE_TEXT;
	case RULE_UTF8:
		return type == SQLITE_TEXT && utf8_valid(text_of(v));
	case RULE_KEY:
		return type == SQLITE_TEXT && !memchr(text_of(v).p, 0, text_of(v).len);
	case RULE_BLOB:
		return type == SQLITE_BLOB;
	case RULE_BLOB_OR_NULL:
		return type == SQLITE_BLOB || type == SQLITE_NULL;
	case RULE_SORT_FIELD:
		return type == SQLITE_TEXT ? utf8_valid(text_of(v)) : type != SQLITE_BLOB && type != SQLITE_NULL;
	}
	return false;
}

static void plain_function(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	const struct plain_context *p = sqlite3_user_data(ctx);
	bool plain = true;

	for (int i = 0; i < n && plain; i++)
		plain = is_plain(&p->rules[i], values[i], p->copy->usn_max);
	p->copy->seen[plain ? 0 : 1]++;
	sqlite3_result_int(ctx, plain);
}

static bool result_valid(sqlite3_context *ctx, sqlite3_value *v)
{
	struct buf valid = BUF_INIT(BUF_UNBOUNDED);
	struct slice text = text_of(v);

	if (utf8_valid(text)) {
		sqlite3_result_value(ctx, v);
		return true;
	}
	utf8_put_lossy(&valid, text);
	sqlite3_result_text64(ctx, buf_str(&valid), valid.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	buf_release(&valid);
	return false;
}

/*
 * What no client can read as text, with U+FFFD in place of the bytes that are none: what Check Database makes of it, and all
 * that the wire could carry.
 */
static void valid_text(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	(void)n;
	result_valid(ctx, values[0]);
}

/* The same for a note's fields: what is computed from them has to be computed anew. */
static void valid_fields(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	struct import_copy *c = sqlite3_user_data(ctx);

	(void)n;
	if (result_valid(ctx, values[1]))
		return;
	if ((c->n_changed & (c->n_changed - 1)) == 0) /* at powers of two */
		c->changed_notes = xrealloc(c->changed_notes, (c->n_changed ? 2 * c->n_changed : 1) * sizeof *c->changed_notes);
	c->changed_notes[c->n_changed++] = sqlite3_value_int64(values[0]);
}

static int add_functions(struct import_copy *c, sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;

	if (sqlite3_create_function(db, "valid_text", 1, flags, NULL, valid_text, NULL, NULL) != SQLITE_OK ||
	    sqlite3_create_function(db, "valid_fields", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, c, valid_fields, NULL, NULL) != SQLITE_OK)
		return -1;
	sqlite3_limit(db, SQLITE_LIMIT_FUNCTION_ARG, PLAIN_FUNCTION_ARGS);
	for (const struct table_copy *t = copies; t < copies_end; t++) {
		struct plain_context *p = xmalloc(sizeof *p);

		*p = (struct plain_context){ t->rules, c };
		if (sqlite3_create_function_v2(db, t->function, t->n_rules, flags, p, plain_function, NULL, NULL, free) != SQLITE_OK)
			return -1;
	}
	return 0;
}

static int attach(struct import_copy *c, struct err *e)
{
	char uri[4200];
	sqlite3_stmt *st = NULL;
	int rc = -1;

	snprintf(uri, sizeof uri, "file:%s?immutable=1&mode=ro", c->from->path);
	c->to->trusted = true;
	if (sqlite3_prepare_v2(c->to->db, "ATTACH ?1 AS src", -1, &st, NULL) != SQLITE_OK)
		sql_err(c->to, e, "attach");
	else if (sqlite3_bind_text(st, 1, uri, -1, SQLITE_STATIC), sql_run(c->to, st, e) == 0)
		rc = 0;
	sqlite3_finalize(st);
	c->to->trusted = false;
	return rc;
}

int import_copy_init(struct import_copy *c, struct foreign *from, struct sql *to, int64_t usn_max, struct err *e)
{
	*c = (struct import_copy){ .from = from, .to = to, .attached = !from->utf16, .usn_max = usn_max };
	if (add_functions(c, c->attached ? to->db : from->sql.db) != 0)
		return sql_err(to, e, "functions");
	return c->attached ? attach(c, e) : 0;
}

/* As one statement. *rows: how many it inserted. */
static int copy_inside(struct import_copy *c, const char *text, int64_t *rows, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (sqlite3_prepare_v2(c->to->db, text, -1, &st, NULL) != SQLITE_OK) {
		sql_err(c->to, e, text);
	} else {
		if (sqlite3_bind_parameter_count(st) > 0)
			sqlite3_bind_int64(st, 1, c->usn_max);
		rc = sql_run(c->to, st, e);
		*rows = sqlite3_changes64(c->to->db);
	}
	sqlite3_finalize(st);
	return rc;
}

/* Row by row, from a connection that reads another encoding. */
static int copy_across(struct import_copy *c, const char *read, const char *insert, int64_t *rows, struct err *e)
{
	sqlite3_stmt *in = foreign_prepare(c->from, read, e), *out = NULL;
	int rc = -1, more;

	if (!in)
		return -1;
	if (sqlite3_prepare_v2(c->to->db, insert, -1, &out, NULL) != SQLITE_OK) {
		sql_err(c->to, e, insert);
		goto out;
	}
	if (sqlite3_bind_parameter_count(in) > 0)
		sqlite3_bind_int64(in, 1, c->usn_max);
	*rows = 0;
	while ((more = sql_step(&c->from->sql, in, e)) == 1) {
		for (int i = 0; i < sqlite3_column_count(in); i++)
			sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
		if (sql_run(c->to, out, e) != 0)
			goto out;
		*rows += sqlite3_changes64(c->to->db);
	}
	rc = more;
out:
	sqlite3_finalize(in);
	sqlite3_finalize(out);
	return rc;
}

static int copy_rows(struct import_copy *c, const struct table_copy *t, bool odd, int64_t *rows, struct err *e)
{
	c->seen[0] = c->seen[1] = 0;
	return c->attached ? copy_inside(c, t->copy[odd], rows, e) : copy_across(c, t->read[odd], t->insert, rows, e);
}

/* A row that was seen and is not there, or of which an index knows nothing, must not go unnoticed. */
static int copy_table(struct import_copy *c, const struct table_copy *t, struct err *e)
{
	int64_t want = c->from->rows[t->table], rows, mended = 0, odd;

	if (copy_rows(c, t, false, &rows, e) != 0)
		return -1;
	odd = c->seen[1];
	if (c->seen[0] + odd != want)
		return err_set(e, ERR_DAMAGED, "%lld rows in table %s, but %lld in an index of it", (long long)(c->seen[0] + odd),
			       t->function + strlen("plain_"), (long long)want);
	if (odd && copy_rows(c, t, true, &mended, e) != 0)
		return -1;
	c->mended += mended;
	if (!t->lossy && rows + mended != want)
		return err_set(e, ERR_DAMAGED, "%s: %lld rows where %lld were counted", t->function + strlen("plain_"),
			       (long long)(rows + mended), (long long)want);
	return 0;
}

int import_copy_tables(struct import_copy *c, bool large, struct err *e)
{
	for (const struct table_copy *t = copies; t < copies_end; t++)
		if (t->large == large && c->from->version >= t->from && c->from->version <= t->to && copy_table(c, t, e) != 0)
			return -1;
	return 0;
}

void import_copy_release(struct import_copy *c)
{
	free(c->changed_notes);
	c->changed_notes = NULL;
}
