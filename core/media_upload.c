/*
 * uploadChanges: a zip of new and deleted files (protocol.md §5). Received, unpacked and written to the disk without the
 * lock, which is held only while the files get their names and the index is changed. See media_sync.h.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "core/media_sync.h"
#include "core/media_zip.h"
#include "core/quota.h"
#include "core/report.h"
#include "storage/home.h"

enum { EXTRA_MEGS = 10 }; /* what may come with a file of the largest size: 2.5 MiB of others, headers */

struct upload {
	struct server *server;
	struct home *home;
	struct call *call;
	struct contents_put *put;
	struct media_upload list;
	int64_t last_usn, began_ms;
	uint64_t bytes; /* of the zip */
};

static int receive(struct upload *u, struct err *e)
{
	int64_t file_max = u->server->config->media_file_megs << 20;
	const struct media_zip_limits limits = { file_max, file_max + ((int64_t)EXTRA_MEGS << 20) };
	uint64_t max = server_max_payload(u->server);
	struct spool zip = SPOOL_INIT;
	int rc = -1;

	if (max > (uint64_t)limits.total_bytes)
		max = (uint64_t)limits.total_bytes;
	if (spool_receive(&zip, u->home, u->call->body, max, e) != 0)
		goto out;
	u->bytes = zip.bytes;
	if (quota_check_disk(u->server, u->home, zip.bytes, e) != 0)
		goto out;
	u->put = contents_put_new(u->home, e);
	if (u->put && media_zip_read(&zip, &limits, u->put, &u->list, e) == 0)
		rc = contents_put_sync(u->put, e);
out:
	spool_release(&zip);
	return rc;
}

static int has_room(void *arg, int64_t before, int64_t after, struct err *e)
{
	return quota_check_media(arg, before, after, e);
}

static int commit(struct upload *u, struct err *e)
{
	struct quota quota;
	struct media *m;

	if (home_lock(u->home, e) != 0 || call_key_again(u->server, u->home, u->call, e) != 0 ||
	    quota_load(u->server, u->home, &quota, e) != 0 || home_media(u->home, true, &m, e) != 1 ||
	    media_apply(m, u->put, u->list.changes, u->list.n, has_room, &quota, &u->last_usn, e) != 0)
		return -1;
	home_unlock(u->home);
	return 0;
}

/* Media replies can carry a sentence that clients show as it is (protocol.md §2.2). */
static int refuse(struct upload *u, struct reply *r, const struct err *why)
{
	const char *text = why->msg;

	if (why->kind == ERR_FULL)
		text = "The disk of the sync server is full. Please tell its administrator. Your files are still on this device.";
	else if (why->kind != ERR_REFUSED)
		return -1;
	if (report_begin(u->server, u->home, u->call, why->kind == ERR_FULL ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "media")) {
		log_put("outcome", SLICE("refused"));
		log_put("error", slice_of(why->msg));
		log_end();
	}
	buf_puts(&r->body, "{\"data\":null,\"err\":");
	json_put_str(&r->body, slice_of(text));
	buf_putc(&r->body, '}');
	return 0;
}

static void log_upload(struct upload *u)
{
	int64_t deleted = 0;

	if (!report_begin(u->server, u->home, u->call, LOG_LEVEL_INFO, "media"))
		return;
	for (size_t i = 0; i < u->list.n; i++)
		deleted += u->list.changes[i].content < 0;
	log_put_int("files_in", (int64_t)u->list.n - deleted);
	log_put_count("deleted_in", deleted);
	log_put_int("bytes_in", (int64_t)u->bytes);
	log_put_int("ms", clock_mono_ms() - u->began_ms);
	log_put("outcome", SLICE("done"));
	log_end();
}

int media_upload(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct upload u = { .server = s, .home = h, .call = c, .list = MEDIA_UPLOAD_INIT,
			    .began_ms = clock_mono_ms() };
	struct err why = ERR_INIT;
	int rc = -1;

	if (receive(&u, &why) == 0 && commit(&u, &why) == 0)
		rc = 0;
	if (rc == 0) {
		log_upload(&u);
		buf_printf(&r->body, "{\"data\":[%zu,%" PRId64 "],\"err\":\"\"}", u.list.n, u.last_usn);
	} else {
		rc = refuse(&u, r, &why);
	}
	contents_put_free(u.put);
	media_upload_release(&u.list);
	if (rc != 0 && e)
		*e = why;
	return rc;
}
