/* See meta.h. */
#include "core/meta.h"

#include "base/clock.h"
#include "base/json.h"
#include "core/quota.h"
#include "core/report.h"
#include "storage/collection.h"
#include "storage/home.h"
#include "storage/media.h"
#include "storage/settings.h"

enum { VERSION_LEAST = 8, VERSION_MOST = 11, VERSION_SCHED_2 = 9, VERSION_TIME_ZONE = 10 };

int meta_stamp(struct home *h, struct collection **c, struct session_stamp *stamp, struct err *e)
{
	struct col_row col;

	*c = NULL;
	*stamp = (struct session_stamp){ 0 };
	switch (home_collection(h, c, e)) {
	case 0:
		*c = NULL;
		return 0;
	case -1:
		return -1;
	}
	if (home_generation(h, &stamp->generation, e) != 0 || collection_view(*c, e) != 0 || collection_col(*c, &col, e) != 0)
		return -1;
	stamp->usn = col.usn;
	stamp->mod_ms = col.mod_ms;
	stamp->scm_ms = col.scm_ms;
	return 0;
}

/* A sentence for clients that would not understand the collection, or NULL. */
static int reason_to_stop(struct collection *c, int64_t version, const char **reason, struct err *e)
{
	struct buf value = BUF_INIT(BUF_UNBOUNDED);
	int rc;

	*reason = NULL;
	if (!c || version >= VERSION_TIME_ZONE)
		return 0;
	rc = conf_get(c, "schedVer", &value, e);
	if (rc == 1 && version < VERSION_SCHED_2 && slice_eq_str(buf_slice(&value), "2"))
		*reason = "This collection uses the v2 scheduler, which your version of Anki does not know. Please update Anki.";
	if (rc >= 0 && !*reason)
		rc = conf_get(c, "creationOffset", &value, e);
	if (rc == 1 && !*reason && !slice_eq_str(buf_slice(&value), "null"))
		*reason = "This collection uses the new timezone handling, which your version of Anki does not know."
			  " Please update Anki.";
	buf_release(&value);
	return rc < 0 ? -1 : 0;
}

/* Clients of version 11 name themselves in the header; forms do it here alone. */
static void know_client(struct call *c, struct slice client)
{
	if (c->version >= VERSION_MOST && c->client.len)
		return;
	snprintf(c->client_text, sizeof c->client_text, "%.*s", (int)client.len, client.len ? client.p : "");
	c->client = slice_of(c->client_text);
}

static int parse(struct call *c, int64_t *version, struct err *e)
{
	struct json_object *o;
	struct slice client;
	int rc = -1;

	if (json_parse_object(buf_slice(&c->payload), &JSON_LIMITS_SMALL, &o, e) != 0)
		return -1;
	if (json_need_int(o, "v", 0, UINT8_MAX, version, e) == 0 && json_need_str(o, "cv", &client, e) == 0)
		rc = 0;
	if (rc == 0)
		know_client(c, client);
	json_object_put(o);
	if (rc == 0 && (*version < VERSION_LEAST || *version > VERSION_MOST))
		return err_set(e, ERR_VERSION, "meta: protocol version %lld; %d to %d are served", (long long)*version,
			       VERSION_LEAST, VERSION_MOST);
	return rc;
}

/* A damaged media index must not keep the collection from syncing: the media sync that follows tells the user. */
static int media_usn_or_0(struct server *s, struct home *h, struct call *c, int64_t *usn, struct err *e)
{
	struct err why = ERR_INIT;

	if (media_usn(h, usn, &why) == 0)
		return 0;
	if (why.kind != ERR_DAMAGED) {
		if (e)
			*e = why;
		return -1;
	}
	if (report_begin(s, h, c, LOG_LEVEL_ERROR, "media damaged")) {
		log_put("error", slice_of(why.msg));
		log_end();
	}
	*usn = 0;
	return 0;
}

static void print(struct buf *out, const struct session_stamp *stamp, bool empty, int64_t media, const char *message, bool go_on)
{
	buf_printf(out, "{\"mod\":%lld,\"scm\":%lld,\"usn\":%lld,\"ts\":%lld,\"msg\":", (long long)stamp->mod_ms,
		   (long long)stamp->scm_ms, (long long)stamp->usn, (long long)clock_now_s());
	json_put_str(out, slice_of(message));
	buf_printf(out, ",\"cont\":%s,\"hostNum\":0,\"empty\":%s,\"media_usn\":%lld,\"musn\":%lld,\"uname\":\"\"}",
		   go_on ? "true" : "false", empty ? "true" : "false", (long long)media, (long long)media);
}

int meta_run(struct server *s, struct home *h, struct call *c, struct reply *r, struct err *e)
{
	struct collection *collection;
	struct session_stamp stamp;
	struct buf notice = BUF_INIT(BUF_UNBOUNDED);
	struct session session;
	const char *reason = NULL;
	int64_t version, media;
	bool empty = true;
	int rc = -1;

	if (parse(c, &version, e) != 0 || meta_stamp(h, &collection, &stamp, e) != 0)
		return -1;
	if (collection && collection_is_empty(collection, &empty, e) != 0)
		return -1;
	if (reason_to_stop(collection, version, &reason, e) != 0)
		return -1;
	if (session_load(h, &session, e) != 0 ||
	    (session_note_device(&session, c->key_hash, c->client, clock_now_s()) && session_save(h, &session, e) != 0) ||
	    session_note_meta(h, &session, c->session_key, &stamp, e) != 0)
		return -1;
	if (media_usn_or_0(s, h, c, &media, e) != 0 || quota_notice(s, h, &notice, e) != 0)
		goto out;
	print(&r->body, &stamp, empty, media, reason ? reason : buf_str(&notice), !reason);
	rc = 0;
out:
	buf_release(&notice);
	return rc;
}
