/*
 * See multipart.h. One window over the body; each state looks at its beginning, takes what it understands, and asks for more
 * when it cannot tell yet.
 */
#include "fcgi/multipart.h"

#include <inttypes.h>
#include <strings.h>

enum {
	WINDOW_BYTES = 64 << 10,
	PARTS_MAX = 100,      /* clients send five */
	LOOKALIKES_MAX = 1000, /* see step_content */
};

enum state {
	PREAMBLE,  /* before the first boundary */
	DELIMITED, /* behind a boundary: `--` or the rest of its line */
	HEADERS,
	CONTENT,
	EPILOGUE,  /* behind the closing boundary */
};

struct parser {
	struct source *body;
	const struct multipart_reader *reader;
	enum state state;
	char mark[4 + MULTIPART_BOUNDARY_MAX + 1]; /* CR LF - - boundary */
	size_t mark_len;
	char *window;
	size_t len, at;
	size_t headers;  /* bytes of this part's */
	size_t parts, lookalikes;
	char name[64];   /* what fits */
	size_t name_len;
	uint64_t total, max;
};

/* --- header fields --- */

static bool same_word(struct slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

static struct slice trimmed(struct slice s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct slice){ s.p + 1, s.len - 1 };
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* What *rest begins with, up to one of the characters in `stops`; *rest is what follows. */
static struct slice until(struct slice *rest, const char *stops)
{
	struct slice s = { rest->p, 0 };

	while (s.len < rest->len && !memchr(stops, rest->p[s.len], strlen(stops)))
		s.len++;
	*rest = (struct slice){ rest->p + s.len, rest->len - s.len };
	return s;
}

/* The value of a parameter, of which what fits is kept: names that we know are short. */
struct value {
	char *text;
	size_t size, n;
};

static void value_put(struct value *v, char c)
{
	if (v && v->n + 1 < v->size)
		v->text[v->n++] = c;
}

/* A quoted string, from its opening quote on, without quotes and backslashes. false when it does not end. */
static bool read_quoted(struct slice *rest, struct value *v)
{
	size_t i;

	for (i = 1; i < rest->len && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->len)
			i++;
		value_put(v, rest->p[i]);
	}
	if (i == rest->len)
		return false;
	*rest = (struct slice){ rest->p + i + 1, rest->len - i - 1 };
	return true;
}

static void read_bare(struct slice *rest, struct value *v)
{
	struct slice word = trimmed(until(rest, ";"));

	for (size_t i = 0; i < word.len; i++)
		value_put(v, word.p[i]);
}

/*
 * Of `word; key=value; key="value"`: the value of `key`, as a string in v->text. 1, 0 when there is none, -1 when a quote
 * does not end.
 */
static int parameter(struct slice field, const char *key, struct value *v)
{
	until(&field, ";");
	while (field.len) {
		bool wanted;

		field = trimmed((struct slice){ field.p + 1, field.len - 1 }); /* the semicolon */
		wanted = same_word(trimmed(until(&field, "=;")), key);
		if (field.len == 0 || field.p[0] == ';') /* a word without a value */
			continue;
		field = trimmed((struct slice){ field.p + 1, field.len - 1 });
		if (field.len == 0 || field.p[0] != '"')
			read_bare(&field, wanted ? v : NULL);
		else if (!read_quoted(&field, wanted ? v : NULL))
			return -1;
		if (wanted) {
			v->text[v->n] = 0;
			return 1;
		}
		until(&field, ";");
	}
	return 0;
}

int multipart_boundary(struct slice content_type, char boundary[MULTIPART_BOUNDARY_MAX + 1], struct err *e)
{
	struct slice rest = trimmed(content_type);
	struct value v = { boundary, MULTIPART_BOUNDARY_MAX + 1, 0 };

	if (!same_word(trimmed(until(&rest, ";")), "multipart/form-data"))
		return err_set(e, ERR_BAD_REQUEST, "neither the header anki-sync nor a form");
	if (parameter(content_type, "boundary", &v) != 1 || v.n == 0 || v.n == MULTIPART_BOUNDARY_MAX ||
	    strlen(boundary) != v.n || strpbrk(boundary, "\r\n"))
		return err_set(e, ERR_BAD_REQUEST, "form: no boundary in its type, or one that is too long");
	return 0;
}

static int header_line(struct parser *p, struct slice line, struct err *e)
{
	struct value v = { p->name, sizeof p->name, 0 };
	struct slice rest = line;

	if (line.p[0] == ' ' || line.p[0] == '\t') /* the last field goes on: none that we look at is so long */
		return 0;
	if (!same_word(trimmed(until(&rest, ":")), "content-disposition") || rest.len == 0)
		return 0;
	if (parameter(rest, "name", &v) < 0)
		return err_set(e, ERR_BAD_REQUEST, "form: a part's name cannot be read");
	p->name_len = v.n;
	return 0;
}

/* --- states: 1 go on, 0 more bytes are needed, -1 --- */

static size_t unread(const struct parser *p)
{
	return p->len - p->at;
}

/* The bytes up to `end` belong to the present part, if there is one. */
static int give(struct parser *p, size_t end, struct err *e)
{
	struct slice piece = { p->window + p->at, end - p->at };

	p->at = end;
	return p->state == CONTENT && piece.len ? p->reader->bytes(p->reader->arg, piece, e) : 0;
}

