/*
 * A collection file of schema 18 (collection-format.md §1.2): the `col` row, counts, and the handle that objects.h,
 * settings.h and changes.h work on. Everything here is called under the user's lock, and every write inside
 * collection_begin … collection_commit.
 */
#ifndef STORAGE_COLLECTION_H
#define STORAGE_COLLECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct collection;

/* NULL with *e set: ERR_NOT_FOUND, ERR_DAMAGED (no collection of schema 18), … */
struct collection *collection_open(const char *path, bool rollback_journal, struct err *e);
void collection_close(struct collection *c);
/* Is the file behind this handle still the one at `path`? */
bool collection_is_file(const struct collection *c, const char *path);
/* The handle is good for nothing any more (an I/O error). */
bool collection_is_broken(const struct collection *c);
/* After the reply: a checkpoint if it is due; memory of a large job given back. */
void collection_rest(struct collection *c);

struct col_row {
	int64_t crt_s, mod_ms, scm_ms, ls_ms;
	int64_t usn;
};
int collection_col(struct collection *c, struct col_row *row, struct err *e);
int collection_set_col(struct collection *c, const struct col_row *row, struct err *e);
/* Is there no card at all (`meta`'s "empty")? */
int collection_is_empty(struct collection *c, bool *empty, struct err *e);

/* Rows of the tables that sanityCheck2 compares. */
struct counts {
	int64_t cards, notes, revlog, notetypes, decks, deck_configs;
};
int collection_count(struct collection *c, struct counts *n, struct err *e); /* reads every index: 10 ms on L */
/*
 * What the transaction has inserted and deleted so far in cards, notes and revlog, and what note types, decks and option
 * groups there are now: added to `before` this is the count after it, without a look at the large tables.
 */
int collection_count_after(struct collection *c, const struct counts *before, struct counts *after, struct err *e);

/*
 * From here on all reading is one transaction, which spares each statement the locks of one of its own. It ends with
 * collection_begin, and with home_unlock at the latest.
 */
int collection_view(struct collection *c, struct err *e);
void collection_view_end(struct collection *c); /* does nothing when there is none */

int collection_begin(struct collection *c, struct err *e); /* ends a view */
/* The commit does not wait for the disk: at a power loss it may vanish, unless another commit followed it. */
int collection_begin_loose(struct collection *c, struct err *e);
int collection_commit(struct collection *c, struct err *e); /* on disk when it returns 0, unless loose */
void collection_rollback(struct collection *c);             /* does nothing outside a transaction */

/* Prepare all statements: for the test that does just that. */
int collection_prepare_all(struct collection *c, struct err *e);

#endif
