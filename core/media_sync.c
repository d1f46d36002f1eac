/* See media_sync.h. What devices ask and fetch; what they send is in media_upload.c. */
#include "core/media_sync.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/media_pack.h"
#include "core/report.h"
#include "storage/home.h"
#include "storage/media.h"

enum {
	CHANGES_MAX = 1000,          /* as official; clients ask on from the last one */
	DOWNLOAD_FILES_MAX = 25,
	DOWNLOAD_BYTES = 5 << 19,    /* 2.5 MiB: the file that passes it is the last one */
};

int media_begin(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct json_object *o;
	struct slice client;
	int64_t usn;
	int rc = -1;

	(void)s;
	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (json_need_str(o, "v", &client, e) != 0)
		goto out;
	if (client.len == 0) {
		err_set(e, ERR_BAD_REQUEST, "begin: v is empty");
		goto out;
	}
	if (media_usn(h, &usn, e) != 0)
		goto out;
	/* Old clients show this key again as part `sk`, which is the same thing as `k`. */
	buf_printf(&r->body, "{\"data\":{\"usn\":%lld,\"sk\":", (long long)usn);
	json_put_str(&r->body, c->key);
	buf_puts(&r->body, "},\"err\":\"\"}");
	rc = 0;
out:
	json_object_put(o);
	return rc;
}

static int print_change(void *arg, const struct media_row *row, struct err *e)
{
	struct buf *out = arg;
	char hash[2 * SHA1_BYTES + 1] = "";

	(void)e;
	if (!row->deleted)
		hex_of(row->content.sha1, SHA1_BYTES, hash);
	buf_puts(out, out->data[out->len - 1] == '[' ? "[" : ",[");
	json_put_str(out, row->name);
	buf_putc(out, ',');
	json_put_int(out, row->usn);
	buf_puts(out, ",\"");
	buf_put(out, hash, strlen(hash));
	buf_puts(out, "\"]");
	return 0;
}

int media_changes(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct json_object *o;
	struct media *m;
	int64_t last_usn;
	int rc = -1;

	(void)s;
	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (json_need_int(o, "lastUsn", INT32_MIN, INT32_MAX, &last_usn, e) != 0)
		goto out;
	buf_puts(&r->body, "{\"data\":[");
	rc = home_media(h, false, &m, e);
	if (rc == 1)
		rc = media_changed(m, last_usn, CHANGES_MAX, print_change, &r->body, e);
	buf_puts(&r->body, "],\"err\":\"\"}");
	r->level_max = LEVEL_HASHES;
out:
	json_object_put(o);
	return rc;
}

int media_sanity(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct media_totals t = { 0 };
	struct json_object *o;
	struct media *m;
	int64_t local;
	int rc = -1;

	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (json_need_int(o, "local", 0, UINT32_MAX, &local, e) != 0)
		goto out;
	rc = home_media(h, false, &m, e);
	if (rc == 1)
		rc = media_totals(m, &t, e);
	if (rc == 0)
		buf_puts(&r->body, local == t.files ? "{\"data\":\"OK\",\"err\":\"\"}" : "{\"data\":\"mediaSanity\",\"err\":\"\"}");
	if (rc == 0 && local != t.files && report_begin(s, h, c, LOG_LEVEL_INFO, "media")) {
		log_put_int("files", t.files);
		log_put_int("files_there", local);
		log_put("outcome", SLICE("the counts do not fit"));
		log_end();
	}
out:
	json_object_put(o);
	return rc;
}

/* --- downloadFiles --- */

struct download {
	struct media *m;
	struct media_pack *pack;
	struct slice lost[DOWNLOAD_FILES_MAX];
	size_t n_lost;
	int64_t files, bytes;
};

/* 0, or -1: ERR_CONFLICT for a name that is not known, since nothing in the protocol can say "skip this one". */
static int add_file(struct download *d, struct slice name, struct err *e)
{
	struct media_row row;
	int fd, rc = media_find(d->m, name, &row, e);

	if (rc < 0)
		return -1;
	if (rc == 0 || row.deleted)
		return err_set(e, ERR_CONFLICT, "a file is asked for that is not there (any more): %.*s", (int)name.len, name.p);
	rc = row.data.p ? 1 : media_open(d->m, &row, &fd, e);
	if (rc == 0)
		d->lost[d->n_lost++] = name;
	if (rc != 1)
		return rc;
	if (row.data.p)
		media_pack_add_data(d->pack, name, &row.content, row.data);
	else
		media_pack_add(d->pack, name, &row.content, fd);
	d->bytes += row.content.bytes;
	d->files++;
	return 0;
}

/* Contents that are lost must not stop this device again and again: their names are forgotten. */
static void forget_lost(struct download *d, struct server *s, struct home *h, struct call *c, struct err *e)
{
	for (size_t i = 0; i < d->n_lost; i++) {
		if (!report_begin(s, h, c, LOG_LEVEL_ERROR, "media file lost"))
			continue;
		log_put("name", d->lost[i]);
		log_put("then", SLICE("forgotten; a device that has it will send it again"));
		log_end();
	}
	if (media_forget(d->m, d->lost, d->n_lost, false, e) == 0)
		err_set(e, ERR_CONFLICT, "%zu media files are lost", d->n_lost);
}

static int pack_files(struct download *d, struct json_object *files, size_t n, struct err *e)
{
	struct slice name;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (!json_is_str(json_at(files, i), &name))
			return err_set(e, ERR_BAD_REQUEST, "downloadFiles: a name that is no text");
	if (n && !d->m)
		return err_set(e, ERR_CONFLICT, "files are asked for, but there are none");
	if (n && media_read_begin(d->m, e) != 0)
		return -1;
	for (size_t i = 0; i < n && d->bytes <= DOWNLOAD_BYTES && rc == 0; i++) {
		json_is_str(json_at(files, i), &name);
		rc = add_file(d, name, e);
	}
	if (n)
		media_read_end(d->m);
	return rc;
}

static void end_download(struct reply *r)
{
	media_pack_free(r->stream_owner);
}

int media_download(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct download d = { .pack = media_pack_new() };
	int64_t began_ms = clock_mono_ms();
	struct json_object *o = NULL, *files;
	size_t n;
	int rc = -1;

	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0 ||
	    json_need_array(o, "files", &files, &n, e) != 0)
		goto out;
	if (n > DOWNLOAD_FILES_MAX) {
		err_set(e, ERR_BAD_REQUEST, "downloadFiles: %zu names, %d are allowed", n, DOWNLOAD_FILES_MAX);
		goto out;
	}
	if (home_media(h, false, &d.m, e) < 0 || pack_files(&d, files, n, e) != 0)
		goto out;
	if (d.n_lost) {
		forget_lost(&d, s, h, c, e);
		goto out;
	}
	r->stream_bytes = media_pack_end(d.pack);
	r->stream = media_pack_source(d.pack);
	r->stream_owner = d.pack;
	r->stream_end = end_download;
	r->level_max = LEVEL_FILES;
	d.pack = NULL;
	rc = 0;
	if (report_begin(s, h, c, LOG_LEVEL_INFO, "media")) {
		log_put_int("files_out", d.files);
		log_put_int("bytes_out", (int64_t)r->stream_bytes);
		log_put_int("ms", clock_mono_ms() - began_ms);
		log_put("outcome", SLICE("done"));
		log_end();
	}
out:
	media_pack_free(d.pack);
	json_object_put(o);
	return rc;
}