/*
 * Up to the next boundary. Bytes that look like one count only if a line's end or `--` follows: otherwise they are content
 * that happens to begin like it. That is rare; who sends nothing else wants to keep us busy.
 */
static int step_content(struct parser *p, struct err *e)
{
	size_t from = p->at;

	for (;;) {
		const char *hit = memmem(p->window + from, p->len - from, p->mark, p->mark_len), *next;

		if (!hit) {
			/* The mark may begin at the end of the window. */
			if (unread(p) >= p->mark_len && give(p, p->len - (p->mark_len - 1), e) != 0)
				return -1;
			return 0;
		}
		next = hit + p->mark_len;
		if (next + 2 > p->window + p->len)
			return give(p, (size_t)(hit - p->window), e) != 0 ? -1 : 0;
		if (*next == ' ' || *next == '\t' || memcmp(next, "\r\n", 2) == 0 || memcmp(next, "--", 2) == 0) {
			if (give(p, (size_t)(hit - p->window), e) != 0)
				return -1;
			p->at += p->mark_len;
			p->state = DELIMITED;
			return 1;
		}
		if (++p->lookalikes > LOOKALIKES_MAX)
			return err_set(e, ERR_BAD_REQUEST, "form: its boundary is all over its content");
		from = (size_t)(hit - p->window) + 1;
	}
}

static int step_delimited(struct parser *p, struct err *e)
{
	size_t i = p->at;

	if (unread(p) < 2)
		return 0;
	if (memcmp(p->window + i, "--", 2) == 0) {
		p->at += 2;
		p->state = EPILOGUE;
		return 1;
	}
	while (i < p->len && (p->window[i] == ' ' || p->window[i] == '\t'))
		i++;
	if (i - p->at > MULTIPART_HEADERS_MAX)
		return err_set(e, ERR_BAD_REQUEST, "form: a line without end behind a boundary");
	if (i + 2 > p->len)
		return 0;
	if (memcmp(p->window + i, "\r\n", 2) != 0)
		return err_set(e, ERR_BAD_REQUEST, "form: text behind a boundary");
	if (++p->parts > PARTS_MAX)
		return err_set(e, ERR_BAD_REQUEST, "form: more than %d parts", PARTS_MAX);
	p->at = i + 2;
	p->state = HEADERS;
	p->headers = 0;
	p->name_len = 0;
	return 1;
}

static int step_headers(struct parser *p, struct err *e)
{
	const char *line = p->window + p->at, *end = memmem(line, unread(p), "\r\n", 2);
	size_t n = end ? (size_t)(end - line) : unread(p);

	if (p->headers + n > MULTIPART_HEADERS_MAX)
		return err_set(e, ERR_BAD_REQUEST, "form: more than %d bytes of headers in a part", MULTIPART_HEADERS_MAX);
	if (!end)
		return 0;
	p->at += n + 2;
	p->headers += n + 2;
	if (n)
		return header_line(p, (struct slice){ line, n }, e) != 0 ? -1 : 1;
	p->state = CONTENT;
	return p->reader->part(p->reader->arg, (struct slice){ p->name, p->name_len }, e) != 0 ? -1 : 1;
}

static int step(struct parser *p, struct err *e)
{
	switch (p->state) {
	case PREAMBLE:
	case CONTENT:
		return step_content(p, e);
	case DELIMITED:
		return step_delimited(p, e);
	case HEADERS:
		return step_headers(p, e);
	case EPILOGUE:
		p->at = p->len;
		return 0;
	}
	return err_set(e, ERR_INTERNAL, "form: state %d", (int)p->state);
}

/* More bytes behind those that are left. 1, 0 at the end of the body, -1. No state leaves so much that the window is full. */
static int fill(struct parser *p, struct err *e)
{
	ssize_t got;

	memmove(p->window, p->window + p->at, unread(p));
	p->len -= p->at;
	p->at = 0;
	got = p->body->read(p->body, p->window + p->len, WINDOW_BYTES - p->len, e);
	if (got <= 0)
		return (int)got;
	p->len += (size_t)got;
	p->total += (uint64_t)got;
	if (p->total > p->max)
		return err_set(e, ERR_TOO_BIG, "form: more than %" PRIu64 " bytes", p->max);
	return 1;
}

int multipart_read(struct source *body, const char *boundary, uint64_t max_bytes, const struct multipart_reader *reader,
		   struct err *e)
{
	struct parser p = { .body = body, .reader = reader, .max = max_bytes, .window = xmalloc(WINDOW_BYTES) };
	int rc;

	p.mark_len = (size_t)snprintf(p.mark, sizeof p.mark, "\r\n--%.*s", MULTIPART_BOUNDARY_MAX, boundary);
	/* The first boundary has no line before it: as if there were an empty one. */
	memcpy(p.window, "\r\n", 2);
	p.len = 2;
	do {
		rc = step(&p, e);
		if (rc == 0)
			rc = fill(&p, e);
	} while (rc > 0);
	if (rc == 0 && p.state != EPILOGUE)
		rc = err_set(e, ERR_BAD_REQUEST, "form: cut off after %" PRIu64 " bytes", p.total);
	explicit_bzero(p.window, WINDOW_BYTES); /* a password may have passed */
	free(p.window);
	return rc;
}
