/* See import_file.h. */
#include "storage/import_file.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "storage/collection_priv.h"
#include "storage/foreign.h"
#include "storage/import_copy.h"
#include "storage/import_upgrade.h"
#include "storage/objects.h"
#include "storage/schema18.h"

enum { PUSH_AFTER_OPS = 100000 }; /* about a millisecond */

/* The collection's own row. The limits keep arithmetic on these numbers far from their types' ends. */
static int copy_col(struct foreign *f, struct collection *to, struct err *e)
{
	static const struct {
		const char *name;
		int64_t lo, hi;
	} columns[] = {
		{ "crt", -(INT64_C(1) << 40), INT64_C(1) << 40 }, { "mod", 0, INT64_C(1) << 53 }, { "scm", 0, INT64_C(1) << 53 },
		{ "ls", 0, INT64_C(1) << 53 },                    { "usn", 0, 1 << 30 },
	};
	sqlite3_stmt *st = foreign_prepare(f, "SELECT crt, mod, scm, ls, usn FROM src.col", e);
	struct col_row row;
	int64_t v[5];
	int rc = -1;

	if (!st || sql_step(&f->sql, st, e) != 1)
		goto out;
	for (int i = 0; i < 5; i++) {
		v[i] = sqlite3_column_int64(st, i);
		if (sqlite3_column_type(st, i) == SQLITE_INTEGER && v[i] >= columns[i].lo && v[i] <= columns[i].hi)
			continue;
		err_set(e, ERR_DAMAGED, "col.%s cannot be %.40s", columns[i].name, sqlite3_column_text(st, i));
		goto out;
	}
	row = (struct col_row){ .crt_s = v[0], .mod_ms = v[1], .scm_ms = v[2], .ls_ms = v[3], .usn = v[4] };
	rc = schema18_put_col(to, &row, e);
out:
	sqlite3_finalize(st);
	return rc;
}

/* Which name is there twice? For the sentence when a unique index could not be made. */
static int name_clash(struct collection *to, struct err *e)
{
	static const struct {
		const char *what, *find;
	} kinds[] = {
		{ "decks", "SELECT name FROM main.decks GROUP BY name HAVING count(*) > 1 LIMIT 1" },
		{ "note types", "SELECT name FROM main.notetypes GROUP BY name HAVING count(*) > 1 LIMIT 1" },
		{ "fields of one note type", "SELECT name FROM main.fields GROUP BY name, ntid HAVING count(*) > 1 LIMIT 1" },
		{ "templates of one note type", "SELECT name FROM main.templates GROUP BY name, ntid HAVING count(*) > 1 LIMIT 1" },
	};
	struct buf shown = BUF_INIT(60);
	int rc = -1;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		sqlite3_stmt *st = NULL;
		struct slice name;

		if (sqlite3_prepare_v2(to->sql.db, kinds[i].find, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
			sqlite3_finalize(st);
			continue;
		}
		name = sql_column(st, 0);
		for (size_t at = 0, used; at < name.len && !shown.overflow; at += used) {
			uint32_t code = utf8_decode(name.p + at, name.len - at, &used);

			if (code == 0x1f)
				buf_puts(&shown, "::");
			else
				utf8_put(&shown, code < 0x20 ? ' ' : code);
		}
		sqlite3_finalize(st);
		rc = err_set(e, ERR_REFUSED, "Two %s have the same name, \"%s\". Please rename one of them in Anki, "
			     "or use Tools > Check Database, then sync again.", kinds[i].what, buf_str(&shown));
		break;
	}
	buf_release(&shown);
	return rc;
}

static int make_unique_indexes(struct collection *to, struct err *e)
{
	if (schema18_make_indexes(to, true, e) == 0)
		return 0;
	if (sqlite3_errcode(to->sql.db) % 256 == SQLITE_CONSTRAINT)
		name_clash(to, e);
	return -1;
}

static int check_deck(const struct deck *d, void *unused, struct err *e)
{
	(void)unused;
	return deck_check(d, e);
}

static int check_options(const struct deck_config *o, void *unused, struct err *e)
{
	(void)unused;
	return deck_config_check(o, e);
}

