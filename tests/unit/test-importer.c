/*
 * storage/importer: what arrives of golden, odd, hostile and damaged files, through the real child process (this program
 * is its own child).
 */
#include "storage/importer.h"

#include "base/utf8.h"
#include "storage/schema18.h"
#include "tests/unit/files.h"

enum { SECONDS = 60 };

static int import(const char *src, const char *dst, struct import_result *r, struct err *e)
{
	*e = (struct err)ERR_INIT;
	remove(dst);
	return import_run(src, dst, SECONDS, r, e);
}

static void expect_import(const char *src, const char *dst)
{
	struct import_result r;
	struct err e;

	if (import(src, dst, &r, &e) != 0)
		fail_msg("%s: %s", src, e.msg);
}

static void test_own_schema(void **state)
{
	static const char *const files[] = { "new-18", "rich-18", "rich-18b", "old-18" };

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		const char *src = files_golden(files[i], "src"), *dst = files_path("dst");

		expect_import(src, dst);
		if (strcmp(files[i], "old-18") == 0) /* it has values that are mended */
			files_sql(src, "PRAGMA journal_mode=DELETE; UPDATE cards SET due = CAST(due AS integer), ivl = CAST(ivl AS integer)");
		files_same(dst, src, false);
	}
}

static void test_upgrade(void **state)
{
	static const char *const pairs[][2] = { { "new-11", "new-18" }, { "old-11", "old-18" }, { "rich-11", "rich-18b" } };

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		expect_import(files_golden(pairs[i][0], "src"), files_path("dst"));
		files_same(files_path("dst"), files_golden(pairs[i][1], "want"), true);
	}
}

/* Every place in the file where these bytes are. */
static unsigned replace_bytes(const char *path, const char *from, const char *to, size_t n)
{
	size_t bytes = files_size(path);
	char *all = malloc(bytes);
	FILE *f = fopen(path, "r");
	unsigned found = 0;

	assert_int_equal(fread(all, 1, bytes, f), bytes);
	fclose(f);
	for (size_t i = 0; i + n <= bytes; i++)
		if (memcmp(all + i, from, n) == 0) {
			files_write(path, i, to, n);
			found++;
		}
	free(all);
	return found;
}

#define WITHOUT_17_18 \
	"PRAGMA journal_mode=DELETE; ALTER TABLE tags RENAME TO t; CREATE TABLE tags (tag text PRIMARY KEY, usn integer);" \
	"INSERT INTO tags SELECT tag, usn FROM t; DROP TABLE t; ALTER TABLE graves RENAME TO g;" \
	"CREATE TABLE graves (usn integer, oid integer, type integer); INSERT INTO graves SELECT usn, oid, type FROM g; DROP TABLE g;"

/* Versions that clients only leave behind when they die half-way. Option groups are the difference. */
static void test_versions_between(void **state)
{
	const char *src = files_golden("old-11", "src"), *dst = files_path("dst");

	(void)state;
	files_sql(src, "CREATE TABLE deck_config (id integer PRIMARY KEY, name text, mtime_secs, usn, config blob);"
		       "INSERT INTO deck_config SELECT CAST(key AS integer), value ->> 'name', value ->> 'mod', value ->> 'usn',"
		       " CAST(value AS blob) FROM col, json_each(dconf);"
		       "CREATE TABLE tags (tag text PRIMARY KEY, usn integer); INSERT INTO tags SELECT key, value FROM col, json_each(col.tags);"
		       "CREATE TABLE config (KEY text PRIMARY KEY, usn integer, mtime_secs integer, val blob);"
		       "INSERT INTO config SELECT key, 0, 0, CAST(CASE type WHEN 'true' THEN type WHEN 'false' THEN type ELSE json_quote(value) END AS blob)"
		       " FROM col, json_each(conf); UPDATE col SET ver = 14, conf = '', dconf = '', tags = ''");
	expect_import(src, dst);
	files_same(dst, files_golden("old-18", "want"), true);

	files_golden("old-18", "src");
	files_sql(src, WITHOUT_17_18 "UPDATE col SET ver = 15");
	assert_int_equal(replace_bytes(src, "\x5d\x00\x00\x20\x40", "\x5d\x00\x00\x7a\x43", 5), 3); /* 2.5 -> 250.0 */
	expect_import(src, dst);
	files_same(dst, files_path("want"), true);

	files_golden("old-18", "src");
	files_sql(src, WITHOUT_17_18 "UPDATE col SET ver = 15; UPDATE cards SET factor = 1900, usn = 3");
	assert_int_equal(replace_bytes(src, "\x5d\x00\x00\x20\x40", "\x5d\x00\x00\x02\x43", 5), 3); /* 2.5 -> 130.0 */
	expect_import(src, dst);
	assert_string_equal(files_ask(dst, "SELECT group_concat(DISTINCT factor || '/' || usn) FROM cards"), "2500/8");
	assert_string_equal(files_ask(dst, "SELECT sum(instr(config, x'5d00002040') > 0) FROM deck_config"), "3");
}

