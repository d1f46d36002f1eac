/*
 * Whose version of a note type, deck or option group counts when both sides have one (protocol.md §3.4, docs/merging.md).
 * Cards and notes are decided in SQL (storage/collection_sql.c, CARD_PUT and NOTE_PUT).
 */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * true: the client's. `news`: ours is sent to this client in the same sync, and it takes ours unless its own is later; so
 * does this. Otherwise the client made its version out of ours and always wins, whatever its clock says: an earlier time is
 * raised to ours, or nobody else would take it, and the reply to applyChanges tells the client so (merge.h).
 */
static inline bool verdict_theirs(bool news, int64_t ours_s, int64_t *theirs_s)
{
	if (news)
		return ours_s < *theirs_s;
	if (*theirs_s < ours_s)
		*theirs_s = ours_s;
	return true;
}

/* A time for an object that we change ourselves: everybody takes it. */
static inline int64_t verdict_later(int64_t mod_s, int64_t now_s)
{
	return mod_s < now_s ? now_s : mod_s < INT64_MAX ? mod_s + 1 : mod_s;
}

#endif
