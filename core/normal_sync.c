/* See normal_sync.h. */
#include "core/normal_sync.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/commit.h"
#include "core/graves.h"
#include "core/incoming.h"
#include "core/merge.h"
#include "core/meta.h"
#include "core/report.h"
#include "core/shapes.h"
#include "format/packed_rows.h"
#include "storage/changes.h"
#include "storage/home.h"
#include "storage/session.h"
#include "storage/settings.h"

/* Rows of one reply to `chunk`: the measured sweet spot, and what clients of forms expect (performance-facts.md, design.md §5). */
enum { CHUNK_ROWS = 2500, CHUNK_ROWS_OLD = 250, CHUNK_BYTES = 1 << 20 };

/* The states a step is allowed in, by bits of 1 << enum session_state. Everything else is a conflict. */
#define IN(state) (1u << (state))

/* Load the session and check that this call belongs to it, in one of the states. */
static int enter(struct home *h, struct call *c, unsigned allowed, struct session *s, struct err *e)
{
	if (session_load(h, s, e) != 0 || session_check(s, c->session_key, e) != 0)
		return -1;
	if (!(IN(s->state) & allowed))
		return err_set(e, ERR_CONFLICT, "this sync is over (state %lld)", (long long)s->state);
	return 0;
}

/* The step is done: what it moved, and all that it changed in the session, is kept. */
static int keep(struct home *h, struct session *s, const struct call *c, const struct reply *r, struct err *e)
{
	s->in.bytes += (int64_t)c->payload.len;
	s->out.bytes += (int64_t)r->body.len;
	return session_save(h, s, e);
}

struct start_request {
	int64_t min_usn;
	bool client_is_newer;
	struct graves graves; /* of clients before mid-2018, which have no applyGraves */
};

static int parse_start(struct start_request *q, struct slice payload, struct err *e)
{
	struct json_object *o, *v;
	int rc = -1;

	if (json_parse_object(payload, &JSON_LIMITS_PAYLOAD, &o, e) != 0)
		return -1;
	if (json_need_int(o, "minUsn", INT32_MIN, INT32_MAX, &q->min_usn, e) != 0)
		goto out;
	if (!json_has(o, "lnewer", &v) || !json_is_anybool(v, &q->client_is_newer)) {
		err_set(e, ERR_BAD_REQUEST, "start: lnewer is missing or not a bool");
		goto out;
	}
	if (json_has(o, "graves", &v) && v && graves_from_json(&q->graves, v, false, e) != 0)
		goto out;
	rc = 0;
out:
	json_object_put(o);
	return rc;
}

/*
 * The server was set back behind the client's back (a restored disk): what the client has is newer than what we have, and
 * only its user can say which side counts. Another scm makes the next sync ask.
 */
static int refuse_future(struct collection *c, int64_t min_usn, struct err *e)
{
	int64_t now_ms = clock_now_ms();
	struct col_row col;

	if (collection_begin(c, e) != 0)
		return -1;
	if (collection_col(c, &col, e) != 0)
		goto fail;
	col.scm_ms = now_ms > col.scm_ms ? now_ms : col.scm_ms + 1;
	if (collection_set_col(c, &col, e) != 0 || collection_commit(c, e) != 0)
		goto fail;
	return err_set(e, ERR_CONFLICT, "the client is at usn %lld, the collection only at %lld: it was set back; a full sync is needed",
		       (long long)min_usn, (long long)col.usn);
fail:
	collection_rollback(c);
	return -1;
}

static int collect_grave(int64_t id, enum grave_type type, void *arg, struct err *e)
{
	(void)e;
	graves_add(arg, id, type);
	return 0;
}

static void print_ids(struct buf *out, const char *key, const struct graves *g, enum grave_type type)
{
	bool first = true;

	json_put_key(out, key);
	buf_putc(out, '[');
	for (size_t i = 0; i < g->n; i++) {
		if (g->items[i].type != (int64_t)type)
			continue;
		if (!first)
			buf_putc(out, ',');
		first = false;
		json_put_int(out, g->items[i].id);
	}
	buf_putc(out, ']');
}

static int print_graves(struct buf *out, struct collection *c, int64_t min_usn, int64_t *n, struct err *e)
{
	struct graves g = GRAVES_INIT;
	int rc = graves_each_pending(c, min_usn, collect_grave, &g, e);

	buf_putc(out, '{');
	print_ids(out, "cards", &g, GRAVE_CARD);
	print_ids(out, "decks", &g, GRAVE_DECK);
	print_ids(out, "notes", &g, GRAVE_NOTE);
	buf_putc(out, '}');
	*n = (int64_t)g.n;
	graves_release(&g);
	return rc;
}