static void test_result(void **state)
{
	struct import_result r;
	struct err e;

	(void)state;
	assert_int_equal(import(files_golden("old-11", "src"), files_path("dst"), &r, &e), 0);
	assert_int_equal(r.schema, 11);
	assert_int_equal(r.cards, 3);
	assert_int_equal(r.notes, 1);
	assert_int_equal(r.revlog, 1);
	assert_int_equal(r.notetypes, 2);
	assert_int_equal(r.decks, 5);
	assert_int_equal(r.deck_configs, 3);
	assert_int_equal(r.mended, 1); /* due 50.7, ivl 10.9 */
}

/* What clients expect of the file itself, and that nothing of the foreign schema arrives. */
static void test_file_form(void **state)
{
	const char *src = files_golden("rich-18", "src"), *dst = files_path("dst");
	unsigned char header[60];
	FILE *f;

	(void)state;
	files_sql(src, "CREATE TABLE extra (x); CREATE INDEX extra_x ON extra (x); INSERT INTO extra VALUES ('secret of somebody');"
		       "CREATE INDEX more ON notes (guid); ALTER TABLE notes ADD COLUMN mine text DEFAULT 'x';"
		       "CREATE VIEW v AS SELECT * FROM notes; CREATE TRIGGER t AFTER INSERT ON extra BEGIN DELETE FROM notes; END;"
		       "PRAGMA user_version=77; PRAGMA application_id=78");
	expect_import(src, dst);
	f = fopen(dst, "r");
	assert_int_equal(fread(header, 1, sizeof header, f), sizeof header);
	fclose(f);
	assert_int_equal(header[16] << 8 | header[17], 4096);
	assert_int_equal(header[18], 2);
	assert_int_equal(header[19], 2);
	assert_int_equal(header[20], 0);
	assert_int_equal(header[59], 1); /* UTF-8 */
	assert_string_equal(files_ask(dst, "PRAGMA user_version"), "0");
	assert_string_equal(files_ask(dst, "PRAGMA integrity_check"), "ok");
	assert_string_equal(files_ask(dst, "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')"), "0");
	assert_string_equal(files_ask(dst, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), "12");
	assert_string_equal(files_ask(dst, "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"), "16");
	assert_string_equal(files_ask(dst, "SELECT count(*) FROM pragma_table_info('notes')"), "11");
	{
		/* Every table and index that Anki's own file has, by name; its statistics excepted. */
		char attach[600];

		snprintf(attach, sizeof attach, "ATTACH '%s' AS theirs; CREATE TABLE theirs.found AS SELECT name"
			 " FROM theirs.sqlite_schema WHERE name NOT LIKE 'sqlite_%%' AND name NOT IN (SELECT name FROM main.sqlite_schema)",
			 files_golden("rich-18", "theirs"));
		files_sql(dst, attach);
		assert_string_equal(files_ask(files_path("theirs"), "SELECT count(*) FROM found"), "0");
	}
}

