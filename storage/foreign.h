/*
 * A collection file of unknown origin, in the importing child alone: opened read-only and hardened, and looked over
 * before a row of it is read (hardening.md §2.1). Its tables are those of schema `src`.
 */
#ifndef STORAGE_FOREIGN_H
#define STORAGE_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/sql.h"

enum foreign_table {
	FOREIGN_COL,
	FOREIGN_NOTES,
	FOREIGN_CARDS,
	FOREIGN_REVLOG,
	FOREIGN_GRAVES,
	FOREIGN_CONFIG,
	FOREIGN_TAGS,
	FOREIGN_DECK_CONFIG,
	FOREIGN_DECKS,
	FOREIGN_NOTETYPES,
	FOREIGN_FIELDS,
	FOREIGN_TEMPLATES,
	FOREIGN__TABLES,
};

struct foreign {
	struct sql sql;
	const char *path;
	bool utf16;           /* its texts are no UTF-8: it cannot be attached to a connection of ours */
	int version;          /* 11, 14..18 */
	int64_t usn;          /* col.usn */
	/*
	 * As counted in one of the table's indexes, where there is one. A page that got lost from a table is hardly lost from its
	 * index too: less or more rows in the table are damage.
	 */
	int64_t rows[FOREIGN__TABLES];
};

/*
 * Open and look over: length against the header, exactly one row in col, a known version, the tables and columns of that
 * version as plain tables; and count their rows. 0, or -1 with *f closed: ERR_REFUSED with a
 * sentence for the user where it is clear what is wrong, ERR_DAMAGED with a technical one where it is not.
 * `path` (absolute, borrowed) must not change meanwhile.
 */
int foreign_open(struct foreign *f, const char *path, struct err *e);
void foreign_close(struct foreign *f); /* accepts a zeroed struct */
/* Prepare a literal that reads schema src. To be finalized. NULL with *e. */
sqlite3_stmt *foreign_prepare(struct foreign *f, const char *text, struct err *e);

#endif
