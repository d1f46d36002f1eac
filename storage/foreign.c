/* See foreign.h. */
#include "storage/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/stream.h"

/*
 * What a version must have. `columns` are the ones that we read: further ones are left behind. The pragmas tell what SQLite
 * made of the file's schema, which a crafted file can describe in other words in sqlite_schema. `count` counts in the
 * smallest of the table's indexes, if it has any: whoever copies the rows compares.
 */
static const struct {
	const char *name;
	int from, to; /* versions */
	const char *columns;
	const char *kind, *info, *count;
} tables[FOREIGN__TABLES] = {
#define TABLE(id, name, from, columns) \
	[id] = { name, from, 18, columns, "PRAGMA src.table_list(" name ")", "PRAGMA src.table_xinfo(" name ")", \
		 "SELECT count(*) FROM src." name }
	TABLE(FOREIGN_COL, "col", 11, "id crt mod scm ver dty usn ls conf models decks dconf tags"),
	TABLE(FOREIGN_NOTES, "notes", 11, "id guid mid mod usn tags flds sfld csum flags data"),
	TABLE(FOREIGN_CARDS, "cards", 11,
	      "id nid did ord mod usn type queue due ivl factor reps lapses left odue odid flags data"),
	TABLE(FOREIGN_REVLOG, "revlog", 11, "id cid usn ease ivl lastIvl factor time type"),
	TABLE(FOREIGN_GRAVES, "graves", 11, "oid type usn"),
	TABLE(FOREIGN_CONFIG, "config", 14, "KEY usn mtime_secs val"),
	TABLE(FOREIGN_TAGS, "tags", 14, "tag usn"),
	TABLE(FOREIGN_DECK_CONFIG, "deck_config", 14, "id name mtime_secs usn config"),
	TABLE(FOREIGN_DECKS, "decks", 15, "id name mtime_secs usn common kind"),
	TABLE(FOREIGN_NOTETYPES, "notetypes", 15, "id name mtime_secs usn config"),
	TABLE(FOREIGN_FIELDS, "fields", 15, "ntid ord name config"),
	TABLE(FOREIGN_TEMPLATES, "templates", 15, "ntid ord name mtime_secs usn config"),
#undef TABLE
};
/* From version 17 on. */
static const char tags17_columns[] = "tag usn collapsed config";

static uint32_t big_endian(const uint8_t *p, int n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* SQLite's own header: a file that is cut short, or that is something else, is told before SQLite sees it. */
static int check_header(struct foreign *f, struct err *e)
{
	enum { PAGE_SIZE_AT = 16, CHANGES_AT = 24, PAGES_AT = 28, ENCODING_AT = 56, VALID_FOR_AT = 92, HEADER_BYTES = 100 };
	uint8_t h[HEADER_BYTES];
	uint64_t page_bytes, pages;
	struct stat st;
	int whole = -1, fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && fstat(fd, &st) == 0)
		whole = fd_read_at(fd, h, sizeof h, 0);
	if (whole < 0)
		err_errno(e, "%s", f->path);
	if (fd >= 0)
		close(fd);
	if (whole < 0)
		return -1;
	if (st.st_size == 0)
		return err_set(e, ERR_REFUSED, "The upload was empty: no collection arrived. Please sync again.");
	if (!whole || memcmp(h, "SQLite format 3", 16) != 0)
		return err_set(e, ERR_REFUSED, "What was uploaded is not an Anki collection.");
	page_bytes = big_endian(h + PAGE_SIZE_AT, 2);
	if (page_bytes == 1)
		page_bytes = 65536;
	if (page_bytes < 512 || (page_bytes & (page_bytes - 1)) != 0)
		return err_set(e, ERR_DAMAGED, "page size %u in the header", (unsigned)page_bytes);
	pages = big_endian(h + PAGES_AT, 4);
	/* Very old SQLite does not keep the page count: then it does not match the change counter. */
	if (pages == 0 || big_endian(h + CHANGES_AT, 4) != big_endian(h + VALID_FOR_AT, 4))
		pages = (uint64_t)st.st_size / page_bytes;
	if (pages * page_bytes != (uint64_t)st.st_size)
		return err_set(e, ERR_DAMAGED, "%llu bytes where %llu pages of %llu should be", (unsigned long long)st.st_size,
			       (unsigned long long)pages, (unsigned long long)page_bytes);
	f->utf16 = big_endian(h + ENCODING_AT, 4) > 1;
	return 0;
}

sqlite3_stmt *foreign_prepare(struct foreign *f, const char *text, struct err *e)
{
	sqlite3_stmt *st = NULL;
	bool before = f->sql.trusted;
	int rc;

	f->sql.trusted = true; /* pragmas */
	rc = sqlite3_prepare_v2(f->sql.db, text, -1, &st, NULL);
	f->sql.trusted = before;
	if (rc == SQLITE_OK)
		return st;
	sql_err(&f->sql, e, text);
	return NULL;
}

static int read_int(struct foreign *f, const char *text, int64_t *v, struct err *e)
{
	sqlite3_stmt *st = foreign_prepare(f, text, e);
	int rc = -1;

	if (!st)
		return -1;
	rc = sql_int(&f->sql, st, v, e);
	if (rc == 0)
		err_set(e, ERR_DAMAGED, "no row: %s", text);
	sqlite3_finalize(st);
	return rc == 1 ? 0 : -1;
}

