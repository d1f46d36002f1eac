/* See commit.h. */
#include "core/commit.h"

#include "base/clock.h"
#include "core/graves.h"
#include "core/merge.h"
#include "core/meta.h"
#include "core/shapes.h"
#include "format/packed_rows.h"
#include "storage/changes.h"

struct applying {
	struct home *home;
	struct session *session;
	struct collection *c;
	int64_t usn, revlog, cards, notes; /* rows */
	struct shapes shapes; /* of the note types as they are after the changes */
};

static int apply_graves(struct applying *a, struct err *e)
{
	struct graves g = GRAVES_INIT;
	int rc = graves_staged(&g, a->home, a->session, e);

	for (size_t i = 0; rc == 0 && i < g.n; i++)
		rc = grave_apply(a->c, g.items[i].id, (enum grave_type)g.items[i].type, a->usn, e);
	graves_release(&g);
	return rc;
}

static int apply_changes(enum session_record type, struct slice bytes, void *arg, struct err *e)
{
	struct applying *a = arg;
	struct merge m;
	int rc;

	(void)type;
	rc = merge_prepare(&m, bytes, a->c, NULL, a->session->min_usn, a->session->changes_s, e);
	if (rc == 0)
		rc = merge_apply(&m, a->home, a->c, a->usn, e);
	merge_release(&m);
	return rc;
}

static int apply_note(struct applying *a, const struct note_row *row, struct err *e)
{
	uint32_t sort_field;

	if (shapes_check(&a->shapes, a->c, row, &sort_field, e) != 0)
		return -1;
	a->notes++;
	return note_merge(a->c, row, sort_field, a->session->min_usn, a->usn, e);
}

static int apply_rows(enum session_record type, struct slice bytes, void *arg, struct err *e)
{
	struct applying *a = arg;
	struct packed_row row;
	int more, rc = 0;

	(void)type;
	while (rc == 0 && (more = packed_next(&bytes, &row)) != 0) {
		if (more < 0)
			return err_set(e, ERR_CONFLICT, "session: rows that make no sense");
		switch (row.kind) {
		case PACKED_REVLOG:
			a->revlog++;
			rc = revlog_merge(a->c, &row.as.revlog, a->usn, e);
			break;
		case PACKED_CARD:
			a->cards++;
			rc = card_merge(a->c, &row.as.card, a->session->min_usn, a->usn, e);
			break;
		case PACKED_NOTE:
			rc = apply_note(a, &row.as.note, e);
			break;
		}
	}
	return rc;
}

/* The order of all clients: graves, note types to configuration, then rows (protocol.md §3.3). */
static int apply_all(struct applying *a, struct err *e)
{
	if (apply_graves(a, e) != 0)
		return -1;
	if (session_each(a->home, a->session, RECORD_CHANGES, apply_changes, a, e) != 0)
		return -1;
	return session_each(a->home, a->session, RECORD_ROWS, apply_rows, a, e);
}

static bool same_stamp(const struct session_stamp *a, const struct session_stamp *b)
{
	return a->generation == b->generation && a->usn == b->usn && a->mod_ms == b->mod_ms && a->scm_ms == b->scm_ms;
}

static bool same_counts(const struct counts *a, const struct counts *b)
{
	return a->cards == b->cards && a->notes == b->notes && a->revlog == b->revlog && a->notetypes == b->notetypes &&
	       a->decks == b->decks && a->deck_configs == b->deck_configs;
}

/*
 * Our counts after the transaction: from those that the last commit left in the session, if they belong to this state of
 * the collection. Before a client is told that it does not fit (which costs its user a full sync), everything is counted.
 */
static int count(struct applying *a, const struct counts *theirs, struct counts *ours, struct err *e)
{
	const struct session *s = a->session;

	if (s->counts_stamp.generation && same_stamp(&s->counts_stamp, &s->stamp)) {
		if (collection_count_after(a->c, &s->counts, ours, e) != 0)
			return -1;
		if (!theirs || same_counts(theirs, ours))
			return 0;
	}
	return collection_count(a->c, ours, e);
}

static int bump(struct applying *a, struct session_stamp *after, struct err *e)
{
	int64_t now_ms = clock_now_ms();
	struct col_row col;

	if (collection_col(a->c, &col, e) != 0)
		return -1;
	col.mod_ms = now_ms > col.mod_ms ? now_ms : col.mod_ms + 1;
	col.ls_ms = col.mod_ms;
	col.usn++;
	*after = a->session->stamp;
	after->usn = col.usn;
	after->mod_ms = col.mod_ms;
	return collection_set_col(a->c, &col, e);
}

int commit_session(struct home *h, struct session *s, const struct counts *theirs, struct counts *ours, struct err *e)
{
	struct applying a = { .home = h, .session = s, .shapes = SHAPES_INIT };
	struct session_stamp now, after;
	int rc = -1;

	if (meta_stamp(h, &a.c, &now, e) != 0)
		return -1;
	if (!a.c || !same_stamp(&now, &s->stamp))
		return err_set(e, ERR_CONFLICT, "the collection has changed since this sync began");
	a.usn = now.usn;
	if (collection_begin(a.c, e) != 0)
		return -1;
	if (apply_all(&a, e) != 0 || count(&a, theirs, ours, e) != 0)
		goto out;
	if (theirs && !same_counts(theirs, ours)) {
		rc = 0;
		goto out;
	}
	if (bump(&a, &after, e) != 0 || collection_commit(a.c, e) != 0)
		goto out;
	s->state = SESSION_COMMITTED;
	s->committed_mod_ms = after.mod_ms;
	s->in.revlog += a.revlog;
	s->in.cards += a.cards;
	s->in.notes += a.notes;
	s->counts_stamp = after;
	s->counts = *ours;
	rc = 1;
out:
	collection_rollback(a.c);
	shapes_release(&a.shapes);
	return rc;
}
