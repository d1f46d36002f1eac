/* See buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>

struct slice slice_of(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool slice_eq_str(struct slice a, const char *s)
{
	return slice_eq(a, slice_of(s));
}

void out_of_memory(void)
{
	fputs("ankisync: out of memory\n", stderr);
	abort();
}

void *xmalloc(size_t n)
{
	return xrealloc(NULL, n);
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->overflow = false;
	buf_truncate(b, 0);
}

void buf_truncate(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
	if (b->data)
		b->data[len] = 0;
}

char *buf_room(struct buf *b, size_t n)
{
	if (n > b->max - b->len || b->max < b->len) {
		b->overflow = true;
		return NULL;
	}
	if (b->len + n + 1 > b->cap) {
		size_t cap = b->cap ? b->cap : 64;

		while (cap < b->len + n + 1)
			cap += cap / 2 + 64;
		b->data = xrealloc(b->data, cap);
		b->cap = cap;
	}
	b->data[b->len] = 0;
	return b->data + b->len;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	char *room = buf_room(b, n);

	if (!room)
		return;
	if (n)
		memcpy(room, p, n);
	b->len += n;
	b->data[b->len] = 0;
}

int buf_append(struct buf *b, const void *p, size_t n, struct err *e)
{
	buf_put(b, p, n);
	return buf_check(b, e);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *room;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	room = buf_room(b, (size_t)n);
	if (!room)
		return;
	va_start(ap, fmt);
	vsnprintf(room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

int buf_check(const struct buf *b, struct err *e)
{
	if (!b->overflow)
		return 0;
	return err_set(e, ERR_TOO_BIG, "more than %zu bytes", b->max);
}

void buf_set(struct buf *b, const void *p, size_t n)
{
	buf_reset(b);
	buf_put(b, p, n);
}

struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->data, b->len };
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}
