/*
 * libFuzzer: a whole request as the web server hands it over, however broken or hostile: parameters, path, header anki-sync,
 * verb; answered by a core that gives back what it was sent.
 *
 * The input: one parameter a line (`NAME=value`; a line that begins with `*` has its value 4096 times), an empty line, the
 * body. A line `core=N` tells core to fail with that kind; after `gone=` the body ends as libfcgi tells of a lost client.
 * Whatever comes: one well-formed reply whose status is what was decided, no line of it by the client, lengths that are
 * right, the same for the same input; a refusal that says why; and no body that is not whole gets a 200.
 */
#include "fcgi/serve.h"

#include "base/log.h"
#include "base/utf8.h"
#include "fcgi/reply.h"
#include "tests/fuzz/fuzz.h"

enum { PARAMS_MAX = 64, REPEAT = 4096 };

/* --- core/call.c; the table of methods is the real one --- */

static struct {
	int fail, gone;
	bool called;
	uint64_t bytes;
} core;

uint64_t server_max_payload(const struct server *s)
{
	return 3 * (uint64_t)s->config->max_payload_megs << 20;
}

uint64_t call_max_payload(const struct server *s, const struct method *m)
{
	return m->max_body ? m->max_body : server_max_payload(s);
}

int call_key_again(struct server *s, struct home *h, struct call *c, struct err *e)
{
	(void)s;
	(void)h;
	(void)c;
	return err_set(e, ERR_INTERNAL, "nobody asks");
}

void reply_init(struct reply *r)
{
	*r = (struct reply){ .body = BUF_INIT(BUF_UNBOUNDED) };
}

void reply_release(struct reply *r)
{
	buf_release(&r->body);
}

static bool within(struct slice s, struct slice all)
{
	return s.len == 0 || (s.p >= all.p && s.p + s.len <= all.p + all.len);
}

int call_run(struct server *s, const struct method *m, struct call *c, struct reply *r, struct err *e)
{
	assert(!core.called && m->name && c->body);
	core.called = true;
	assert(c->version >= 8 && c->version <= 11);
	assert((!c->key.len || c->key.p) && (!c->session_key.len || c->session_key.p) && (!c->client.len || c->client.p));
	buf_init(&c->payload, call_max_payload(s, m));
	if (source_to_buf(c->body, &c->payload, e) != 0)
		return -1;
	if (core.fail)
		return err_set(e, (enum err_kind)core.fail, "as told");
	core.bytes = c->payload.len;
	return buf_append(&r->body, c->payload.data, c->payload.len, e);
}

/* --- the web server's side --- */

struct wire {
	FCGX_Stream in;
	struct slice rest;
	int error; /* what libfcgi says at the end */
};

/* Records of 1000 bytes at most. */
static void fill(FCGX_Stream *in)
{
	struct wire *w = in->data;
	size_t n = w->rest.len < 1000 ? w->rest.len : 1000;

	in->rdNext = (unsigned char *)(uintptr_t)w->rest.p;
	in->stop = in->rdNext + n;
	w->rest = (struct slice){ w->rest.p + n, w->rest.len - n };
	in->isClosed = n == 0;
	if (n == 0)
		in->FCGI_errno = w->error;
}

struct params {
	char *list[PARAMS_MAX + 1];
	size_t n;
};

static void params_add(struct params *ps, struct slice line)
{
	bool again = line.len && line.p[0] == '*';
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	struct slice name;

	if (again)
		line = (struct slice){ line.p + 1, line.len - 1 };
	if (ps->n == PARAMS_MAX || memchr(line.p, 0, line.len))
		return;
	name = fuzz_cut(&line, '=');
	if (slice_eq_str(name, "core")) {
		core.fail = line.len ? line.p[0] % (ERR_INTERNAL + 1) : 0;
		return;
	}
	if (slice_eq_str(name, "gone")) {
		core.gone = FCGX_PROTOCOL_ERROR;
		return;
	}
	buf_put(&b, name.p, name.len);
	buf_putc(&b, '=');
	for (int i = 0; i < (again ? REPEAT : 1) && b.len < 200000; i++)
		buf_put(&b, line.p, line.len);
	ps->list[ps->n++] = b.data;
}

static const char *param(const struct params *ps, const char *name)
{
	return FCGX_GetParam(name, (char **)(uintptr_t)ps->list);
}