/* A golden file, changed; and what the result then holds. */
static void test_mended(void **state)
{
	static const struct {
		const char *golden, *change, *ask, *want;
	} rows[] = {
		/* usn: -1 after a crash of the client, or nonsense */
		{ "rich-18", "", "SELECT min(usn) || ' ' || max(usn) FROM cards", "12 12" },
		{ "rich-18", "UPDATE notes SET usn = 999", "SELECT DISTINCT usn FROM notes", "12" },
		{ "rich-18", "UPDATE revlog SET usn = 'x'", "SELECT DISTINCT usn FROM revlog", "12" },
		{ "rich-18", "UPDATE decks SET usn = -5; UPDATE tags SET usn = NULL WHERE 0", "SELECT DISTINCT usn FROM decks", "12" },
		{ "rich-18", "", "SELECT usn FROM config WHERE KEY = 'nextPos'", "-1" },
		/* ranges of cards */
		{ "rich-18", "UPDATE cards SET due = 50.7", "SELECT typeof(due) || due FROM cards", "integer50" },
		{ "rich-18", "UPDATE cards SET due = 1e300", "SELECT due FROM cards", "2147483647" },
		{ "rich-18", "UPDATE cards SET due = -1e300", "SELECT due FROM cards", "-2147483648" },
		{ "rich-18", "UPDATE cards SET due = 'abc'", "SELECT due FROM cards", "0" },
		{ "rich-18", "UPDATE cards SET due = x'31'", "SELECT due FROM cards", "1" },
		{ "rich-18", "UPDATE cards SET ivl = -3", "SELECT ivl FROM cards", "0" },
		{ "rich-18", "UPDATE cards SET factor = 70000", "SELECT factor FROM cards", "65535" },
		{ "rich-18", "UPDATE cards SET factor = 2500.9", "SELECT factor FROM cards", "2500" },
		{ "rich-18", "UPDATE cards SET ord = 65536", "SELECT ord FROM cards", "65535" },
		{ "rich-18", "UPDATE cards SET reps = -1, lapses = 4294967296", "SELECT reps || ' ' || lapses FROM cards", "0 4294967295" },
		{ "rich-18", "UPDATE cards SET flags = 256", "SELECT flags FROM cards", "255" },
		{ "rich-18", "UPDATE cards SET type = 9, queue = -9", "SELECT type || ' ' || queue FROM cards", "3 -3" },
		{ "rich-18", "UPDATE cards SET data = 7", "SELECT typeof(data) || data FROM cards", "text7" },
		{ "rich-18", "UPDATE cards SET data = x'7b7d'", "SELECT typeof(data) || data FROM cards", "text{}" },
		{ "rich-18", "UPDATE cards SET nid = 'x'", "SELECT nid FROM cards", "0" },
		/* notes, reviews, the rest */
		{ "rich-18", "UPDATE notes SET flds = x'6162'", "SELECT typeof(flds) || flds FROM notes", "textab" },
		{ "rich-18", "UPDATE notes SET sfld = x'6162'", "SELECT typeof(sfld) || sfld FROM notes", "textab" },
		{ "rich-18", "UPDATE notes SET sfld = 1.5", "SELECT typeof(sfld) || sfld FROM notes", "real1.5" },
		/* bytes that are no UTF-8: what follows from them is computed anew (100bcf49: SHA-1 of a, U+FFFD, b, U+FFFD) */
		{ "rich-18", "UPDATE notes SET flds = CAST(x'61ff62e2821f63' AS text), csum = 5", "SELECT DISTINCT hex(flds) FROM notes",
		  "61EFBFBD62EFBFBD1F63" },
		{ "rich-18", "UPDATE notes SET flds = CAST(x'61ff62e2821f63' AS text), csum = 5", "SELECT DISTINCT hex(sfld) FROM notes",
		  "61EFBFBD62EFBFBD" },
		{ "rich-18", "UPDATE notes SET flds = CAST(x'61ff62e2821f63' AS text), csum = 5", "SELECT DISTINCT csum FROM notes", "269209417" },
		{ "rich-18", "UPDATE notes SET flds = x'61ff', csum = 5", "SELECT DISTINCT hex(flds) || csum FROM notes", "61EFBFBD4283894390" },
		{ "rich-18", "UPDATE notes SET tags = CAST(x'20c328ff20' AS text), csum = 5", "SELECT DISTINCT hex(tags) || csum FROM notes",
		  "20EFBFBD28EFBFBD205" },
		{ "rich-18", "UPDATE notes SET guid = CAST(x'67eda080' AS text)", "SELECT hex(guid) FROM notes", "67EFBFBDEFBFBDEFBFBD" },
		{ "rich-18", "UPDATE notes SET csum = -1", "SELECT csum FROM notes", "0" },
		{ "rich-18", "UPDATE notes SET flds = 'a' || char(0) || 'b'", "SELECT hex(flds) FROM notes", "610062" },
		{ "rich-18", "UPDATE revlog SET type = 6", "SELECT type FROM revlog", "0" },
		{ "rich-18", "UPDATE revlog SET type = 4.5", "SELECT type FROM revlog", "0" },
		{ "rich-18", "UPDATE revlog SET ease = 300, ivl = 5000000000, time = -4", "SELECT ease || ' ' || ivl || ' ' || time FROM revlog",
		  "255 2147483647 0" },
		{ "rich-18", "UPDATE tags SET collapsed = 5", "SELECT DISTINCT collapsed FROM tags", "1" },
		{ "rich-18", "UPDATE config SET val = '7' WHERE KEY = 'nextPos'", "SELECT typeof(val) FROM config WHERE KEY = 'nextPos'", "blob" },
		{ "rich-18", "DELETE FROM graves; INSERT INTO graves VALUES (1, 0, 3), (1, 3, 3), (2, 1, -1), ('x', 1, 3)",
		  "SELECT group_concat(oid || '/' || type || '/' || usn, ' ') FROM graves", "1/0/3 2/1/12" },
		/* missing indexes are made */
		{ "rich-18", "DROP INDEX ix_cards_nid; DROP INDEX idx_decks_name", "SELECT count(*) FROM cards INDEXED BY ix_cards_nid", "5" },
		/* columns in another order, and of other types */
		{ "rich-18", "ALTER TABLE revlog RENAME TO r; CREATE TABLE revlog (type, time, factor, lastIvl, ivl, ease, usn, cid, id);"
			     "INSERT INTO revlog SELECT type, time, factor, lastIvl, ivl, ease, usn, cid, id FROM r; DROP TABLE r",
		  "SELECT count(*) || ' ' || max(time) FROM revlog", "5 4321" },
		{ "rich-18", "UPDATE revlog SET id = id - 1690000000000; ALTER TABLE revlog RENAME TO r;"
			     "CREATE TABLE revlog (id text, cid text, usn text, ease text, ivl text, lastIvl text, factor text, time text, type text);"
			     "INSERT INTO revlog SELECT * FROM r; DROP TABLE r",
		  "SELECT group_concat(DISTINCT typeof(id) || typeof(time) || typeof(cid)) FROM revlog", "integerintegerinteger" },
		/* schema 11 */
		{ "old-11", "UPDATE col SET tags = '{\"A\":1,\"a\":2,\"\xc3\xa4\":-1}'", "SELECT group_concat(tag || usn) FROM tags", "A1,\xc3\xa4""8" },
		{ "old-11", "UPDATE col SET decks = replace(decks, '\"A::B\"', '\"Default\"')",
		  "SELECT name || usn FROM decks WHERE id = 1500000000001", "Default_8" },
		{ "old-11", "UPDATE col SET decks = '{}', dconf = '{}', models = '{}', conf = '{}', tags = '{}'", "SELECT count(*) FROM decks", "0" },
		{ "old-11", "UPDATE col SET models = replace(models, '\"Cloze e\\u0301\"', '\"OLD\"')",
		  "SELECT name FROM notetypes WHERE id = 1500000000021", "OLD_" },
		{ "old-11", "UPDATE col SET models = replace(models, '\"Back\"', '\"FRONT\"')",
		  "SELECT name FROM fields WHERE ntid = 1500000000020 AND ord = 1", "FRONT+" },
		{ "old-11", "UPDATE col SET conf = replace(conf, '\"nextPos\": 5', '\"nextPos\": [1.50, {\"b\":null, \"a\":\"\\u00e4\"}]')",
		  "SELECT CAST(val AS text) FROM config WHERE KEY = 'nextPos'", "[1.5,{\"a\":\"\xc3\xa4\",\"b\":null}]" },
		/* low ease: cards of decks that use the group */
		{ "old-11", "", "SELECT group_concat(factor || '/' || usn) FROM (SELECT * FROM cards ORDER BY id)", "2500/8,2500/7,2500/8" },
		/* later versions on the way to 18 */
		{ "rich-18", "UPDATE col SET ver = 17; ALTER TABLE graves RENAME TO g; CREATE TABLE graves (usn integer, oid integer, type integer);"
			     "INSERT INTO graves VALUES (3, 1, 0), (9, 1, 0), (4, 2, 1); DROP TABLE g",
		  "SELECT group_concat(oid || '/' || type || '/' || usn, ' ') FROM graves", "1/0/3 2/1/4" },
		{ "rich-18", "UPDATE col SET ver = 16; ALTER TABLE tags RENAME TO t; CREATE TABLE tags (tag text PRIMARY KEY, usn integer);"
			     "INSERT INTO tags SELECT tag, usn FROM t; DROP TABLE t",
		  "SELECT count(*) || ' ' || min(collapsed) FROM tags", "4 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *src = files_golden(rows[i].golden, "src"), *dst = files_path("dst"), *got;

		files_sql(src, "PRAGMA journal_mode=DELETE");
		files_sql(src, rows[i].change);
		expect_import(src, dst);
		got = files_ask(dst, rows[i].ask);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s: got %s, want %s", rows[i].change, rows[i].ask, got, rows[i].want);
		assert_string_equal(files_ask(dst, "PRAGMA integrity_check"), "ok");
	}
}

static void expect_refusal(const char *what, const char *src, const char *words)
{
	struct import_result r;
	struct err e;

	if (import(src, files_path("dst"), &r, &e) == 0)
		fail_msg("accepted: %s", what);
	if (e.kind != ERR_REFUSED || !strstr(e.msg, words))
		fail_msg("%s: kind %d, \"%s\" lacks \"%s\"", what, e.kind, e.msg, words);
	remove(files_path("dst"));
	files_expect_only(1, (const char *const[]){ "src" });
}

static void test_refused(void **state)
{
	static const struct {
		const char *golden, *change, *words;
	} rows[] = {
		{ "rich-18", "UPDATE col SET ver = 10", "too old" },
		{ "rich-18", "UPDATE col SET ver = 12", "newer" },
		{ "rich-18", "UPDATE col SET ver = 13", "newer" },
		{ "rich-18", "UPDATE col SET ver = 19", "newer" },
		{ "rich-18", "UPDATE col SET ver = -1", "too old" },
		{ "rich-18", "DELETE FROM col", "0 rows" },
		{ "rich-18", "INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col", "2 rows" },
		{ "rich-18", "UPDATE col SET usn = -1", "col.usn" },
		{ "rich-18", "UPDATE col SET usn = 3000000000", "col.usn" },
		{ "rich-18", "UPDATE col SET mod = 'x'", "col.mod" },
		{ "rich-18", "UPDATE col SET scm = 9223372036854775807", "col.scm" },
		{ "rich-18", "DROP TABLE col", "no table col" },
		{ "rich-18", "DROP TABLE revlog", "no table revlog" },
		{ "rich-18", "DROP TABLE templates", "no table templates" },
		{ "rich-18", "DROP TABLE graves", "no table graves" },
		{ "rich-18", "ALTER TABLE cards RENAME COLUMN odid TO other", "table cards" },
		{ "rich-18", "ALTER TABLE cards RENAME TO c; CREATE VIEW cards AS SELECT * FROM c", "cards is no plain table" },
		{ "rich-18", "DROP TABLE revlog; CREATE VIRTUAL TABLE revlog USING fts5(id, cid, usn, ease, ivl, lastIvl, factor, time, type)",
		  "revlog is no plain table" },
		{ "rich-18", "CREATE TRIGGER t AFTER INSERT ON cards BEGIN DELETE FROM notes; END", "trigger" },
		{ "rich-18", "DROP TABLE revlog; CREATE TABLE revlog (id integer primary key, cid, usn, ease, ivl, lastIvl, factor, time,"
			     " type AS (hex(zeroblob(100000000))))", "table revlog" },
		/* blobs */
		{ "rich-18", "UPDATE decks SET kind = x'ffff' WHERE id = 101", "damaged (deck 101" },
		{ "rich-18", "UPDATE decks SET kind = x'' WHERE id = 101", "damaged (deck 101" },
		{ "rich-18", "UPDATE decks SET common = 'text' WHERE id = 101", "damaged (deck 101" },
		{ "rich-18", "UPDATE deck_config SET config = x'0aff'", "damaged (options" },
		{ "rich-18", "UPDATE notetypes SET config = x'ff'", "damaged (note type" },
		{ "rich-18", "UPDATE fields SET config = x'ff'", "damaged (note type" },
		{ "rich-18", "UPDATE templates SET config = x'ff'", "damaged (note type" },
		/* names that are equal in another case */
		{ "rich-18", "DROP INDEX idx_decks_name; UPDATE decks SET name = 'STRASSE' || char(31) || 'x' WHERE id = 101;"
			     "UPDATE decks SET name = 'stra' || char(223) || 'e' || char(31) || 'X' WHERE id = 102", "STRASSE::x" },
		{ "rich-18", "DROP INDEX idx_notetypes_name; UPDATE notetypes SET name = 'Same'", "note types have the same name, \"Same\"" },
		{ "rich-18", "DROP INDEX idx_fields_name_ntid; UPDATE fields SET name = 'F'", "fields of one note type" },
		{ "rich-18", "DROP INDEX idx_templates_name_ntid; INSERT INTO templates SELECT ntid, ord + 50, upper(name), 0, 0, config"
			     " FROM templates WHERE ntid = 2001 AND ord = 0", "templates of one note type" },
		/* one id twice */
		{ "rich-18", "ALTER TABLE notes RENAME TO n; CREATE TABLE notes AS SELECT * FROM n UNION ALL SELECT * FROM n",
		  "damaged (dst: UNIQUE constraint failed: notes.id" },
		{ "rich-18", "ALTER TABLE cards RENAME TO c; CREATE TABLE cards AS SELECT * FROM c; UPDATE cards SET id = 'x'", "damaged" },
		/* schema 11 */
		{ "old-11", "UPDATE col SET models = '[]'", "col.models" },
		{ "old-11", "UPDATE col SET decks = 'x'", "col.decks" },
		{ "old-11", "UPDATE col SET decks = '{\"x\":{}}'", "col.decks" },
		{ "old-11", "UPDATE col SET decks = '{\"5\":{}}'", "deck" },
		{ "old-11", "UPDATE col SET decks = '{\"5\":7}'", "deck 5" },
		{ "old-11", "UPDATE col SET dconf = ''", "col.dconf" },
		{ "old-11", "UPDATE col SET dconf = '{\"1\":null}'", "options 1" },
		{ "old-11", "UPDATE col SET conf = 'null'", "col.conf" },
		{ "old-11", "UPDATE col SET tags = '{\"a\":\"1\"}'", "col.tags" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *src = files_golden(rows[i].golden, "src");

		files_sql(src, "PRAGMA journal_mode=DELETE");
		files_sql(src, rows[i].change);
		expect_refusal(rows[i].change, src, rows[i].words);
	}
}

static void test_not_a_file(void **state)
{
	const char *src = files_golden("rich-18", "src");
	size_t bytes = files_size(src);
	char junk[5000];

	(void)state;
	files_cut(src, bytes - 4096);
	expect_refusal("a page cut off", src, "damaged");
	files_golden("rich-18", "src");
	files_cut(src, bytes - 1);
	expect_refusal("a byte cut off", src, "damaged");
	files_golden("rich-18", "src");
	files_cut(src, bytes + 4096);
	expect_refusal("a page too many", src, "damaged");
	files_golden("rich-18", "src");
	files_cut(src, 50);
	expect_refusal("half a header", src, "not an Anki collection");
	files_cut(src, 0);
	expect_refusal("empty", src, "empty");
	memset(junk, 'x', sizeof junk);
	files_write(src, 0, junk, sizeof junk);
	expect_refusal("junk", src, "not an Anki collection");
	remove(src);
	files_sql(src, "CREATE TABLE t (x)");
	expect_refusal("another database", src, "no table col");
	/* The page size must be one. */
	files_golden("rich-18", "src");
	files_write(src, 16, "\x0f\xff", 2);
	expect_refusal("odd page size", src, "page size");
}

/* Zero, or fill with noise, each page in turn: either refused, or nothing of the rows has changed. */
static void test_damaged_pages(void **state)
{
	const char *src = files_golden("rich-18", "src"), *dst = files_path("dst");
	size_t pages = files_size(src) / 4096;
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < pages; i++)
		for (int noise = 0; noise <= 1; noise++) {
			struct import_result r;
			struct err e;
			char page[4096];

			files_golden("rich-18", "src");
			for (size_t at = 0; at < sizeof page; at++)
				page[at] = noise ? (char)(at * at * 31 + at * 7 + i) : 0;
			files_write(src, i * 4096 + (i ? 0 : 100), page, sizeof page - (i ? 0 : 100));
			if (import(src, dst, &r, &e) == 0) {
				files_same(dst, files_golden("rich-18", "want"), false);
				remove(files_path("want"));
			} else {
				if (e.kind != ERR_REFUSED)
					fail_msg("page %zu: kind %d: %s", i, e.kind, e.msg);
				refused++;
			}
		}
	assert_true(refused > pages / 2);
}

/* Rows that an index knows and the table does not. */
static void test_lost_rows(void **state)
{
	const char *src = files_golden("rich-18", "src");

	(void)state;
	files_sql(src, "PRAGMA journal_mode=DELETE; PRAGMA writable_schema=ON;"
		       "UPDATE sqlite_schema SET sql = 'CREATE INDEX ix_cards_nid ON cards(nid) WHERE nid < 0' WHERE name = 'ix_cards_nid'");
	files_sql(src, "REINDEX ix_cards_nid; DROP INDEX ix_cards_usn; DROP INDEX ix_cards_sched");
	files_sql(src, "PRAGMA writable_schema=ON;"
		       "UPDATE sqlite_schema SET sql = 'CREATE INDEX ix_cards_nid ON cards(nid)' WHERE name = 'ix_cards_nid'");
	expect_refusal("index without rows", src, "5 rows in table cards, but 0 in an index of it");
}

/* No JSON of ours could name them. */
static void test_keys_with_nul(void **state)
{
	const char *src = files_golden("rich-18", "src"), *want = files_golden("rich-18", "want");

	(void)state;
	files_sql(src, "PRAGMA journal_mode=DELETE; INSERT INTO config VALUES ('a' || char(0) || 'b', 0, 0, x'31'), (char(0), 0, 0, x'31'),"
		       " (x'00', 0, 0, x'31')");
	expect_import(src, files_path("dst"));
	files_same(files_path("dst"), want, false);
}

/* A schema whose rows say one thing to us and another one to SQLite. */
static void test_disguised_view(void **state)
{
	const char *src = files_golden("rich-18", "src");

	(void)state;
	files_sql(src, "PRAGMA journal_mode=DELETE; ALTER TABLE cards RENAME TO c; PRAGMA writable_schema=ON;"
		       "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', 'cards', 'cards', 0,"
		       " 'CREATE VIEW cards AS SELECT * FROM c')");
	expect_refusal("disguised view", src, "");
}

/* Rows that share one chain of pages: 20 MB that would become 160. The child may write so much and no more. */
static void test_shared_pages(void **state)
{
	enum { PAGE = 4096, HEADER = 8, ROWID_AT = 4 }; /* behind a length of four bytes */
	const char *src = files_golden("new-18", "src");
	unsigned char page[PAGE], shared[PAGE] = { 13 };
	size_t root, cell, bytes, at = PAGE, rows = 0;
	FILE *f;

	(void)state;
	files_sql(src, "PRAGMA journal_mode=DELETE; DROP INDEX ix_notes_usn; DROP INDEX ix_notes_csum; DROP INDEX idx_notes_mid;"
		       "INSERT INTO notes VALUES (1, 'g', 1, 1, 0, '', hex(zeroblob(10000835)), 'x', 1, 0, '')");
	root = (size_t)atoi(files_ask(src, "SELECT rootpage FROM sqlite_schema WHERE name = 'notes'"));
	f = fopen(src, "r");
	assert_int_equal(fseek(f, (long)((root - 1) * PAGE), SEEK_SET), 0);
	assert_int_equal(fread(page, 1, PAGE, f), PAGE);
	fclose(f);
	/* A leaf with one cell, which lies at the end of the page. */
	assert_int_equal(page[0], 13);
	assert_int_equal(page[3] << 8 | page[4], 1);
	cell = (size_t)(page[HEADER] << 8 | page[HEADER + 1]);
	bytes = PAGE - cell;
	while (HEADER + 2 * (rows + 1) + bytes <= at) {
		at -= bytes;
		memcpy(shared + at, page + cell, bytes);
		shared[HEADER + 2 * rows] = (unsigned char)(at >> 8);
		shared[HEADER + 2 * rows + 1] = (unsigned char)at;
		shared[at + ROWID_AT] = (unsigned char)++rows;
	}
	shared[4] = (unsigned char)rows;
	shared[5] = (unsigned char)(at >> 8);
	shared[6] = (unsigned char)at;
	assert_true(rows >= 8);
	files_write(src, (root - 1) * PAGE, shared, PAGE);
	assert_string_equal(files_ask(src, "SELECT count(*) || ' ' || sum(length(flds)) FROM notes"), "8 160013360");
	expect_refusal("shared pages", src, "more than its length allows");
}

/* What a file says about itself is shown to its user: as one line of UTF-8. */
static void test_words(void **state)
{
	static const char *const odd[] = { "x'f7ff'", "'a' || char(10) || 'b'", "char(7)", "printf('%.300c', 'x')", "replace(printf('%.90c', 'x'), 'x', char(228))" };

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		const char *src = files_golden("rich-18", "src");
		struct import_result r;
		struct err e;
		char sql[200];

		snprintf(sql, sizeof sql, "PRAGMA journal_mode=DELETE; UPDATE col SET mod = CAST(%s AS text)", odd[i]);
		files_sql(src, sql);
		assert_int_equal(import(src, files_path("dst"), &r, &e), -1);
		assert_int_equal(e.kind, ERR_REFUSED);
		assert_true(utf8_valid(slice_of(e.msg)));
		for (const char *p = e.msg; *p; p++)
			assert_true((unsigned char)*p >= 0x20);
	}
}

