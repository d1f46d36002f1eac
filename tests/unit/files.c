/* See files.h. */
#include "tests/unit/files.h"

#include <fcntl.h>
#include <fts.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/stream.h"
#include "format/unicase.h"

static char folder[256];

int files_setup(void **state)
{
	char here[128], *end;

	(void)state;
	/* The build folder: an absolute path without symbolic links, which SQLite would refuse. */
	end = getcwd(here, sizeof here);
	assert_non_null(end);
	snprintf(folder, sizeof folder, "%s/files-XXXXXX", here);
	assert_non_null(mkdtemp(folder));
	return 0;
}

static void empty_folder(bool itself)
{
	char *paths[] = { folder, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *f;

	while ((f = fts_read(walk)) != NULL)
		if (f->fts_info != FTS_D && (f->fts_level > 0 || itself))
			remove(f->fts_accpath);
	fts_close(walk);
}

int files_clear(void **state)
{
	(void)state;
	empty_folder(false);
	return 0;
}

int files_teardown(void **state)
{
	(void)state;
	empty_folder(true);
	return 0;
}

const char *files_folder(void)
{
	return folder;
}

const char *files_path(const char *name)
{
	static char paths[32][400];
	size_t at = strlen(folder) + 1, i = 0;

	for (; paths[i][0]; i++)
		if (strcmp(paths[i] + at, name) == 0)
			return paths[i];
	assert_true(i + 1 < sizeof paths / sizeof *paths);
	snprintf(paths[i], sizeof paths[i], "%s/%s", folder, name);
	return paths[i];
}

void files_expect_only(size_t n, const char *const *names)
{
	char *paths[] = { folder, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *f;

	while ((f = fts_read(walk)) != NULL) {
		bool known = f->fts_info == FTS_D || f->fts_info == FTS_DP;

		for (size_t i = 0; i < n && !known; i++)
			known = strcmp(f->fts_name, names[i]) == 0;
		if (!known)
			fail_msg("left behind: %s", f->fts_path);
	}
	fts_close(walk);
}

const char *files_golden(const char *golden, const char *name)
{
	const char *dir = getenv("VECTORS"), *path = files_path(name);
	struct zstd_source zstd;
	struct fd_source from;
	struct fd_sink to;
	struct err e = ERR_INIT;
	char packed[4096];
	int in, out;

	snprintf(packed, sizeof packed, "%s/collections/%s.anki2.zst", dir ? dir : "tests/vectors", golden);
	in = open(packed, O_RDONLY | O_CLOEXEC);
	out = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		fail_msg("%s or %s: cannot be opened", packed, path);
	fd_source_init(&from, in);
	fd_sink_init(&to, out);
	zstd_source_init(&zstd, &from.source, 1 << 30);
	if (source_to_sink(&zstd.source, &to.sink, NULL, &e) != 0)
		fail_msg("%s: %s", packed, e.msg);
	zstd_source_release(&zstd);
	close(in);
	close(out);
	return path;
}

static int collate(void *unused, int a_len, const void *a, int b_len, const void *b)
{
	(void)unused;
	return unicase_compare((struct slice){ a, (size_t)a_len }, (struct slice){ b, (size_t)b_len });
}

static sqlite3 *open_db(const char *path, bool immutable)
{
	char uri[600];
	sqlite3 *db;

	snprintf(uri, sizeof uri, "file:%s%s", path, immutable ? "?immutable=1" : "");
	if (sqlite3_open_v2(uri, &db, (immutable ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_URI,
			    NULL) != SQLITE_OK)
		fail_msg("%s: %s", path, sqlite3_errmsg(db));
	sqlite3_create_collation(db, "unicase", SQLITE_UTF8, NULL, collate);
	return db;
}

void files_sql(const char *path, const char *sql)
{
	sqlite3 *db = open_db(path, false);

	sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

const char *files_ask(const char *path, const char *sql)
{
	static char answer[4096];
	sqlite3 *db = open_db(path, true);
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL)
		snprintf(answer, sizeof answer, "%s", sqlite3_column_text(st, 0));
	else
		snprintf(answer, sizeof answer, "NULL");
	sqlite3_finalize(st);
	sqlite3_close(db);
	return answer;
}

static void recode_table(sqlite3 *from, sqlite3 *to, const char *name)
{
	char text[200], marks[100] = "?";
	sqlite3_stmt *in, *out;

	snprintf(text, sizeof text, "SELECT * FROM %s", name);
	assert_int_equal(sqlite3_prepare_v2(from, text, -1, &in, NULL), SQLITE_OK);
	for (int i = 1; i < sqlite3_column_count(in); i++)
		memcpy(marks + 2 * i - 1, ",?", 3);
	snprintf(text, sizeof text, "INSERT INTO %s VALUES (%s)", name, marks);
	assert_int_equal(sqlite3_prepare_v2(to, text, -1, &out, NULL), SQLITE_OK);
	while (sqlite3_step(in) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(in); i++)
			sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
		assert_int_equal(sqlite3_step(out), SQLITE_DONE);
		sqlite3_reset(out);
	}
	sqlite3_finalize(in);
	sqlite3_finalize(out);
}

void files_recode(const char *from_path, const char *to_path, const char *encoding)
{
	sqlite3 *from = open_db(from_path, true), *to = open_db(to_path, false);
	sqlite3_stmt *tables;
	char pragma[80];

	snprintf(pragma, sizeof pragma, "PRAGMA synchronous=OFF; PRAGMA encoding='%s'", encoding);
	assert_int_equal(sqlite3_exec(to, pragma, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(from, "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
					    -1, &tables, NULL), SQLITE_OK);
	while (sqlite3_step(tables) == SQLITE_ROW) {
		assert_int_equal(sqlite3_exec(to, (const char *)sqlite3_column_text(tables, 1), NULL, NULL, NULL), SQLITE_OK);
		recode_table(from, to, (const char *)sqlite3_column_text(tables, 0));
	}
	sqlite3_finalize(tables);
	sqlite3_close(from);
	sqlite3_close(to);
}

void files_write(const char *path, size_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
	close(fd);
}

void files_cut(const char *path, size_t length)
{
	assert_int_equal(truncate(path, (off_t)length), 0);
}

size_t files_size(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

#define USN "CASE WHEN usn < 0 THEN (SELECT usn FROM col) ELSE usn END"

/* Columns whose names begin with "blob" or "json" are compared as what they mean. */
static const struct {
	const char *table, *sql, *clock_sql;
} compared[] = {
	{ "col", "SELECT id, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col", NULL },
	{ "notes", "SELECT id, guid, mid, mod, " USN ", tags, flds, sfld, typeof(sfld), csum, flags, data FROM notes ORDER BY id", NULL },
	{ "cards", "SELECT id, nid, did, ord, mod, " USN ", type, queue, CAST(due AS integer), CAST(ivl AS integer), factor, reps, lapses,"
	  " left, odue, odid, flags, data FROM cards ORDER BY id", NULL },
	{ "revlog", "SELECT id, cid, " USN ", ease, ivl, lastIvl, factor, time, type FROM revlog ORDER BY id", NULL },
	{ "graves", "SELECT oid, type, " USN " FROM graves ORDER BY oid, type", NULL },
	{ "config", "SELECT KEY, usn, mtime_secs, typeof(val), val FROM config ORDER BY KEY", "SELECT KEY, typeof(val), val FROM config ORDER BY KEY" },
	{ "tags", "SELECT tag, " USN ", collapsed, config FROM tags ORDER BY tag", "SELECT tag, " USN " FROM tags ORDER BY tag" },
	{ "decks", "SELECT id, name, mtime_secs, " USN ", common AS blob_common, kind FROM decks ORDER BY id",
	  "SELECT id, name, CASE WHEN mtime_secs > 1750000000 THEN 0 ELSE mtime_secs END, " USN ", common AS blob_common, kind FROM decks ORDER BY id" },
	{ "deck_config", "SELECT id, name, mtime_secs, " USN ", config AS blob_config FROM deck_config ORDER BY id", NULL },
	{ "notetypes", "SELECT id, name, mtime_secs, " USN ", config AS blob_config FROM notetypes ORDER BY id", NULL },
	{ "fields", "SELECT ntid, ord, name, config AS blob_config FROM fields ORDER BY ntid, ord", NULL },
	{ "templates", "SELECT ntid, ord, name, mtime_secs, " USN ", config AS blob_config FROM templates ORDER BY ntid, ord", NULL },
};

/* Protobuf bytes with field 255 last: split into what comes before, and the JSON in it. */
static struct json_object *split_other(struct slice *blob)
{
	struct json_object *o = NULL;

	for (size_t i = 0; i + 3 < blob->len; i++) {
		struct slice json = { blob->p + i + 3, blob->len - i - 3 };

		if (memcmp(blob->p + i, "\xfa\x0f", 2) != 0)
			continue;
		if ((unsigned char)blob->p[i + 2] >= 0x80) { /* a length of two bytes */
			json.p++;
			json.len--;
		}
		if (json.p[0] == '{' && json_parse(json, &JSON_LIMITS_PAYLOAD, &o, NULL) == 0) {
			blob->len = i;
			return o;
		}
	}
	return NULL;
}

static bool same_blob(struct slice a, struct slice b)
{
	struct json_object *x = split_other(&a), *y = split_other(&b);
	bool same = slice_eq(a, b) && !x == !y && (!x || json_object_equal(x, y));

	json_object_put(x);
	json_object_put(y);
	return same;
}

static bool same_json(struct slice a, struct slice b)
{
	struct buf texts[2] = { BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED) };
	struct slice in[2] = { a, b };
	bool same;

	for (int i = 0; i < 2; i++) {
		struct json_object *o;

		if (json_parse(in[i], &JSON_LIMITS_PAYLOAD, &o, NULL) != 0)
			fail_msg("not JSON: %.*s", (int)in[i].len, in[i].p);
		json_put_value(&texts[i], o);
		json_object_put(o);
	}
	same = slice_eq(buf_slice(&texts[0]), buf_slice(&texts[1]));
	if (!same) {
		size_t at = 0;

		while (texts[0].data[at] == texts[1].data[at])
			at++;
		at -= at < 60 ? at : 60;
		print_error("got %.120s\nwant %.120s\n", texts[0].data + at, texts[1].data + at);
	}
	buf_release(&texts[0]);
	buf_release(&texts[1]);
	return same;
}

static struct slice column(sqlite3_stmt *st, int i)
{
	const char *p = sqlite3_column_blob(st, i);

	return (struct slice){ p ? p : "", (size_t)sqlite3_column_bytes(st, i) };
}

static void same_row(const char *table, sqlite3_stmt *got, sqlite3_stmt *want)
{
	for (int i = 0; i < sqlite3_column_count(got); i++) {
		const char *name = sqlite3_column_name(got, i);
		struct slice a = column(got, i), b = column(want, i);
		bool same = strncmp(name, "blob_", 5) == 0 ? same_blob(a, b) : strncmp(name, "json_", 5) == 0 ? same_json(a, b) : slice_eq(a, b);

		if (!same || sqlite3_column_type(got, i) != sqlite3_column_type(want, i))
			fail_msg("%s %s: %s: got %s, want %s", table, sqlite3_column_text(want, 0), name, sqlite3_column_text(got, i),
				 sqlite3_column_text(want, i));
	}
}

static void same_rows(sqlite3 *a, sqlite3 *b, const char *table, const char *sql)
{
	sqlite3_stmt *x, *y;
	int more;

	if (sqlite3_prepare_v2(a, sql, -1, &x, NULL) != SQLITE_OK || sqlite3_prepare_v2(b, sql, -1, &y, NULL) != SQLITE_OK)
		fail_msg("%s: %s / %s", sql, sqlite3_errmsg(a), sqlite3_errmsg(b));
	do {
		more = sqlite3_step(y);
		if (sqlite3_step(x) != more)
			fail_msg("%s: another number of rows, or %s", table, sqlite3_errmsg(a));
		if (more == SQLITE_ROW)
			same_row(table, x, y);
	} while (more == SQLITE_ROW);
	assert_int_equal(more, SQLITE_DONE);
	sqlite3_finalize(x);
	sqlite3_finalize(y);
}

void files_same(const char *got, const char *want, bool clock)
{
	sqlite3 *a = open_db(got, true), *b = open_db(want, true);

	for (size_t i = 0; i < sizeof compared / sizeof *compared; i++)
		same_rows(a, b, compared[i].table, clock && compared[i].clock_sql ? compared[i].clock_sql : compared[i].sql);
	sqlite3_close(a);
	sqlite3_close(b);
}

void files_same_11(const char *got, const char *want)
{
	static const char *const tables[][2] = {
		{ "col", "SELECT id, crt, mod, scm, ver, dty, usn, ls, conf AS json_conf, models AS json_models, decks AS json_decks,"
		  " dconf AS json_dconf, tags AS json_tags FROM col" },
		{ "notes", "SELECT *, typeof(sfld) FROM notes ORDER BY id" },
		{ "cards", "SELECT * FROM cards ORDER BY id" },
		{ "revlog", "SELECT * FROM revlog ORDER BY id" },
		{ "graves", "SELECT * FROM graves ORDER BY oid, type, usn" },
	};
	sqlite3 *a = open_db(got, true), *b = open_db(want, true);

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		same_rows(a, b, tables[i][0], tables[i][1]);
	same_rows(a, b, "schema", "SELECT name, type, tbl_name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name");
	sqlite3_close(a);
	sqlite3_close(b);
}
