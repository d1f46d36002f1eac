/*
 * Copying the rows of a foreign collection's tables into a new file of ours, values that no client could have sent mended
 * on the way (collection-format.md §3.6, §3.7, §8).
 */
#ifndef STORAGE_IMPORT_COPY_H
#define STORAGE_IMPORT_COPY_H

#include <stdint.h>

#include "base/err.h"
#include "storage/foreign.h"
#include "storage/sql.h"

struct import_copy {
	struct foreign *from;
	struct sql *to;   /* an SQL_BUILD connection with our tables and, for speed, without their large indexes */
	bool attached;    /* the foreign file is schema src of `to` as well */
	int64_t usn_max;  /* rows with other usns than 0..usn_max get this one */
	int64_t mended;   /* rows in which something was changed */
	int64_t seen[2];  /* of the table at hand: plain rows, and others */
	int64_t *changed_notes; /* of these, notes whose fields are others now */
	size_t n_changed;
};

/* Attach, register what the copying statements need. 0 or -1. `c` must stay where it is. */
int import_copy_init(struct import_copy *c, struct foreign *from, struct sql *to, int64_t usn_max, struct err *e);

/*
 * Copy the tables that the file's version keeps as schema 18 does: the small ones, or (`large`) notes, cards and revlog.
 * Two rows of one id are ERR_DAMAGED, like everything that SQLite cannot read.
 */
int import_copy_tables(struct import_copy *c, bool large, struct err *e);
void import_copy_release(struct import_copy *c); /* accepts a zeroed struct */

#endif