/* What cannot be decoded would make every later sync fail. */
static int check_blobs(struct collection *to, struct err *e)
{
	int64_t *ids = NULL;
	size_t n = 0;
	int rc = -1;

	if (deck_each_pending(to, INT64_MIN, check_deck, NULL, e) != 0 ||
	    deck_config_each_pending(to, INT64_MIN, check_options, NULL, e) != 0 ||
	    notetype_ids_pending(to, INT64_MIN, &ids, &n, e) != 0)
		goto out;
	for (size_t i = 0; i < n; i++) {
		struct notetype t;

		notetype_init(&t);
		rc = notetype_get(to, ids[i], &t, e) == 1 ? notetype_check(&t, e) : -1;
		notetype_release(&t);
		if (rc != 0)
			goto out;
	}
	rc = 0;
out:
	free(ids);
	return rc;
}

/*
 * What is written goes to the disk bit by bit. All of it at the end would take longer, and everybody else's syncs, which wait
 * for the same disk, with it.
 */
struct writeback {
	int fd;
	int64_t next_ms;
};

static int push(void *arg)
{
	enum { PAUSE_MS = 30 };
	struct writeback *w = arg;
	int64_t now = clock_mono_ms();

	if (now >= w->next_ms) {
		(void)sync_file_range(w->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		w->next_ms = now + PAUSE_MS;
	}
	return 0;
}

/* Small tables and their checks come first: a file that is to be refused is refused soon. */
static int fill(struct foreign *f, struct collection *to, struct import_result *r, struct err *e)
{
	struct import_copy copy = { .from = f };
	struct low_options low = { .ids = NULL };
	struct counts n;
	int rc = -1;

	/* Sorting for an index may take more memory than there is; importer_main says where such files go. A larger cache is no faster. */
	if (sql_exec(&to->sql, "PRAGMA temp_store=FILE; PRAGMA cache_size=-4096", e) != 0)
		return -1;
	if (import_copy_init(&copy, f, &to->sql, f->usn, e) != 0 || collection_begin(to, e) != 0)
		goto out;
	if (schema18_make_tables(to, e) != 0 || copy_col(f, to, e) != 0 || import_copy_tables(&copy, false, e) != 0 ||
	    make_unique_indexes(to, e) != 0 || import_upgrade(f, to, clock_now_s(), &low, e) != 0 || check_blobs(to, e) != 0)
		goto out;
	if (import_copy_tables(&copy, true, e) != 0 || import_compute_notes(to, copy.changed_notes, copy.n_changed, e) != 0 ||
	    schema18_make_indexes(to, false, e) != 0 ||
	    import_upgrade_cards(to, &low, f->usn, e) != 0)
		goto out;
	if (collection_count(to, &n, e) != 0 || collection_commit(to, e) != 0)
		goto out;
	*r = (struct import_result){
		.schema = f->version,
		.cards = n.cards,
		.notes = n.notes,
		.revlog = n.revlog,
		.notetypes = n.notetypes,
		.decks = n.decks,
		.deck_configs = n.deck_configs,
		.mended = copy.mended,
	};
	rc = 0;
out:
	low_options_release(&low);
	import_copy_release(&copy);
	return rc;
}

/* What went wrong in words for the user, unless it was not the file's fault. */
static int refuse(struct err *e)
{
	char why[sizeof e->msg];

	switch (e->kind) {
	case ERR_REFUSED:
	case ERR_FULL:
	case ERR_CUT_OFF:
		return -1;
	default:
		snprintf(why, sizeof why, "%s", e->msg);
		return err_set(e, ERR_REFUSED, "The collection is damaged (%.100s). Please use Tools > Check Database in Anki, "
			       "then sync again.", why);
	}
}

int import_file(const char *src, const char *dst, struct import_result *r, struct err *e)
{
	struct foreign f = { .path = NULL };
	struct collection *to = NULL;
	struct writeback w = { .fd = -1 };
	struct err why = ERR_INIT;
	int rc = -1;

	if (foreign_open(&f, src, &why) != 0)
		goto out;
	to = collection_open_build(dst, e);
	if (!to) {
		foreign_close(&f);
		return -1;
	}
	w.fd = open(dst, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	sqlite3_progress_handler(to->sql.db, PUSH_AFTER_OPS, push, &w);
	rc = fill(&f, to, r, &why);
	/* RLIMIT_FSIZE, which the file must not pass off as a fault of the disk. */
	if (rc != 0 && why.kind == ERR_CUT_OFF && sqlite3_system_errno(to->sql.db) == EFBIG)
		err_set(&why, ERR_DAMAGED, "it holds more than its length allows");
out:
	collection_close(to);
	if (w.fd >= 0)
		close(w.fd);
	foreign_close(&f);
	if (rc == 0)
		return collection_seal(dst, e);
	refuse(&why);
	if (e)
		*e = why;
	return -1;
}
