/*
 * See full_sync.h. An upload is received into one temporary file and rebuilt into another by a child, both without the
 * lock; the lock is held only while the result becomes the current generation.
 */
#include "core/full_sync.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/clock.h"
#include "core/quota.h"
#include "core/report.h"
#include "storage/home.h"
#include "storage/importer.h"
#include "storage/session.h"
#include "storage/snapshot.h"

enum { PIECE_BYTES = 128 << 10, ROOM_BYTES = 16 << 20 }; /* how far ahead there must be room */

struct temp_file {
	char name[HOME_NAME_MAX]; /* "" when there is none (any more) */
	char path[PATH_MAX];
	int fd;                   /* holds the flock that keeps sweepers away */
};

static int temp_open(struct temp_file *t, struct home *h, struct err *e)
{
	if (home_temp(h, t->name, &t->fd, e) != 0) {
		t->name[0] = 0;
		return -1;
	}
	if ((size_t)snprintf(t->path, sizeof t->path, "%s/%s", home_path(h), t->name) >= sizeof t->path)
		return err_set(e, ERR_INTERNAL, "%s: path too long", home_path(h));
	return 0;
}

static void temp_end(struct temp_file *t, struct home *h)
{
	if (t->name[0])
		unlinkat(home_dirfd(h), t->name, 0);
	if (t->fd >= 0)
		close(t->fd);
	*t = (struct temp_file){ .fd = -1 };
}

/* One piece: more than 0 bytes of it, 0 at the end of the body, -1. */
static ssize_t spool_piece(struct server *s, struct home *h, struct call *c, struct fd_sink *to, char *piece, struct err *e)
{
	ssize_t n = c->body->read(c->body, piece, PIECE_BYTES, e);

	if (n <= 0)
		return n;
	if (to->written + (uint64_t)n > server_max_payload(s))
		return err_set(e, ERR_TOO_BIG, "more than %" PRIu64 " bytes", server_max_payload(s));
	if (to->written / ROOM_BYTES != (to->written + (uint64_t)n) / ROOM_BYTES && quota_check_disk(s, h, ROOM_BYTES, e) != 0)
		return -1;
	return to->sink.write(&to->sink, piece, (size_t)n, e) == 0 ? n : -1;
}

/* The body into a file: all of it, or -1. */
static int spool(struct server *s, struct home *h, struct call *c, int fd, uint64_t *bytes, struct err *e)
{
	char *piece = xmalloc(PIECE_BYTES);
	struct fd_sink to;
	ssize_t n;

	fd_sink_init(&to, fd);
	while ((n = spool_piece(s, h, c, &to, piece, e)) > 0)
		;
	*bytes = to.written;
	free(piece);
	return n < 0 ? -1 : 0;
}

static int receive(struct server *s, struct home *h, struct call *c, struct temp_file *rebuilt, uint64_t *bytes,
		   struct import_result *result, struct err *e)
{
	struct temp_file spooled = { .fd = -1 };
	int rc = -1;

	if (temp_open(&spooled, h, e) != 0 || spool(s, h, c, spooled.fd, bytes, e) != 0)
		goto out;
	if (*bytes == 0) {
		err_set(e, ERR_REFUSED, "The upload was empty: no collection arrived. Please sync again.");
		goto out;
	}
	if (quota_check_disk(s, h, *bytes, e) != 0 || temp_open(rebuilt, h, e) != 0)
		goto out;
	rc = import_run(spooled.path, rebuilt->path, (int)s->config->upload_seconds, result, e);
out:
	temp_end(&spooled, h);
	return rc;
}

static int install(struct server *s, struct home *h, struct call *c, struct temp_file *rebuilt, int64_t *generation, struct err *e)
{
	if (home_lock(h, e) != 0 || call_key_again(s, h, c, e) != 0)
		return -1;
	if (session_end(h, e) != 0 || home_install(h, rebuilt->name, generation, e) != 0)
		return -1;
	rebuilt->name[0] = 0;
	home_unlock(h);
	return 0;
}