static void test_utf16(void **state)
{
	static const char *const encodings[] = { "UTF-16le", "UTF-16be" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *src = files_path("src"), *dst = files_path("dst"), *want = files_golden("rich-18", "want");

		remove(src);
		files_recode(want, src, encodings[i]);
		assert_string_equal(files_ask(src, "PRAGMA encoding"), encodings[i]);
		expect_import(src, dst);
		files_same(dst, want, false);
		assert_string_equal(files_ask(dst, "PRAGMA encoding"), "UTF-8");
		assert_string_equal(files_ask(dst, "PRAGMA integrity_check"), "ok");
		remove(want);
	}
}

static void test_created(void **state)
{
	const char *made = files_path("src"), *dst = files_path("dst");
	const int64_t now_ms = INT64_C(1700000000123); /* 2023-11-14 22:13:20 UTC */
	struct err e = ERR_INIT;

	(void)state;
	remove(made);
	if (collection_create(made, now_ms, &e) != 0)
		fail_msg("%s", e.msg);
	assert_string_equal(files_ask(made, "SELECT crt || ' ' || mod || ' ' || scm || ' ' || usn || ' ' || ls FROM col"),
			    "1699934400 0 1700000000123 0 0");
	assert_string_equal(files_ask(made, "SELECT hex(common) || hex(kind) || name FROM decks"), "080110010A020801Default");
	assert_string_equal(files_ask(made, "SELECT hex(config) FROM deck_config"),
			    "0A080000803F00002041120400002041221C0000803F0000803F0000803F0000803F0000803F0000803F0000803F"
			    "481450C8015D00002040656666A63F6D9A99993F7D0000803F8001949D02880101900101980104A80101B00108C0013CAD02"
			    "6666663FC5026666663FE00201");
	assert_string_equal(files_ask(made, "SELECT count(*) || group_concat(DISTINCT typeof(val)) FROM config"), "16blob");
	assert_string_equal(files_ask(made, "SELECT count(*) FROM notetypes WHERE id IN (1700000000123, 1700000000124)"), "2");
	expect_import(made, dst);
	files_same(dst, made, false);
	/* Just after and just before the hour. */
	for (int after = 0; after <= 1; after++) {
		remove(made);
		assert_int_equal(collection_create(made, INT64_C(1699934400000) + (after ? 0 : -1), &e), 0);
		assert_string_equal(files_ask(made, "SELECT crt FROM col"), after ? "1699934400" : "1699848000");
	}
}

