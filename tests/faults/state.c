/* See state.h. */
#include "tests/faults/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "storage/sql.h"
#include "tests/faults/shim.h"

struct reading {
	struct state *s;
	char *why;
	int user; /* index in shim->uid, -1 */
};

static int __attribute__((format(printf, 2, 3))) wrong(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, 512, fmt, ap);
	va_end(ap);
	return -1;
}

static void both(struct reading *r, const char *text)
{
	buf_puts(&r->s->exact, text);
	buf_puts(&r->s->content, text);
}

static void put_value(struct buf *b, sqlite3_stmt *st, int i)
{
	struct slice v = sql_column(st, i);

	if (sqlite3_column_type(st, i) == SQLITE_NULL)
		buf_puts(b, "NULL");
	else if (sqlite3_column_type(st, i) == SQLITE_BLOB)
		for (size_t k = 0; k < v.len; k++)
			buf_printf(b, "%02x", (uint8_t)v.p[k]);
	else
		for (size_t k = 0; k < v.len; k++)
			buf_putc(b, v.p[k] == '\n' ? ' ' : v.p[k]);
	buf_putc(b, '|');
}

/* All rows, one a line. Columns whose name stands in `fleeting` are part of the exact state only. */
static int put_rows(struct reading *r, struct sql *s, const char *text, const char *fleeting)
{
	sqlite3_stmt *st = NULL;
	size_t before;
	int rc;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) != SQLITE_OK)
		return wrong(r, "%s: %s: %s", s->name, text, sqlite3_errmsg(s->db));
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		before = r->s->content.len;
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			char name[64];

			put_value(&r->s->exact, st, i);
			snprintf(name, sizeof name, " %s ", sqlite3_column_name(st, i));
			if (!strstr(fleeting, name))
				put_value(&r->s->content, st, i);
		}
		buf_putc(&r->s->exact, '\n');
		if (r->s->content.len > before)
			buf_putc(&r->s->content, '\n');
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : wrong(r, "%s: %s: %s", s->name, text, sqlite3_errmsg(s->db));
}

/* One number; `none` when there is no row. */
static int64_t number(struct sql *s, const char *text, int64_t none)
{
	sqlite3_stmt *st = NULL;
	int64_t v = none;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* 1, 0 when there is no such file, -1. */
static int open_sound(struct reading *r, struct sql *s, const char *path)
{
	struct err e = ERR_INIT;
	sqlite3_stmt *st = NULL;
	int rc = -1;

	if (access(path, F_OK) != 0)
		return 0;
	if (sql_open(s, path, 0, NULL, 0, &e) != 0)
		return wrong(r, "%s", e.msg);
	s->trusted = true;
	if (sqlite3_prepare_v2(s->db, "PRAGMA integrity_check", -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW)
		wrong(r, "%s: %s", path, sqlite3_errmsg(s->db));
	else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0)
		wrong(r, "%s: %s", path, sqlite3_column_text(st, 0));
	else
		rc = 1;
	sqlite3_finalize(st);
	if (rc < 0)
		sql_close(s);
	return rc;
}

static int read_collection(struct reading *r, const char *home, int64_t generation)
{
	static const char *const tables[] = { "notes",  "cards", "revlog", "graves",    "decks", "deck_config",
					      "config", "tags",  "fields", "templates", "notetypes" };
	char path[PATH_MAX], text[128];
	struct sql s;
	int rc;

	snprintf(path, sizeof path, "%s/col-%lld.anki2", home, (long long)generation);
	rc = open_sound(r, &s, path);
	if (rc == 0)
		return wrong(r, "%s is current and missing", path);
	if (rc < 0)
		return -1;
	rc = put_rows(r, &s, "SELECT crt, mod, scm, ver, dty, usn, ls FROM col", " mod usn ls ");
	if (r->user >= 0) {
		r->s->usn[r->user] = number(&s, "SELECT usn FROM col", -1);
		r->s->mod[r->user] = number(&s, "SELECT mod FROM col", -1);
	}
	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof *tables; i++) {
		snprintf(text, sizeof text, "SELECT * FROM %s ORDER BY 1, 2", tables[i]);
		both(r, tables[i]);
		both(r, "\n");
		rc = put_rows(r, &s, text, " usn mtime_secs ");
	}
	sql_close(&s);
	return rc;
}

/* Every generation that user.db lists is there, whole (I6). */
static int check_kept(struct reading *r, struct sql *user, const char *home)
{
	sqlite3_stmt *st = NULL;
	char path[PATH_MAX];
	struct sql s;
	int rc = 0;

	sqlite3_prepare_v2(user->db, "SELECT number FROM generation", -1, &st, NULL);
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW) {
		snprintf(path, sizeof path, "%s/col-%lld.anki2", home, (long long)sqlite3_column_int64(st, 0));
		switch (open_sound(r, &s, path)) {
		case 1:
			sql_close(&s);
			break;
		case 0:
			rc = wrong(r, "%s is kept and missing", path);
			break;
		default:
			rc = -1;
		}
	}
	sqlite3_finalize(st);
	return rc;
}

/* Of a file, unless it is there: short ones lie in their rows. */
static int check_content(struct reading *r, const char *home, struct slice hash, int64_t bytes, struct slice there)
{
	char hex[64], path[PATH_MAX];
	uint8_t data[65536], got[SHA1_BYTES];
	struct sha1_state *state;
	int64_t sum = 0;
	ssize_t n;
	int fd;

	if (there.len) {
		sha1(there, got);
		return (int64_t)there.len == bytes && memcmp(got, hash.p, SHA1_BYTES) == 0 ? 0 : wrong(r, "%s: a media row with other bytes", home);
	}
	hex_of((const uint8_t *)hash.p, SHA1_BYTES, hex);
	snprintf(path, sizeof path, "%s/media/%s", home, hex);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return wrong(r, "%s: a media row without its file", path);
	state = sha1_new();
	while ((n = read(fd, data, sizeof data)) > 0) {
		sha1_add(state, data, (size_t)n);
		sum += n;
	}
	close(fd);
	sha1_end(state, got);
	if (sum != bytes || memcmp(got, hash.p, SHA1_BYTES) != 0)
		return wrong(r, "%s: %lld bytes that are not those of its row (%lld)", path, (long long)sum, (long long)bytes);
	return 0;
}

