/* The one commit point of a normal sync: everything that was staged, replayed in one transaction (design.md §5). */
#ifndef CORE_COMMIT_H
#define CORE_COMMIT_H

#include "storage/session.h"

/*
 * Apply the session's records to the collection, compare counts with the client's (NULL: do not compare), and commit with
 * usn + 1 and a mod that is later than the old one, whatever the clock says. On disk when it returns 1, and *s says what was
 * committed. 0: the counts do not fit, nothing was changed, *ours are our counts. -1: ERR_CONFLICT when the collection is
 * not the one of `start` any more; ERR_BAD_REQUEST when the data does not go together; nothing was changed.
 * The caller saves *s.
 */
int commit_session(struct home *h, struct session *s, const struct counts *theirs, struct counts *ours, struct err *e);

#endif
