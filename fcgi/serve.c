/* See serve.h. */
#include "fcgi/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/form.h"
#include "fcgi/header.h"
#include "fcgi/page.h"
#include "fcgi/reply.h"
#include "fcgi/route.h"

enum { GZIP_SLACK_BYTES = 64 << 10 }; /* what cannot be compressed grows a little */

/* All that the log wants to know about a request, whatever became of it. */
struct exchange {
	const struct request *rq;
	struct route route;
	/* Who asks, and the payload while it is read: v11 sends its header, and zstd; clients before 2023 send a form. */
	struct sync_header header;
	struct zstd_source zstd;
	struct form form;
	struct call call;
	struct sink *out;
	int64_t start_ms;
};

static void log_exchange(const struct exchange *x, enum log_level level, const char *event, int status, const char *error)
{
	const struct call *c = &x->call;

	if (!log_begin(level, event))
		return;
	log_put_int("status", status);
	log_put("path", x->rq->path);
	if (*c->name || *c->user)
		log_put("user", slice_of(*c->name ? c->name : c->user));
	log_put("from", x->rq->address);
	log_put("client", c->client.len ? c->client : x->rq->agent);
	log_put_int("ms", clock_mono_ms() - x->start_ms);
	if (error)
		log_put("error", slice_of(error));
	log_end();
}

static int call_from_header(struct server *s, struct exchange *x, struct source *body, struct err *e)
{
	struct call *c = &x->call;

	if (sync_header_parse(x->rq->anki_sync, &x->header, e) != 0)
		return -1;
	/* What a body means is also what it may be: a frame may hold nothing at all and be as long as one likes. */
	zstd_source_init(&x->zstd, body, call_max_payload(s, x->route.method));
	c->version = x->header.version;
	c->key = x->header.key;
	c->session_key = x->header.session;
	c->client = x->header.client;
	c->body = &x->zstd.source;
	return 0;
}

static int call_from_form(struct server *s, struct exchange *x, struct source *body, struct err *e)
{
	const struct method *m = x->route.method;
	uint64_t max = call_max_payload(s, m);
	char nothing;

	form_init(&x->form, s->config->sync_base, (uint64_t)s->config->keep_free_megs << 20);
	if (slice_eq_str(x->rq->verb, "GET")) {
		if (body->read(body, &nothing, 1, e) < 0 || form_read_query(&x->form, x->rq->query, e) != 0)
			return -1;
	} else if (form_read(&x->form, x->rq->content_type, body, max + GZIP_SLACK_BYTES, e) != 0) {
		return -1;
	}
	form_call(&x->form, m, max, &x->call);
	if (x->call.client.len == 0)
		x->call.client = x->rq->agent;
	return 0;
}

static enum log_level level_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_DAMAGED:
	case ERR_FULL:
	case ERR_CUT_OFF:
	case ERR_INTERNAL:
	case ERR_DENIED:
		return LOG_LEVEL_ERROR;
	default:
		return LOG_LEVEL_WARN;
	}
}

/* 0 when a 200 was sent or begun, -1 with *e when an error is to be sent. */
static int run_method(struct server *s, struct exchange *x, struct source *body, struct served *result, struct err *e)
{
	struct reply r;
	int rc;

	reply_init(&r);
	x->call.address = x->rq->address;
	rc = x->rq->has_anki_sync ? call_from_header(s, x, body, e) : call_from_form(s, x, body, e);
	if (rc == 0)
		rc = call_run(s, x->route.method, &x->call, &r, e);
	/* The decoder's memory is not needed while the reply is sent. */
	zstd_source_release(&x->zstd);
	if (rc != 0)
		goto out;
	rc = -1;
	switch (reply_send(x->out, &r, x->call.version, (int)s->config->zstd_level, e)) {
	case REPLY_SENT:
		rc = 0;
		break;
	case REPLY_NOT_BEGUN:
		break;
	case REPLY_GONE:
		log_exchange(x, LOG_LEVEL_INFO, "unread", 200, e->msg);
		rc = 0;
		break;
	case REPLY_BROKEN:
		log_exchange(x, LOG_LEVEL_ERROR, "broken", 200, e->msg);
		result->broken = true;
		result->cut_off = e->kind == ERR_CUT_OFF;
		rc = 0;
		break;
	}
out:
	reply_release(&r);
	buf_release(&x->call.payload);
	return rc;
}

static int run_page(struct exchange *x, struct source *body)
{
	struct buf page = BUF_INIT(BUF_UNBOUNDED);
	bool head = slice_eq_str(x->rq->verb, "HEAD");
	struct err gone;
	char nothing;

	(void)body->read(body, &nothing, 1, &gone); /* to its end, so that the connection can serve again */
	if (x->route.kind == ROUTE_PAGE)
		page_print(&page, x->rq);
	if (reply_page(x->out, x->route.kind == ROUTE_PAGE ? "text/html; charset=utf-8" : "text/plain", buf_slice(&page), head,
		       &gone) != 0)
		log_exchange(x, LOG_LEVEL_DEBUG, "unread", 200, gone.msg);
	buf_release(&page);
	return 0;
}

void serve(struct server *s, const struct request *rq, int parsed, const struct err *complaint, struct source *body,
	   struct sink *out, struct served *result)
{
	struct exchange x = { .rq = rq, .out = out, .start_ms = clock_mono_ms() };
	struct err e = ERR_INIT, gone;
	int rc = -1;

	*result = (struct served){ .status = 200 };
	if (parsed != 0)
		e = *complaint;
	else if (route_find(rq->verb, rq->path, &x.route, &e) == 0)
		rc = x.route.kind == ROUTE_METHOD ? run_method(s, &x, body, result, &e) : run_page(&x, body);
	if (rc != 0) {
		result->status = reply_status(e.kind);
		result->cut_off = e.kind == ERR_CUT_OFF;
		log_exchange(&x, level_of(e.kind), "failed", result->status, e.msg);
		if (reply_error(out, result->status, e.kind == ERR_BAD_METHOD ? x.route.allow : NULL,
				slice_eq_str(rq->verb, "HEAD"), &gone) != 0)
			log_exchange(&x, LOG_LEVEL_DEBUG, "unread", result->status, gone.msg);
	} else if (!result->broken) {
		log_exchange(&x, LOG_LEVEL_DEBUG, "request", result->status, NULL);
	}
	sync_header_release(&x.header);
	form_release(&x.form);
}
