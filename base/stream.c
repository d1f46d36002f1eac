/* See stream.h. The codecs are in stream_zstd.c and stream_gzip.c. */
#include "base/stream.h"

#include <errno.h>

enum { COPY_BYTES = 128 << 10 }; /* larger pieces are slower (performance-facts.md, "Upload") */

static ssize_t mem_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct mem_source *s = (struct mem_source *)source;
	size_t got = n < s->rest.len ? n : s->rest.len;

	(void)e;
	if (got == 0)
		return 0;
	memcpy(p, s->rest.p, got);
	s->rest.p += got;
	s->rest.len -= got;
	return (ssize_t)got;
}

void mem_source_init(struct mem_source *s, struct slice bytes)
{
	*s = (struct mem_source){ .source = { mem_read }, .rest = bytes };
}

static ssize_t fd_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct fd_source *s = (struct fd_source *)source;
	ssize_t got;

	do
		got = read(s->fd, p, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_errno(e, "read");
	return got;
}

void fd_source_init(struct fd_source *s, int fd)
{
	*s = (struct fd_source){ .source = { fd_read }, .fd = fd };
}

int fd_read_at(int fd, void *p, size_t n, uint64_t at)
{
	while (n) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? 0 : -1;
		p = (char *)p + got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return 1;
}

int fd_write_at(int fd, const void *p, size_t n, uint64_t at)
{
	while (n) {
		ssize_t done = pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		p = (const char *)p + done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

static int buf_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	return buf_append(((struct buf_sink *)sink)->buf, p, n, e);
}

void buf_sink_init(struct buf_sink *s, struct buf *buf)
{
	*s = (struct buf_sink){ .sink = { buf_write }, .buf = buf };
}

static int fd_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct fd_sink *s = (struct fd_sink *)sink;
	const char *at = p;

	while (n) {
		ssize_t put = write(s->fd, at, n);

		if (put < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(e, "write");
		}
		at += put;
		n -= (size_t)put;
		s->written += (uint64_t)put;
	}
	return 0;
}

void fd_sink_init(struct fd_sink *s, int fd)
{
	*s = (struct fd_sink){ .sink = { fd_write }, .fd = fd };
}

int source_to_buf(struct source *s, struct buf *b, struct err *e)
{
	size_t step = 4096;

	for (;;) {
		char one[1];
		size_t left = b->max > b->len ? b->max - b->len : 0;
		size_t n = step < left ? step : left;
		ssize_t got;

		if (n == 0) { /* full: is this the end? */
			got = s->read(s, one, 1, e);
			if (got > 0)
				return buf_append(b, one, 1, e);
			return (int)got;
		}
		got = s->read(s, buf_room(b, n), n, e);
		if (got <= 0)
			return (int)got;
		b->len += (size_t)got;
		b->data[b->len] = 0;
		if (step < COPY_BYTES)
			step *= 2;
	}
}

int source_to_sink(struct source *s, struct sink *to, uint64_t *copied, struct err *e)
{
	char *piece = xmalloc(COPY_BYTES);
	uint64_t sum = 0;
	ssize_t got;

	while ((got = s->read(s, piece, COPY_BYTES, e)) > 0) {
		if (to->write(to, piece, (size_t)got, e) != 0) {
			got = -1;
			break;
		}
		sum += (uint64_t)got;
	}
	free(piece);
	if (copied)
		*copied = sum;
	return (int)got;
}
