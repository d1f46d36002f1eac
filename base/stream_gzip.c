/* gzip decoder (stream.h), for the bodies of old clients. */
#include "base/stream.h"

#include <zlib.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

enum { IN_BYTES = 32 << 10 };

struct gzip_source {
	struct source source;
	struct source *from;
	uint64_t max_out, total_out, total_in;
	z_stream z;
#ifdef HAVE_ISAL
	struct inflate_state *quick; /* instead of z */
#endif
	bool done, pending;
	unsigned char in[IN_BYTES], *next;
	size_t left; /* of `in`, from `next` on */
};

static int fill(struct gzip_source *s, struct err *e)
{
	ssize_t got = s->from->read(s->from, s->in, sizeof s->in, e);

	if (got <= 0)
		return (int)got;
	s->next = s->in;
	s->left = (size_t)got;
	s->total_in += (uint64_t)got;
	/* Empty blocks cost input and give nothing, see stream_zstd.c. */
	if (s->total_in / 2 > s->max_out / 2 + s->max_out / 256 + (1 << 20))
		return err_set(e, ERR_TOO_BIG, "gzip: input of more than %llu bytes", (unsigned long long)s->total_in);
	return 1;
}

/* Both: what is in s->next into p, as far as it fits. *got: how much that gave. Sets `done`. 0 or -1. */
static int inflate_zlib(struct gzip_source *s, void *p, size_t room, size_t *got, struct err *e)
{
	int rc;

	s->z.next_in = s->next;
	s->z.avail_in = (uInt)s->left;
	s->z.next_out = p;
	s->z.avail_out = (uInt)room;
	rc = inflate(&s->z, Z_NO_FLUSH);
	if (rc == Z_MEM_ERROR)
		return err_set(e, ERR_INTERNAL, "gzip: out of memory");
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return err_set(e, ERR_BAD_REQUEST, "gzip: %s", s->z.msg ? s->z.msg : "bad data");
	s->next = s->z.next_in;
	s->left = s->z.avail_in;
	*got = room - s->z.avail_out;
	s->done = rc == Z_STREAM_END;
	return 0;
}

#ifdef HAVE_ISAL
static int inflate_isal(struct gzip_source *s, void *p, size_t room, size_t *got, struct err *e)
{
	struct inflate_state *q = s->quick;
	int rc;

	q->next_in = s->next;
	q->avail_in = (uint32_t)s->left;
	q->next_out = p;
	q->avail_out = (uint32_t)room;
	rc = isal_inflate(q);
	if (rc != ISAL_DECOMP_OK)
		return err_set(e, ERR_BAD_REQUEST, "gzip: bad data (%d)", rc);
	s->next = q->next_in;
	s->left = q->avail_in;
	*got = room - q->avail_out;
	s->done = q->block_state == ISAL_BLOCK_FINISH;
	return 0;
}
#endif

static int inflate_some(struct gzip_source *s, void *p, size_t room, size_t *got, struct err *e)
{
#ifdef HAVE_ISAL
	if (s->quick)
		return inflate_isal(s, p, room, got, e);
#endif
	return inflate_zlib(s, p, room, got, e);
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
		uint64_t may = s->max_out - s->total_out;
		size_t room = n <= may ? n : (size_t)may + 1; /* one more, to see the end at the limit */
		size_t left, got = 0;
		int rc;

		if (room > INT32_MAX)
			room = INT32_MAX;
		if (s->left == 0 && !s->pending) {
			rc = fill(s, e);
			if (rc < 0)
				return -1;
			if (rc == 0)
				return err_set(e, ERR_BAD_REQUEST, s->total_in ? "gzip: truncated" : "gzip: empty body");
		}
		left = s->left;
		if (inflate_some(s, p, room, &got, e) != 0)
			return -1;
		if (got == 0 && left && s->left == left && !s->done) /* no decoder does that; it must not go on for ever */
			return err_set(e, ERR_BAD_REQUEST, "gzip: stuck");
		s->pending = got == room;
		s->total_out += got;
		if (s->total_out > s->max_out)
			return err_set(e, ERR_TOO_BIG, "body: more than %llu bytes", (unsigned long long)s->max_out);
		if (got)
			return (ssize_t)got;
	}
	return drain(s, e);
}

struct gzip_source *gzip_source_new(struct source *from, uint64_t max_out, bool quick)
{
	struct gzip_source *s = xcalloc(1, sizeof *s);

	s->source.read = gzip_read;
	s->from = from;
	s->max_out = max_out;
#ifdef HAVE_ISAL
	if (quick) {
		s->quick = xmalloc(sizeof *s->quick);
		isal_inflate_init(s->quick);
		s->quick->crc_flag = ISAL_GZIP; /* header, checksum and length are looked at */
		return s;
	}
#endif
	(void)quick;
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
#ifdef HAVE_ISAL
	free(s->quick);
#endif
	inflateEnd(&s->z); /* accepts one that was never begun */
	free(s);
}
