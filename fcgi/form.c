/* See form.h. */
#include "fcgi/form.h"

#include <inttypes.h>

#include "base/json.h"
#include "fcgi/multipart.h"

enum {
	DATA_IN_MEMORY = 64 << 10, /* what most calls send fits */
	SLACK_BYTES = 64 << 10,    /* boundaries, headers, words */
	VERSION_OF_FORMS = 10,     /* the true one, 8 to 10, stands in `meta` only */
};

enum part { PART_K, PART_SK, PART_S, PART_C, PART_V, PART_DATA, PART_UNKNOWN };

static const char *const part_names[] = { "k", "sk", "s", "c", "v", "data" };

#define SEEN(part) (1u << (part))

struct reading {
	struct form *form;
	enum part part;
};

static struct buf *word_of(struct form *f, enum part part)
{
	switch (part) {
	case PART_K:
	case PART_SK:
		return &f->key;
	case PART_S:
		return &f->session;
	case PART_C:
		return &f->packed;
	case PART_V:
		return &f->client;
	default:
		return NULL;
	}
}

static enum part part_of(struct slice name)
{
	for (size_t i = 0; i < PART_UNKNOWN; i++)
		if (slice_eq_str(name, part_names[i]))
			return (enum part)i;
	return PART_UNKNOWN;
}

/* A part that comes twice could mean either: nobody sends that. */
static int begin_part(struct form *f, enum part part, struct err *e)
{
	if (part == PART_UNKNOWN)
		return 0;
	if (f->seen & SEEN(part))
		return err_set(e, ERR_BAD_REQUEST, "form: %s twice", part_names[part]);
	f->seen |= SEEN(part);
	if (part == PART_K || part == PART_SK) /* the same key, if there are both */
		buf_reset(&f->key);
	return 0;
}

static int on_part(void *arg, struct slice name, struct err *e)
{
	struct reading *r = arg;

	r->part = part_of(name);
	return begin_part(r->form, r->part, e);
}

static int on_data(struct form *f, struct slice piece, struct err *e)
{
	uint64_t left = f->max_data - f->data.bytes;

	if (piece.len > left) {
		f->too_big = true;
		piece.len = (size_t)left;
	}
	return piece.len ? f->data.sink.write(&f->data.sink, piece.p, piece.len, e) : 0;
}

static int on_bytes(void *arg, struct slice piece, struct err *e)
{
	struct reading *r = arg;
	struct buf *word = word_of(r->form, r->part);

	if (r->part == PART_DATA)
		return on_data(r->form, piece, e);
	if (word && buf_append(word, piece.p, piece.len, e) != 0)
		return err_add(e, "form: %s", part_names[r->part]);
	return 0;
}

void form_init(struct form *f, const char *dir, uint64_t keep_free)
{
	*f = (struct form){
		.key = BUF_INIT(FORM_WORD_MAX),
		.session = BUF_INIT(FORM_WORD_MAX),
		.packed = BUF_INIT(FORM_WORD_MAX),
		.client = BUF_INIT(FORM_WORD_MAX),
		.made_up = BUF_INIT(8 * FORM_WORD_MAX),
	};
	backlog_init(&f->data, dir, DATA_IN_MEMORY, keep_free);
}

void form_release(struct form *f)
{
	gzip_source_free(f->gzip);
	buf_release(&f->key);
	buf_release(&f->session);
	buf_release(&f->packed);
	buf_release(&f->client);
	buf_release(&f->made_up);
	backlog_release(&f->data);
	f->gzip = NULL;
}

int form_read(struct form *f, struct slice content_type, struct source *body, uint64_t max_data, struct err *e)
{
	struct reading r = { f, PART_UNKNOWN };
	const struct multipart_reader reader = { on_part, on_bytes, &r };
	char boundary[MULTIPART_BOUNDARY_MAX + 1];

	f->max_data = max_data;
	if (multipart_boundary(content_type, boundary, e) != 0)
		return -1;
	return multipart_read(body, boundary, 2 * max_data + SLACK_BYTES, &reader, e);
}

/* --- the query of `begin` --- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* application/x-www-form-urlencoded; a `%` without two digits stands for itself. */
static void put_decoded(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		int high = s.p[i] == '%' && i + 2 < s.len ? hex_digit(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;

		if (low >= 0) {
			buf_putc(b, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_putc(b, s.p[i] == '+' ? ' ' : s.p[i]);
		}
	}
}

static struct slice cut_at(struct slice *rest, char stop)
{
	const char *at = rest->len ? memchr(rest->p, stop, rest->len) : NULL;
	struct slice s = { rest->p, at ? (size_t)(at - rest->p) : rest->len };

	*rest = at ? (struct slice){ at + 1, rest->len - s.len - 1 } : SLICE("");
	return s;
}

int form_read_query(struct form *f, struct slice query, struct err *e)
{
	while (query.len) {
		struct slice value = cut_at(&query, '&'), name = cut_at(&value, '=');
		enum part part = part_of(name);
		struct buf *word = word_of(f, part);

		if (!word)
			continue;
		if (begin_part(f, part, e) != 0)
			return -1;
		put_decoded(word, value);
		if (buf_check(word, e) != 0)
			return err_add(e, "query: %s", part_names[part]);
	}
	return f->seen & (SEEN(PART_K) | SEEN(PART_SK)) ? 0 : err_set(e, ERR_BAD_REQUEST, "query: no k");
}

/* --- the call --- */

static ssize_t payload_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct form *f = (struct form *)((char *)source - offsetof(struct form, payload));
	struct err why = ERR_INIT;
	ssize_t got = f->decoded->read(f->decoded, p, n, &why);

	/* What is there ends too early, or does not look so. */
	if (f->too_big && (got == 0 || (got < 0 && why.kind == ERR_BAD_REQUEST)))
		return err_set(e, ERR_TOO_BIG, "form: more than %" PRIu64 " bytes of data", f->max_data);
	if (got < 0 && e)
		*e = why;
	return got;
}

/* A payload that the client did not send as such. */
static void make_up(struct form *f, const struct method *m)
{
	if (!(m->flags & METHOD_STREAM) && f->made_up.len == 0)
		buf_puts(&f->made_up, "{}");
	mem_source_init(&f->small, buf_slice(&f->made_up));
	f->decoded = &f->small.source;
}

void form_call(struct form *f, const struct method *m, uint64_t max_payload, struct call *c)
{
	c->version = VERSION_OF_FORMS;
	c->key = buf_slice(&f->key);
	c->session_key = buf_slice(&f->session);
	c->client = buf_slice(&f->client);
	f->payload.read = payload_read;
	c->body = &f->payload;
	if (slice_eq_str(slice_of(m->name), "begin") && f->seen & SEEN(PART_V)) {
		buf_puts(&f->made_up, "{\"v\":");
		json_put_str(&f->made_up, c->client);
		buf_putc(&f->made_up, '}');
		make_up(f, m);
	} else if (f->data.bytes == 0) {
		make_up(f, m);
	} else if (!(f->seen & SEEN(PART_C)) || slice_eq_str(buf_slice(&f->packed), "0")) {
		f->decoded = backlog_source(&f->data);
	} else {
		bool quick = f->data.bytes > DATA_IN_MEMORY && !(m->flags & METHOD_NO_KEY);

		f->gzip = gzip_source_new(backlog_source(&f->data), max_payload, quick);
		f->decoded = gzip_source_source(f->gzip);
	}
}