/* A child that cannot end in time is ended. */
static void test_deadline(void **state)
{
	struct import_result r;
	struct err e = ERR_INIT;
	const char *src = files_golden("rich-18", "src"), *dst = files_path("dst");

	(void)state;
	remove(dst);
	assert_int_equal(import_run(src, dst, 0, &r, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.msg, "UPLOAD_SECONDS"));
}

static void test_not_there(void **state)
{
	struct import_result r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(import_run(files_path("nothing"), files_path("dst"), SECONDS, &r, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_int_equal(import_run(files_golden("rich-18", "src"), files_path("no/such/folder"), SECONDS, &r, &e), -1);
	assert_int_not_equal(e.kind, ERR_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup(name, files_clear)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_own_schema),    TEST(test_upgrade),        TEST(test_versions_between), TEST(test_result),
		TEST(test_file_form),     TEST(test_mended),         TEST(test_refused),
		TEST(test_not_a_file),    TEST(test_damaged_pages),  TEST(test_lost_rows),
		TEST(test_keys_with_nul), TEST(test_disguised_view), TEST(test_shared_pages),     TEST(test_words),
		TEST(test_utf16),         TEST(test_created),        TEST(test_deadline),         TEST(test_not_there),
	};

	if (argc > 1 && strcmp(argv[1], IMPORTER_OPTION) == 0)
		return importer_main(argc, argv);
	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