static void log_upload(struct server *s, struct home *h, struct call *c, uint64_t bytes, int64_t generation,
		       const struct import_result *r, int64_t began_ms)
{
	if (!report_begin(s, h, c, LOG_LEVEL_INFO, "upload"))
		return;
	log_put_int("cards_in", r->cards);
	log_put_int("notes_in", r->notes);
	log_put_int("revlog_in", r->revlog);
	log_put_int("decks_in", r->decks);
	log_put_int("notetypes_in", r->notetypes);
	log_put_int("options_in", r->deck_configs);
	log_put_int("bytes_in", (int64_t)bytes);
	log_put_int("schema", r->schema);
	log_put_count("mended", r->mended);
	log_put_int("generation", generation);
	log_put_int("ms", clock_mono_ms() - began_ms);
	log_put("outcome", SLICE("done"));
	log_end();
}

/* Refusals become an answer that the client shows to its user (protocol.md §4.1). */
static int refuse(struct server *s, struct home *h, struct call *c, struct reply *r, int64_t began_ms, struct err *e)
{
	if (e->kind == ERR_TOO_BIG)
		buf_printf(&r->body, "The collection exceeds the size limit of this server, %" PRIu64 " MiB. "
			   "The administrator can raise it (MAX_SYNC_PAYLOAD_MEGS).", server_max_payload(s) >> 20);
	else if (e->kind == ERR_REFUSED)
		buf_puts(&r->body, e->msg);
	else
		return -1;
	if (report_begin(s, h, c, LOG_LEVEL_WARN, "upload")) {
		log_put_int("ms", clock_mono_ms() - began_ms);
		log_put("outcome", SLICE("refused"));
		log_put("error", slice_of(e->msg));
		log_end();
	}
	return 0;
}

int full_upload(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct temp_file rebuilt = { .fd = -1 };
	struct import_result result = { 0 };
	int64_t generation = 0, began_ms = clock_mono_ms();
	struct err why = ERR_INIT;
	uint64_t bytes = 0;
	int rc = -1;

	if (receive(s, h, c, &rebuilt, &bytes, &result, &why) != 0 || install(s, h, c, &rebuilt, &generation, &why) != 0)
		goto out;
	log_upload(s, h, c, bytes, generation, &result, began_ms);
	buf_puts(&r->body, "OK");
	rc = 0;
out:
	temp_end(&rebuilt, h);
	if (rc != 0)
		rc = refuse(s, h, c, r, began_ms, &why);
	if (rc != 0 && e)
		*e = why;
	return rc;
}

static void end_snapshot(struct reply *r)
{
	snapshot_end(r->stream_owner);
	r->stream_owner = NULL;
}

int full_download(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	int64_t began_ms = clock_mono_ms();
	struct snapshot *snapshot;

	/* Kept, since the client goes on with it: its next sync shall be a normal one. */
	if (session_end(h, e) != 0 || home_first_collection(h, e) != 0)
		return -1;
	snapshot = snapshot_begin(h, c->version < 11, e);
	if (!snapshot)
		return -1;
	home_unlock(h);
	if (snapshot_make(snapshot, e) != 0) {
		snapshot_end(snapshot);
		return -1;
	}
	r->stream_owner = snapshot;
	r->stream_end = end_snapshot;
	r->stream = snapshot_source(snapshot);
	r->stream_bytes = snapshot_bytes(snapshot);
	/* Whether it arrives is the next line, if it does not. */
	if (report_begin(s, h, c, LOG_LEVEL_INFO, "download")) {
		log_put_int("bytes_out", (int64_t)r->stream_bytes);
		log_put_int("ms", clock_mono_ms() - began_ms);
		log_put("outcome", SLICE("done"));
		log_end();
	}
	return 0;
}