static int start(struct server *sv, struct home *h, struct call *c, const struct start_request *q, struct reply *r, struct err *e)
{
	const struct session_told *told;
	struct session_moved out = { 0 };
	struct collection *collection;
	struct session_stamp stamp;
	struct session s;

	if (c->session_key.len == 0)
		return err_set(e, ERR_BAD_REQUEST, "start without a session key");
	if (session_load(h, &s, e) != 0 || meta_stamp(h, &collection, &stamp, e) != 0)
		return -1;
	told = session_told(&s, c->session_key);
	if (told && (told->stamp.generation != stamp.generation || told->stamp.scm_ms != stamp.scm_ms))
		return err_set(e, ERR_CONFLICT, "the collection was replaced since this client's meta");
	if (!collection) {
		if (home_first_collection(h, e) != 0 || meta_stamp(h, &collection, &stamp, e) != 0)
			return -1;
		for (size_t i = 0; i < SESSION_RING; i++) /* "empty" is still what it is */
			if (s.ring[i].stamp.generation == 0)
				s.ring[i].stamp = stamp;
	}
	if (q->min_usn > stamp.usn)
		return refuse_future(collection, q->min_usn, e);
	if (collection_unbury(collection, clock_now_s(), e) != 0)
		return -1;
	if (print_graves(&r->body, collection, q->min_usn, &out.graves, e) != 0)
		return -1;
	if (s.state == SESSION_OPEN)
		report_overtaken(sv, h, &s);
	out.bytes = (int64_t)r->body.len;
	s.out = out;
	s.in = (struct session_moved){ .graves = (int64_t)q->graves.n, .bytes = (int64_t)c->payload.len };
	memcpy(s.owner, c->key_hash, sizeof s.owner);
	if (session_begin(h, &s, c->session_key, &stamp, q->min_usn, q->client_is_newer, e) != 0)
		return -1;
	if (q->graves.n == 0)
		return 0;
	return graves_stage(&q->graves, h, &s, server_max_payload(sv), e) == 0 ? session_save(h, &s, e) : -1;
}

int normal_start(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct start_request q = { .graves = GRAVES_INIT };
	int rc = -1;

	if (parse_start(&q, buf_slice(&c->payload), e) == 0)
		rc = start(sv, h, c, &q, r, e);
	graves_release(&q.graves);
	return rc;
}

int normal_apply_graves(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct graves g = GRAVES_INIT;
	struct json_object *o = NULL, *chunk;
	struct session s;
	int rc = -1;

	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_PAYLOAD, &o, e) != 0 || enter(h, c, IN(SESSION_OPEN), &s, e) != 0)
		goto out;
	if (json_need_object(o, "chunk", &chunk, e) != 0 || graves_from_json(&g, chunk, true, e) != 0)
		goto out;
	s.in.graves += (int64_t)g.n;
	buf_puts(&r->body, "null");
	if (graves_stage(&g, h, &s, server_max_payload(sv), e) != 0 || keep(h, &s, c, r, e) != 0)
		goto out;
	rc = 0;
out:
	graves_release(&g);
	json_object_put(o);
	return rc;
}

/* With the note types that it brings, so that applyChunk can check notes against them without the whole JSON. */
static int stage_changes(struct home *h, struct session *s, const struct merge *m, struct slice payload, uint64_t max_bytes,
			 struct err *e)
{
	struct shapes shapes = SHAPES_INIT;
	int rc;

	for (size_t i = 0; i < m->in.n_notetypes; i++)
		if (m->notetypes.in[i].accept)
			shapes_add(&shapes, (struct shape){ m->in.notetypes[i].id, (int64_t)m->in.notetypes[i].n_fields, 0 });
	rc = session_add(h, s, RECORD_CHANGES, payload, max_bytes, e);
	if (rc == 0)
		rc = shapes_stage(&shapes, h, s, max_bytes, e);
	shapes_release(&shapes);
	return rc;
}

int normal_apply_changes(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct graves deleted = GRAVES_INIT;
	struct collection *collection;
	struct session_stamp stamp;
	struct merge m = { .min_usn = 0 };
	struct session s;
	int rc = -1;

	if (enter(h, c, IN(SESSION_OPEN), &s, e) != 0 || meta_stamp(h, &collection, &stamp, e) != 0)
		return -1;
	if (!collection || stamp.generation != s.stamp.generation)
		return err_set(e, ERR_CONFLICT, "the collection was replaced during this sync");
	if (!s.changes_s)
		s.changes_s = clock_now_s();
	if (graves_staged(&deleted, h, &s, e) != 0)
		goto out;
	if (merge_prepare(&m, buf_slice(&c->payload), collection, &deleted, s.min_usn, s.changes_s, e) != 0)
		goto out;
	if (merge_print_reply(&m, h, collection, &deleted, !s.client_is_newer, &r->body, &s.out, e) != 0)
		goto out;
	s.in.notetypes += (int64_t)m.in.n_notetypes;
	s.in.decks += (int64_t)m.in.n_decks;
	s.in.options += (int64_t)m.in.n_configs;
	s.in.tags += (int64_t)m.in.n_tags;
	if (stage_changes(h, &s, &m, buf_slice(&c->payload), server_max_payload(sv), e) == 0)
		rc = keep(h, &s, c, r, e);
out:
	merge_release(&m);
	graves_release(&deleted);
	return rc;
}

