/* See reply.h. */
#include "fcgi/reply.h"

enum { ONE_SHOT_BYTES = 1 << 20 };

int reply_status(enum err_kind kind)
{
	switch (kind) {
	case ERR_BAD_REQUEST:
	case ERR_REFUSED: /* core answers refusals in words, with 200; one that slips through is about the request */
		return 400;
	case ERR_TOO_BIG:
		return 413; /* clients show the number and its name; 400 would send the user to "check database" */
	case ERR_BAD_LOGIN:
		return 403;
	case ERR_CONFLICT:
		return 409;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_BAD_METHOD:
		return 405;
	case ERR_VERSION:
		return 501;
	case ERR_BUSY:
	case ERR_CUT_OFF:
		return 503;
	case ERR_FULL:
		return 507;
	case ERR_NONE:
	case ERR_DAMAGED:
	case ERR_INTERNAL:
	case ERR_DENIED:
		break;
	}
	return 500;
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 507:
		return "Insufficient Storage";
	default:
		return "Internal Server Error";
	}
}

static int put(struct sink *out, struct buf *b, struct err *e)
{
	return out->write(out, b->data, b->len, e);
}

static void put_status(struct buf *b, int status, const char *type)
{
	buf_printf(b, "Status: %d %s\r\nContent-Type: %s\r\n", status, reason(status), type);
}

int reply_error(struct sink *out, int status, const char *allow, bool head, struct err *e)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	int rc;

	put_status(&b, status, "text/plain");
	if (allow)
		buf_printf(&b, "allow: %s\r\n", allow);
	buf_puts(&b, "Content-Length: 3\r\n\r\n");
	if (!head)
		buf_printf(&b, "%03d", status);
	rc = put(out, &b, e);
	buf_release(&b);
	return rc;
}

int reply_page(struct sink *out, const char *type, struct slice body, bool head, struct err *e)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	int rc;

	put_status(&b, 200, type);
	buf_puts(&b, "Cache-Control: no-store\r\n"
		     "X-Content-Type-Options: nosniff\r\n"
		     "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n");
	buf_printf(&b, "Content-Length: %zu\r\n\r\n", body.len);
	if (!head)
		buf_put(&b, body.p, body.len);
	rc = put(out, &b, e);
	buf_release(&b);
	return rc;
}

/* --- 200 to a client --- */

/* Knows whether it was the other side that failed. */
struct watched_sink {
	struct sink sink;
	struct sink *to;
	bool begun, failed;
};

static int watched_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct watched_sink *w = (struct watched_sink *)sink;

	w->begun = true;
	if (w->to->write(w->to, p, n, e) == 0)
		return 0;
	w->failed = true;
	return -1;
}

/* Holds a stream to the number of bytes that was promised. */
struct counted_source {
	struct source source;
	struct source *from;
	uint64_t left;
};

static ssize_t counted_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct counted_source *c = (struct counted_source *)source;
	ssize_t got;
	char more;

	if (c->left == 0) {
		got = c->from->read(c->from, &more, 1, e);
		return got > 0 ? err_set(e, ERR_INTERNAL, "reply: longer than announced") : got;
	}
	got = c->from->read(c->from, p, n < c->left ? n : (size_t)c->left, e);
	if (got == 0)
		return err_set(e, ERR_INTERNAL, "reply: ends %llu bytes too early", (unsigned long long)c->left);
	if (got > 0)
		c->left -= (uint64_t)got;
	return got;
}

static int put_head(struct sink *out, uint64_t original, const uint64_t *length, int version, struct err *e)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	int rc;

	put_status(&b, 200, "application/octet-stream");
	if (version >= 11)
		buf_printf(&b, "anki-original-size: %llu\r\n", (unsigned long long)original);
	if (length)
		buf_printf(&b, "Content-Length: %llu\r\n", (unsigned long long)*length);
	buf_puts(&b, "\r\n");
	rc = put(out, &b, e);
	buf_release(&b);
	return rc;
}

static int send_plain(struct sink *out, struct source *from, uint64_t bytes, int version, struct err *e)
{
	if (put_head(out, bytes, &bytes, version, e) != 0)
		return -1;
	return source_to_sink(from, out, NULL, e);
}

static int send_zstd(struct sink *out, struct source *from, uint64_t bytes, int version, int level, struct err *e)
{
	struct zstd_sink z;
	int rc = -1;

	if (put_head(out, bytes, NULL, version, e) != 0)
		return -1;
	zstd_sink_init(&z, out, level);
	if (source_to_sink(from, &z.sink, NULL, e) == 0)
		rc = zstd_sink_finish(&z, e);
	zstd_sink_release(&z);
	return rc;
}

/* Small ones in one piece: the web server learns the length, and the client the size of the content. */
static int send_small(struct sink *out, struct slice body, int version, int level, struct err *e)
{
	struct buf packed = BUF_INIT(BUF_UNBOUNDED);
	uint64_t length;
	int rc = -1;

	if (zstd_compress(body, &packed, level, e) != 0)
		goto out;
	length = packed.len;
	if (put_head(out, body.len, &length, version, e) == 0)
		rc = put(out, &packed, e);
out:
	buf_release(&packed);
	return rc;
}

enum reply_end reply_send(struct sink *out, struct reply *r, int version, int level, struct err *e)
{
	struct watched_sink w = { .sink = { watched_write }, .to = out };
	uint64_t bytes = r->stream ? r->stream_bytes : r->body.len;
	struct counted_source counted = { { counted_read }, r->stream, bytes };
	struct mem_source mem;
	struct source *from = &counted.source;
	int rc;

	if (r->level_max && level > r->level_max)
		level = r->level_max;
	if (!r->stream) {
		mem_source_init(&mem, buf_slice(&r->body));
		from = &mem.source;
	}
	if (version < 11)
		rc = send_plain(&w.sink, from, bytes, version, e);
	else if (bytes > UINT32_MAX)
		/* the header must fit 32 bits, or the client fails with a riddle */
		rc = err_set(e, ERR_TOO_BIG, "a reply of %llu bytes: clients take no more than 4 GiB", (unsigned long long)bytes);
	else if (!r->stream && bytes <= ONE_SHOT_BYTES)
		rc = send_small(&w.sink, buf_slice(&r->body), version, level, e);
	else
		rc = send_zstd(&w.sink, from, bytes, version, level, e);
	if (rc == 0)
		return REPLY_SENT;
	if (w.failed)
		return REPLY_GONE;
	return w.begun ? REPLY_BROKEN : REPLY_NOT_BEGUN;
}
