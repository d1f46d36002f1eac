/*
 * SQLite, hardened: how every connection is opened, statements by number, transactions. Only storage/ includes this.
 * A connection is used under the user's lock only, and no statement stays active between two calls.
 */
#ifndef STORAGE_SQL_H
#define STORAGE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct sql {
	sqlite3 *db;
	const char *const *texts; /* one literal per statement number */
	sqlite3_stmt **stmts;     /* prepared when first used, kept */
	int n_texts;
	char name[32];            /* for messages, "col-7.anki2" */
	bool trusted;             /* DDL and pragmas pass the authorizer: only inside sql_open and sql_exec */
	unsigned mode;
	int wal_frames;           /* in the WAL after our last commit */
	int64_t busy_since_ms;    /* since when the step at hand is at work, as far as anybody looked; 0 */
	bool broken;              /* the disk failed under it: to be closed, and opened anew by the next request */
};

enum sql_mode {
	SQL_CREATE = 1,   /* make the file if it is not there (mode 0600) */
	SQL_ROLLBACK = 2, /* rollback journal instead of WAL (shared file systems) */
	SQL_FOREIGN = 8,  /* a file of unknown origin: read-only, immutable; for the importing child alone */
	SQL_OVERLAY = 32, /* the file that overlay_offer named; `path` is for messages. With SQL_BUILD */
	SQL_BUILD = 16,   /* a new file that only we know yet: no journal, no sync (the caller fsyncs), ATTACH allowed */
};

#define SQL_OVERLAY_VFS "ankisync-overlay"

/*
 * Open `path` (absolute) with everything of hardening.md §4 set, `unicase` registered, journal and synchronous as asked.
 * `texts` is borrowed for ever; *s must stay where it is while it is open. 0, or -1 with *s closed: ERR_NOT_FOUND when there is no such file (and no SQL_CREATE),
 * ERR_DAMAGED when it is no database.
 */
int sql_open(struct sql *s, const char *path, unsigned mode, const char *const *texts, int n_texts, struct err *e);
void sql_close(struct sql *s); /* accepts a zeroed struct */
/*
 * In a file whose user_version is 0 (a new one): run `schema`, which raises it, as one transaction. Without a schema such a
 * file is ERR_DAMAGED. 0 or -1.
 */
int sql_make(struct sql *s, const char *schema, struct err *e);

/*
 * From now on no step of a statement of this process takes longer (ERR_BUSY): whatever somebody put into a collection, a worker
 * comes back. Not the sum over the rows of one, which are few or many but end. 0: no limit, as for the administrator.
 */
void sql_limit_steps(int64_t ms);

/* Statement `n`, reset and with no bindings. NULL with *e set. */
sqlite3_stmt *sql_stmt(struct sql *s, int n, struct err *e);
/* Several literal statements (schema), outside the table. */
int sql_exec(struct sql *s, const char *text, struct err *e);
/* 1 a row, 0 done (and reset), -1 failed (and reset). */
int sql_step(struct sql *s, sqlite3_stmt *st, struct err *e);
/* For statements without rows: step, reset, and complain about rows. 0 or -1. */
int sql_run(struct sql *s, sqlite3_stmt *st, struct err *e);
/* The first column of the only row: 1, 0 (no row), -1. */
int sql_int(struct sql *s, sqlite3_stmt *st, int64_t *v, struct err *e);

int sql_begin(struct sql *s, struct err *e); /* BEGIN IMMEDIATE */
int sql_commit(struct sql *s, struct err *e);
void sql_rollback(struct sql *s); /* does nothing outside a transaction */
/*
 * Between transactions: shall commits not wait for the disk (synchronous=NORMAL), or again? Whatever follows them in a WAL
 * makes them durable too. A rollback journal waits in any case.
 */
int sql_loosen(struct sql *s, bool loose, struct err *e);

void sql_bind_text(sqlite3_stmt *st, int i, struct slice v); /* borrowed until the statement is reset */
void sql_bind_blob(sqlite3_stmt *st, int i, struct slice v);
struct slice sql_column(sqlite3_stmt *st, int i); /* text or blob; valid until the next step */

/* err_set from the connection's state: FULL, IOERR, CORRUPT/NOTADB, BUSY, … -> kinds; may set `broken`. Returns -1. */
int sql_err(struct sql *s, struct err *e, const char *what);
/* Prepare every statement: for the test that does just that. */
int sql_prepare_all(struct sql *s, struct err *e);
/*
 * Checkpoint (PASSIVE) when the WAL has grown to about 1,000 frames. Automatic checkpoints are off, since the commit that
 * trips one takes 8–10 ms (performance-facts.md, "Commits"): call this after the reply.
 */
void sql_rest(struct sql *s);
/* Shrink the page cache (performance-facts.md: 0.2 MB instead of 8 after a large job). */
void sql_shrink(struct sql *s);

#endif
