/* gzip decoder (stream.h), for the bodies of old clients. */
#include "base/stream.h"

#include <zlib.h>

enum { IN_BYTES = 32 << 10 };

struct gzip_source {
	struct source source;
	struct source *from;
	uint64_t max_out, total_out, total_in;
	z_stream z;
	bool done, pending;
	unsigned char in[IN_BYTES];
};

static int fill(struct gzip_source *s, struct err *e)
{
	ssize_t got = s->from->read(s->from, s->in, sizeof s->in, e);

	if (got <= 0)
		return (int)got;
	s->z.next_in = s->in;
	s->z.avail_in = (uInt)got;
	s->total_in += (uint64_t)got;
	/* Empty blocks cost input and give nothing, see stream_zstd.c. */
	if (s->total_in / 2 > s->max_out / 2 + s->max_out / 256 + (1 << 20))
		return err_set(e, ERR_TOO_BIG, "gzip: input of more than %llu bytes", (unsigned long long)s->total_in);
	return 1;
}

static int drain(struct gzip_source *s, struct err *e)
{
	int rc;

	while ((rc = fill(s, e)) > 0)
		;
	return rc;
}

static ssize_t gzip_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct gzip_source *s = (struct gzip_source *)source;

	while (!s->done) {
		uint64_t left = s->max_out - s->total_out;
		size_t room = n <= left ? n : (size_t)left + 1; /* one more, to see the end at the limit */
		size_t got;
		int rc;

		if (room > INT32_MAX)
			room = INT32_MAX;
		if (s->z.avail_in == 0 && !s->pending) {
			rc = fill(s, e);
			if (rc < 0)
				return -1;
			if (rc == 0)
				return err_set(e, ERR_BAD_REQUEST, s->total_in ? "gzip: truncated" : "gzip: empty body");
		}
		s->z.next_out = p;
		s->z.avail_out = (uInt)room;
		rc = inflate(&s->z, Z_NO_FLUSH);
		if (rc == Z_MEM_ERROR)
			return err_set(e, ERR_INTERNAL, "gzip: out of memory");
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return err_set(e, ERR_BAD_REQUEST, "gzip: %s", s->z.msg ? s->z.msg : "bad data");
		got = room - s->z.avail_out;
		s->done = rc == Z_STREAM_END;
		s->pending = s->z.avail_out == 0;
		s->total_out += got;
		if (s->total_out > s->max_out)
			return err_set(e, ERR_TOO_BIG, "body: more than %llu bytes", (unsigned long long)s->max_out);
		if (got)
			return (ssize_t)got;
	}
	return drain(s, e);
}

struct gzip_source *gzip_source_new(struct source *from, uint64_t max_out)
{
	struct gzip_source *s = xcalloc(1, sizeof *s);

	s->source.read = gzip_read;
	s->from = from;
	s->max_out = max_out;
	if (inflateInit2(&s->z, 15 + 16) != Z_OK) /* gzip only */
		out_of_memory();
	return s;
}

struct source *gzip_source_source(struct gzip_source *s)
{
	return &s->source;
}

void gzip_source_free(struct gzip_source *s)
{
	if (!s)
		return;
	inflateEnd(&s->z);
	free(s);
}