static bool is_buried(enum grave_type type, int64_t id, void *arg)
{
	return graves_have(arg, type, id);
}

int normal_chunk(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct graves deleted = GRAVES_INIT;
	struct collection *collection;
	struct session_stamp stamp;
	size_t rows[CURSOR_END];
	struct session s;
	int rc = -1;

	(void)sv;
	if (enter(h, c, IN(SESSION_OPEN), &s, e) != 0 || meta_stamp(h, &collection, &stamp, e) != 0)
		return -1;
	if (!collection || stamp.generation != s.stamp.generation)
		return err_set(e, ERR_CONFLICT, "the collection was replaced during this sync");
	if (graves_staged(&deleted, h, &s, e) != 0)
		goto out;
	buf_putc(&r->body, '{');
	if (changes_print(collection, &s.cursor, c->version >= 11 ? CHUNK_ROWS : CHUNK_ROWS_OLD, CHUNK_BYTES, is_buried, &deleted,
			  &r->body, rows, e) != 0)
		goto out;
	s.out.revlog += (int64_t)rows[CURSOR_REVLOG];
	s.out.cards += (int64_t)rows[CURSOR_CARDS];
	s.out.notes += (int64_t)rows[CURSOR_NOTES];
	json_put_key(&r->body, "done");
	json_put_bool(&r->body, s.cursor.table == CURSOR_END);
	buf_putc(&r->body, '}');
	rc = keep(h, &s, c, r, e);
out:
	graves_release(&deleted);
	return rc;
}

struct receiving {
	struct collection *c;
	struct shapes shapes;
	struct buf rows; /* packed */
};

static int receive_revlog(const struct revlog_row *row, void *arg, struct err *e)
{
	struct receiving *r = arg;

	(void)e;
	revlog_pack(&r->rows, row);
	return 0;
}

static int receive_card(const struct card_row *row, void *arg, struct err *e)
{
	struct receiving *r = arg;

	(void)e;
	card_pack(&r->rows, row);
	return 0;
}

/* A note that cannot be stored is refused now, as official does, and not only at the commit. */
static int receive_note(const struct note_row *row, void *arg, struct err *e)
{
	struct receiving *r = arg;
	uint32_t sort_field;

	if (shapes_check(&r->shapes, r->c, row, &sort_field, e) != 0)
		return -1;
	note_pack(&r->rows, row);
	return 0;
}

int normal_apply_chunk(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct receiving in = { .shapes = SHAPES_INIT, .rows = BUF_INIT(BUF_UNBOUNDED) };
	const struct chunk_visitor v = { receive_revlog, receive_card, receive_note, &in };
	struct session_stamp stamp;
	struct session s;
	int rc = -1;

	if (enter(h, c, IN(SESSION_OPEN), &s, e) != 0 || meta_stamp(h, &in.c, &stamp, e) != 0)
		return -1;
	if (!in.c || stamp.generation != s.stamp.generation)
		return err_set(e, ERR_CONFLICT, "the collection was replaced during this sync");
	if (shapes_staged(&in.shapes, h, &s, e) != 0 || incoming_chunk(buf_slice(&c->payload), &v, e) != 0)
		goto out;
	buf_puts(&r->body, "null");
	if (in.rows.len && session_add(h, &s, RECORD_ROWS, buf_slice(&in.rows), server_max_payload(sv), e) != 0)
		goto out;
	if (keep(h, &s, c, r, e) != 0)
		goto out;
	rc = 0;
out:
	shapes_release(&in.shapes);
	buf_release(&in.rows);
	return rc;
}

/* The eight counts as the client sends them; due counts and graves are not compared (protocol.md §3.3). */
static int parse_counts(struct json_object *list, struct counts *n, struct err *e)
{
	int64_t *const into[8] = { NULL, &n->cards, &n->notes, &n->revlog, NULL, &n->notetypes, &n->decks, &n->deck_configs };
	int64_t ignored;
	size_t length;

	if (!json_is_array(list, &length) || length != 8)
		return err_set(e, ERR_BAD_REQUEST, "sanityCheck2: client is not a list of 8");
	for (size_t i = 1; i < 8; i++)
		if (!json_is_int(json_at(list, i), 0, UINT32_MAX, into[i] ? into[i] : &ignored))
			return err_set(e, ERR_BAD_REQUEST, "sanityCheck2: client[%zu] is not a count", i);
	if (!json_is_array(json_at(list, 0), &length) || length != 3)
		return err_set(e, ERR_BAD_REQUEST, "sanityCheck2: client[0] is not a list of 3");
	return 0;
}