/* Is `word` among the words of a space-separated list? Its place there, or -1. Column names have no case. */
static int place_of(const char *list, struct slice word)
{
	int place = 0;

	for (const char *p = list; *p; place++) {
		size_t n = strcspn(p, " ");

		if (n == word.len && sqlite3_strnicmp(p, word.p, (int)n) == 0)
			return place;
		p += n + (p[n] == ' ');
	}
	return -1;
}

static int count_words(const char *list)
{
	int n = 1;

	for (; *list; list++)
		n += *list == ' ';
	return n;
}

/* A plain table with all the columns, none of them computed? */
static int check_table(struct foreign *f, int t, struct err *e)
{
	const char *columns = t == FOREIGN_TAGS && f->version >= 17 ? tags17_columns : tables[t].columns;
	sqlite3_stmt *st = foreign_prepare(f, tables[t].kind, e);
	uint64_t seen = 0;
	int rc = -1, more;

	if (!st)
		return -1;
	more = sql_step(&f->sql, st, e);
	if (more == 0)
		err_set(e, ERR_REFUSED, "This is not an Anki collection: it has no table %s.", tables[t].name);
	if (more != 1)
		goto out;
	if (!slice_eq_str(sql_column(st, 2), "table")) {
		err_set(e, ERR_REFUSED, "This is not an Anki collection: its %s is no plain table.", tables[t].name);
		goto out;
	}
	sqlite3_finalize(st);
	if (!(st = foreign_prepare(f, tables[t].info, e)))
		return -1;
	while ((more = sql_step(&f->sql, st, e)) == 1) {
		int place = place_of(columns, sql_column(st, 1));

		if (place >= 0 && sqlite3_column_int(st, 6) == 0) /* "hidden": 0 for ordinary columns */
			seen |= 1ULL << place;
	}
	if (more < 0)
		goto out;
	if (seen != (1ULL << count_words(columns)) - 1)
		err_set(e, ERR_REFUSED, "This is not an Anki collection: columns of its table %s are missing.", tables[t].name);
	else
		rc = 0;
out:
	sqlite3_finalize(st);
	return rc;
}

static int check_tables(struct foreign *f, struct err *e)
{
	for (int t = 0; t < FOREIGN__TABLES; t++) {
		if (f->version < tables[t].from)
			continue;
		if (check_table(f, t, e) != 0 || read_int(f, tables[t].count, &f->rows[t], e) != 0)
			return -1;
	}
	return 0;
}

/* Triggers cannot fire, we only read. But no Anki makes any: whatever did must not believe that they were kept. */
static int check_triggers(struct foreign *f, struct err *e)
{
	sqlite3_stmt *st = foreign_prepare(f, "SELECT tbl_name FROM src.sqlite_schema WHERE type = 'trigger'", e);
	int more, rc = -1;

	if (!st)
		return -1;
	while ((more = sql_step(&f->sql, st, e)) == 1) {
		struct slice table = sql_column(st, 0);

		for (int t = 0; t < FOREIGN__TABLES; t++)
			if (table.len == strlen(tables[t].name) && sqlite3_strnicmp(table.p, tables[t].name, (int)table.len) == 0) {
				err_set(e, ERR_REFUSED, "The collection has a trigger on its table %s, which no Anki makes. "
					"Please remove it, then sync again.", tables[t].name);
				goto out;
			}
	}
	rc = more;
out:
	sqlite3_finalize(st);
	return rc;
}

/* Version and usn, which decide about all that follows. */
static int read_version(struct foreign *f, struct err *e)
{
	int64_t version = 0;

	f->version = 11; /* the columns of col are the same in all versions */
	if (check_table(f, FOREIGN_COL, e) != 0 || read_int(f, tables[FOREIGN_COL].count, &f->rows[FOREIGN_COL], e) != 0)
		return -1;
	if (f->rows[FOREIGN_COL] != 1)
		return err_set(e, ERR_REFUSED, "This is not an Anki collection: its table col has %lld rows instead of one.",
			       (long long)f->rows[FOREIGN_COL]);
	if (read_int(f, "SELECT ver FROM src.col", &version, e) != 0 || read_int(f, "SELECT usn FROM src.col", &f->usn, e) != 0)
		return -1;
	if (version < 11)
		return err_set(e, ERR_REFUSED, "The collection is too old (schema %lld). "
			       "Please open it once in a newer Anki, then sync again.", (long long)version);
	if (version == 12 || version == 13 || version > 18)
		return err_set(e, ERR_REFUSED, "The collection was made by an Anki that is newer than this server (schema %lld). "
			       "Please have the server updated.", (long long)version);
	f->version = (int)version;
	return 0;
}

int foreign_open(struct foreign *f, const char *path, struct err *e)
{
	*f = (struct foreign){ .path = path };
	if (check_header(f, e) != 0)
		return -1;
	if (sql_open(&f->sql, path, SQL_FOREIGN, NULL, 0, e) != 0)
		return -1;
	if (sqlite3_db_config(f->sql.db, SQLITE_DBCONFIG_MAINDBNAME, "src") != SQLITE_OK) {
		err_set(e, ERR_INTERNAL, "SQLITE_DBCONFIG_MAINDBNAME");
		goto fail;
	}
	if (read_version(f, e) != 0 || check_tables(f, e) != 0 || check_triggers(f, e) != 0)
		goto fail;
	sql_shrink(&f->sql); /* of the indexes nothing is needed any more */
	return 0;
fail:
	foreign_close(f);
	return -1;
}

void foreign_close(struct foreign *f)
{
	sql_close(&f->sql);
}