static int read_media(struct reading *r, const char *home)
{
	char path[PATH_MAX];
	sqlite3_stmt *st = NULL;
	struct sql s;
	int rc;

	snprintf(path, sizeof path, "%s/media.db", home);
	rc = open_sound(r, &s, path);
	if (rc <= 0)
		return rc;
	rc = put_rows(r, &s, "SELECT name, bytes, sha1, crc32, usn FROM media ORDER BY name", " usn ");
	if (rc == 0)
		rc = put_rows(r, &s, "SELECT bytes, files, last_usn FROM meta", " last_usn ");
	sqlite3_prepare_v2(s.db, "SELECT sha1, bytes, data FROM media WHERE bytes > 0", -1, &st, NULL);
	while (rc == 0 && sqlite3_step(st) == SQLITE_ROW)
		rc = check_content(r, home, sql_column(st, 0), sqlite3_column_int64(st, 1), sql_column(st, 2));
	sqlite3_finalize(st);
	if (rc == 0 && number(&s, "SELECT last_usn < (SELECT max(usn) FROM media) FROM meta", 1) != 0)
		rc = wrong(r, "%s: last_usn is behind its rows", path);
	sql_close(&s);
	return rc;
}

static int count_strays(struct reading *r, const char *home)
{
	DIR *dir = opendir(home);
	struct dirent *d;

	while (dir && (d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, "tmp-", 4) == 0 || strncmp(d->d_name, "etilqs_", 7) == 0)
			r->s->strays++;
	if (dir)
		closedir(dir);
	return 0;
}

static int read_home(struct reading *r, const char *base, const char *uid)
{
	char home[PATH_MAX / 2], path[PATH_MAX];
	struct sql s;
	int64_t generation;
	int rc;

	r->user = strcmp(uid, shim->uid[0]) == 0 ? 0 : strcmp(uid, shim->uid[1]) == 0 ? 1 : -1;
	snprintf(home, sizeof home, "%s/users/%.2s/%s", base, uid, uid);
	snprintf(path, sizeof path, "%s/user.db", home);
	if (access(home, F_OK) != 0) {
		both(r, "no home\n");
		return 0;
	}
	rc = open_sound(r, &s, path);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return wrong(r, "%s is missing", path);
	rc = put_rows(r, &s, "SELECT hash, client FROM key ORDER BY 1", " hash client ");
	buf_printf(&r->s->content, "%d keys\n", number(&s, "SELECT count(*) FROM key", 0) > 0);
	generation = number(&s, "SELECT generation FROM current", 0);
	if (r->user >= 0)
		r->s->generation[r->user] = generation;
	buf_printf(&r->s->exact, "generation %lld\n", (long long)generation);
	if (rc == 0)
		rc = check_kept(r, &s, home);
	sql_close(&s);
	if (rc == 0 && generation)
		rc = read_collection(r, home, generation);
	if (rc == 0)
		rc = read_media(r, home);
	count_strays(r, home);
	snprintf(path, sizeof path, "%s/media", home);
	return rc;
}

/* What was to be removed, and was not. */
static int count_gone(const char *base)
{
	char path[PATH_MAX];
	glob_t found = { 0 };
	int n = 0;

	snprintf(path, sizeof path, "%s/users/*/gone-*", base);
	if (glob(path, 0, NULL, &found) == 0)
		n = (int)found.gl_pathc;
	globfree(&found);
	return n;
}

int state_read(struct state *s, const char *base, char why[512])
{
	struct reading r = { s, why, -1 };
	char path[PATH_MAX], uids[8][64];
	sqlite3_stmt *st = NULL;
	struct sql accounts;
	size_t n = 0;
	int rc;

	why[0] = 0;
	snprintf(path, sizeof path, "%s/accounts.db", base);
	rc = open_sound(&r, &accounts, path);
	if (rc != 1)
		return rc < 0 ? -1 : wrong(&r, "%s is missing", path);
	/* A login renews the hash. */
	rc = put_rows(&r, &accounts, "SELECT name, uid, state, hash FROM account ORDER BY name", " uid hash ");
	sqlite3_prepare_v2(accounts.db, "SELECT uid FROM account ORDER BY name", -1, &st, NULL);
	while (sqlite3_step(st) == SQLITE_ROW && n < 8)
		snprintf(uids[n++], 64, "%s", sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sql_close(&accounts);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = read_home(&r, base, uids[i]);
	s->gone = count_gone(base);
	return rc;
}

void state_release(struct state *s)
{
	buf_release(&s->exact);
	buf_release(&s->content);
}

void state_difference(const struct buf *a, const struct buf *b, char out[512])
{
	size_t n = a->len < b->len ? a->len : b->len, at = 0, line = 0;

	for (; at < n && a->data[at] == b->data[at]; at++)
		if (a->data[at] == '\n')
			line = at + 1;
	snprintf(out, 512, "\"%.*s\" and not \"%.*s\"", (int)(a->len > line ? strcspn((const char *)a->data + line, "\n") & 127 : 0),
		 (const char *)a->data + line, (int)(b->len > line ? strcspn((const char *)b->data + line, "\n") & 127 : 0),
		 (const char *)b->data + line);
}