static void check_request(const struct request *rq, const struct params *ps)
{
	const char *length = param(ps, "CONTENT_LENGTH");

	assert(rq->path.len <= REQUEST_PATH_MAX && rq->path.p == rq->path_text && strlen(rq->path_text) == rq->path.len);
	assert(rq->verb.len <= 16 && rq->host.len <= REQUEST_WORD_MAX && rq->anki_sync.len <= REQUEST_HEADER_MAX);
	assert(rq->has_anki_sync == (param(ps, "HTTP_ANKI_SYNC") != NULL));
	assert(rq->has_length == (length && *length));
	if (rq->has_length)
		assert(strspn(length, "0123456789") == strlen(length) && rq->length == strtoull(length, NULL, 10));
}

/* Names, a colon, values without line ends; then the body. */
static void check_reply(const struct buf *raw, const struct served *served, bool head, const struct request *rq)
{
	struct slice rest = buf_slice(raw), line = fuzz_cut(&rest, '\n');
	long length = -1, original = -1;
	char status[16];

	snprintf(status, sizeof status, "Status: %d ", served->status);
	assert(line.len > 12 && memcmp(line.p, status, 12) == 0);
	for (;;) {
		line = fuzz_cut(&rest, '\n');
		assert(line.len && line.p[--line.len] == '\r' && !memchr(line.p, '\r', line.len));
		if (line.len == 0)
			break;
		assert(memmem(line.p, line.len, ": ", 2));
		if (strncmp(line.p, "Content-Length: ", 16) == 0)
			length = atol(line.p + 16);
		if (strncmp(line.p, "anki-original-size: ", 20) == 0)
			original = atol(line.p + 20);
	}
	if (length >= 0)
		assert((size_t)length == rest.len || (head && rest.len == 0));
	assert(!head || rest.len == 0);
	if (core.called && served->status == 200) {
		if (original >= 0)
			assert(rq->has_anki_sync && (uint64_t)original == core.bytes);
		else
			assert(rest.len == core.bytes);
	} else {
		assert(original < 0);
	}
	if (served->status != 200 && !head)
		assert(rest.len == 3 && atol(rest.p) == served->status);
	else if (!core.called && rest.len) /* the page: what the web server told it is escaped */
		assert(utf8_valid(rest) && !memmem(rest.p, rest.len, "<x", 2));
}

static int exchange(const struct params *ps, struct slice body, struct buf *raw)
{
	static struct config config = { .max_payload_megs = 1, .zstd_level = 1, .sync_base = (char *)"/tmp" };
	struct server server = { .config = &config };
	struct wire wire = { .in = { .isReader = 1, .fillBuffProc = fill, .data = &wire }, .rest = body, .error = core.gone };
	struct body_source from;
	struct buf_sink to;
	struct served served;
	struct request rq;
	struct err e = ERR_INIT;
	int parsed;

	core.called = false;
	parsed = request_parse(&rq, (char **)(uintptr_t)ps->list, &e);
	if (parsed == 0) {
		check_request(&rq, ps);
	} else {
		fuzz_refused(&e);
		assert(e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG);
	}
	assert(within(rq.path, (struct slice){ rq.path_text, sizeof rq.path_text }));
	buf_sink_init(&to, raw);
	body_source_init(&from, &wire.in, &rq);
	serve(&server, &rq, parsed, &e, &from.source, &to.sink, &served);
	assert(!served.broken && raw->len);
	check_reply(raw, &served, slice_eq_str(rq.verb, "HEAD"), &rq);
	if (served.status == 403)
		assert(core.called && core.fail == ERR_BAD_LOGIN);
	/* By POST: else one byte is looked at, and the worker ends a connection whose body was not read. */
	if (served.status == 200 && core.called && slice_eq_str(rq.verb, "POST"))
		assert(wire.in.isClosed && !core.gone && (!rq.has_length || rq.length == body.len));
	return served.status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, line;
	struct buf once = BUF_INIT(BUF_UNBOUNDED), twice = BUF_INIT(BUF_UNBOUNDED);
	struct params ps = { .n = 0 };
	static bool begun;

	if (!begun)
		assert(log_open("/dev/null", "json", LOG_LEVEL_DEBUG, NULL) == 0);
	begun = true;
	core.fail = core.gone = 0;
	while (rest.len && (line = fuzz_cut(&rest, '\n')).len)
		params_add(&ps, line);
	assert(exchange(&ps, rest, &once) == exchange(&ps, rest, &twice));
	fuzz_same("replies", buf_slice(&once), buf_slice(&twice));
	for (size_t i = 0; i < ps.n; i++)
		free(ps.list[i]);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
