/* See request.h. */
#include "fcgi/request.h"

#include <errno.h>

#include "base/clock.h"

enum { SLOW_AFTER_MS = 60000, SLOW_BYTES_PER_S = 512 };

/* A parameter, "" when absent. FCGX_GetParam would search once per name; here as well, but with the length checked. */
static int param(char **params, const char *name, size_t max, struct slice *out, struct err *e)
{
	const char *value = FCGX_GetParam(name, params);

	*out = slice_of(value ? value : "");
	if (out->len <= max)
		return value != NULL;
	*out = SLICE("");
	return err_set(e, ERR_TOO_BIG, "%s: more than %zu bytes", name, max);
}

static int parse_path(struct request *rq, char **params, struct err *e)
{
	struct slice script, info, uri;
	const char *mark;

	if (param(params, "SCRIPT_NAME", REQUEST_PATH_MAX, &script, e) < 0 ||
	    param(params, "PATH_INFO", REQUEST_PATH_MAX, &info, e) < 0 ||
	    param(params, "REQUEST_URI", REQUEST_HEADER_MAX, &uri, e) < 0)
		return -1;
	if (script.len + info.len == 0) {
		mark = memchr(uri.p, '?', uri.len);
		script = (struct slice){ uri.p, mark ? (size_t)(mark - uri.p) : uri.len };
	}
	if (script.len + info.len > REQUEST_PATH_MAX)
		return err_set(e, ERR_TOO_BIG, "path: more than %d bytes", REQUEST_PATH_MAX);
	memcpy(rq->path_text, script.p, script.len);
	memcpy(rq->path_text + script.len, info.p, info.len);
	rq->path_text[script.len + info.len] = 0;
	rq->path = slice_of(rq->path_text);
	return 0;
}

static int parse_length(struct request *rq, char **params, struct err *e)
{
	struct slice text;

	if (param(params, "CONTENT_LENGTH", 19, &text, e) < 0)
		return -1;
	if (text.len == 0) /* absent, or empty: nginx without request buffering */
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return err_set(e, ERR_BAD_REQUEST, "CONTENT_LENGTH is no number");
		rq->length = rq->length * 10 + (uint64_t)(text.p[i] - '0');
	}
	rq->has_length = true;
	return 0;
}

int request_parse(struct request *rq, char **params, struct err *e)
{
	struct slice https, scheme, forwarded;
	int found;

	*rq = (struct request){ .verb = SLICE("") };
	if (param(params, "REMOTE_ADDR", REQUEST_WORD_MAX, &rq->address, e) < 0 ||
	    param(params, "REQUEST_METHOD", 16, &rq->verb, e) < 0 || parse_path(rq, params, e) != 0 ||
	    param(params, "QUERY_STRING", REQUEST_HEADER_MAX, &rq->query, e) < 0 ||
	    param(params, "CONTENT_TYPE", REQUEST_WORD_MAX, &rq->content_type, e) < 0 ||
	    param(params, "HTTP_USER_AGENT", REQUEST_HEADER_MAX, &rq->agent, e) < 0 ||
	    param(params, "HTTP_HOST", REQUEST_WORD_MAX, &rq->host, e) < 0 ||
	    param(params, "HTTPS", REQUEST_WORD_MAX, &https, e) < 0 ||
	    param(params, "REQUEST_SCHEME", REQUEST_WORD_MAX, &scheme, e) < 0 ||
	    param(params, "HTTP_X_FORWARDED_PROTO", REQUEST_WORD_MAX, &forwarded, e) < 0 ||
	    parse_length(rq, params, e) != 0)
		return -1;
	found = param(params, "HTTP_ANKI_SYNC", REQUEST_HEADER_MAX, &rq->anki_sync, e);
	if (found < 0)
		return -1;
	rq->has_anki_sync = found;
	rq->https = slice_eq_str(https, "on") || slice_eq_str(scheme, "https") || slice_eq_str(forwarded, "https");
	return 0;
}

static int ended(struct body_source *b, struct err *e)
{
	int code = FCGX_GetError(b->in);

	if (code == EAGAIN)
		return err_set(e, ERR_BAD_REQUEST, "body: nothing came for too long, after %llu bytes", (unsigned long long)b->got);
	if (code != 0)
		return err_set(e, ERR_BAD_REQUEST, "body: cut off after %llu bytes", (unsigned long long)b->got);
	if (b->has_length && b->got != b->length)
		return err_set(e, ERR_BAD_REQUEST, "body: %llu of %llu bytes", (unsigned long long)b->got,
			       (unsigned long long)b->length);
	b->ended = true;
	return 0;
}

static ssize_t body_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct body_source *b = (struct body_source *)source;
	int64_t ms = clock_mono_ms() - b->start_ms;
	size_t there;
	int c;

	/* FCGX_GetStr waits until it has n bytes; FCGX_GetChar fetches one piece. */
	c = FCGX_GetChar(b->in);
	if (c < 0)
		return ended(b, e);
	*(char *)p = (char)c;
	there = (size_t)(b->in->stop - b->in->rdNext);
	if (there > n - 1)
		there = n - 1;
	if (there)
		there = (size_t)FCGX_GetStr((char *)p + 1, (int)there, b->in);
	b->got += 1 + there;
	if (ms > SLOW_AFTER_MS && (uint64_t)ms / 1000 * SLOW_BYTES_PER_S > b->got)
		return err_set(e, ERR_BAD_REQUEST, "body: only %llu bytes in %lld s", (unsigned long long)b->got,
			       (long long)(ms / 1000));
	return (ssize_t)(1 + there);
}

void body_source_init(struct body_source *b, FCGX_Stream *in, const struct request *rq)
{
	*b = (struct body_source){
		.source = { body_read },
		.in = in,
		.has_length = rq->has_length,
		.length = rq->length,
		.start_ms = clock_mono_ms(),
	};
}