static void print_counts(struct buf *out, const char *key, const struct counts *n)
{
	json_put_key(out, key);
	buf_printf(out, "[[0,0,0],%lld,%lld,%lld,0,%lld,%lld,%lld]", (long long)n->cards, (long long)n->notes, (long long)n->revlog,
		   (long long)n->notetypes, (long long)n->decks, (long long)n->deck_configs);
}

static void print_answer(struct buf *out, bool ok, const struct counts *theirs, const struct counts *ours)
{
	buf_printf(out, "{\"status\":\"%s\"", ok ? "ok" : "bad");
	print_counts(out, "c", theirs);
	print_counts(out, "s", ours);
	buf_putc(out, '}');
}

/*
 * With the one line that the log has of a sync. What was committed is committed: a session that cannot be written down only
 * means that `finish` will say 409.
 */
static void end_sync(struct server *sv, struct home *h, struct call *c, struct session *s, const struct reply *r, const char *outcome,
		     const char *counts)
{
	struct err e = ERR_INIT;

	if (keep(h, s, c, r, &e) != 0)
		log_line(LOG_LEVEL_WARN, "after a sync: %s", e.msg);
	report_sync(sv, h, c, s, outcome, counts);
}

/* A client of the Python era whose own check has failed sends a text. Official says 400; `bad` is what it wants to hear. */
static int answer_failed_client(struct server *sv, struct home *h, struct call *c, struct session *s, struct json_object *text,
				struct reply *r)
{
	buf_puts(&r->body, "{\"status\":\"bad\",\"c\":");
	json_put_value(&r->body, text);
	buf_puts(&r->body, ",\"s\":null}");
	s->state = SESSION_BAD;
	end_sync(sv, h, c, s, r, "the client's own check failed", json_object_get_string(text));
	return 0;
}

static int check_and_commit(struct server *sv, struct home *h, struct call *c, struct session *s, const struct counts *theirs,
			    struct reply *r, struct err *e)
{
	struct counts ours;
	int rc = commit_session(h, s, theirs, &ours, e);

	if (rc < 0)
		return -1;
	print_answer(&r->body, rc == 1, theirs, &ours);
	snprintf(s->answer, sizeof s->answer, "%s", buf_str(&r->body));
	if (rc == 0)
		s->state = SESSION_BAD;
	end_sync(sv, h, c, s, r, rc == 1 ? "done" : "the counts do not fit", rc == 1 ? NULL : s->answer);
	return 0;
}

int normal_sanity_check(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct json_object *o, *client;
	struct counts theirs = { 0 };
	struct session s;
	struct slice text;
	int rc = -1;

	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (enter(h, c, IN(SESSION_OPEN) | IN(SESSION_COMMITTED) | IN(SESSION_BAD), &s, e) != 0)
		goto out;
	if (s.answer[0]) {
		buf_puts(&r->body, s.answer);
		rc = 0;
		goto out;
	}
	if (s.state != SESSION_OPEN) {
		err_set(e, ERR_CONFLICT, "this sync is over");
		goto out;
	}
	if (!json_has(o, "client", &client))
		err_set(e, ERR_BAD_REQUEST, "sanityCheck2: key client is missing");
	else if (json_is_str(client, &text))
		rc = answer_failed_client(sv, h, c, &s, client, r);
	else if (parse_counts(client, &theirs, e) == 0)
		rc = check_and_commit(sv, h, c, &s, &theirs, r, e);
out:
	json_object_put(o);
	return rc;
}

int normal_finish(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct counts ours;
	struct session s;

	/* A client that lost our reply asks again: the same mod, or all devices sync once more. */
	if (enter(h, c, IN(SESSION_OPEN) | IN(SESSION_COMMITTED), &s, e) != 0)
		return -1;
	if (s.state == SESSION_OPEN) {
		if (commit_session(h, &s, NULL, &ours, e) != 1)
			return -1;
		end_sync(sv, h, c, &s, r, "done", NULL);
	}
	json_put_int(&r->body, s.committed_mod_ms);
	return 0;
}

int normal_abort(struct server *sv, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct session s;

	if (session_load(h, &s, e) != 0)
		return -1;
	/*
	 * A client that was overtaken sends abort with its old key while the winner is syncing, and Cancel sends one with a new
	 * key: neither may end somebody else's sync. After the commit there is nothing left to end.
	 */
	if (session_check(&s, c->session_key, NULL) == 0 && s.state != SESSION_COMMITTED) {
		if (session_end(h, e) != 0)
			return -1;
		if (s.state == SESSION_OPEN)
			report_sync(sv, h, c, &s, "aborted by the client", NULL);
	}
	buf_puts(&r->body, "null");
	return 0;
}
