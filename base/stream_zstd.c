/* zstd, both directions (stream.h). One context of each kind per process: a level-3 encoder takes 3.7 MB. */
#include "base/stream.h"

#include <assert.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { WINDOW_LOG_MAX = 23 }; /* clients use 21; the library's default of 27 would cost 131 MiB (hardening.md §4) */

static ZSTD_DCtx *decoder;
static ZSTD_CCtx *encoder;
static const void *decoder_owner, *encoder_owner;

static int zstd_err(struct err *e, size_t code)
{
	enum err_kind kind = ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation ? ERR_INTERNAL : ERR_BAD_REQUEST;

	return err_set(e, kind, "zstd: %s", ZSTD_getErrorName(code));
}

/* Something to decode in s->in: 1, or 0 at the end of the input. */
static int fill(struct zstd_source *s, struct err *e)
{
	ssize_t got = s->from->read(s->from, s->in, ZSTD_DStreamInSize(), e);

	if (got <= 0)
		return (int)got;
	s->in_pos = 0;
	s->in_len = (size_t)got;
	s->total_in += (uint64_t)got;
	/* Frames may hold any number of empty blocks: without a limit of its own the input would never have to end. */
	if (s->total_in / 2 > s->max_out / 2 + s->max_out / 256 + (1 << 20))
		return err_set(e, ERR_TOO_BIG, "zstd: input of more than %llu bytes", (unsigned long long)s->total_in);
	return 1;
}

/* Behind the frame: what follows is read and ignored. */
static int drain(struct zstd_source *s, struct err *e)
{
	int rc;

	while ((rc = fill(s, e)) > 0)
		;
	s->in_pos = s->in_len = 0;
	return rc;
}

static ssize_t zstd_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct zstd_source *s = (struct zstd_source *)source;

	while (!s->done) {
		/* One byte more than allowed is asked for, so that the end is seen when the limit is met exactly. */
		uint64_t left = s->max_out - s->total_out;
		ZSTD_outBuffer out = { p, n <= left ? n : (size_t)left + 1, 0 };
		ZSTD_inBuffer in;
		size_t hint;

		if (s->in_pos == s->in_len && !s->pending) {
			int rc = fill(s, e);

			if (rc < 0)
				return -1;
			if (rc == 0)
				return err_set(e, ERR_BAD_REQUEST, s->total_in ? "zstd: truncated" : "zstd: empty body");
		}
		in = (ZSTD_inBuffer){ s->in, s->in_len, s->in_pos };
		hint = ZSTD_decompressStream(decoder, &out, &in);
		s->in_pos = in.pos;
		if (ZSTD_isError(hint))
			return zstd_err(e, hint);
		s->done = hint == 0;
		s->pending = out.pos == out.size;
		s->total_out += out.pos;
		if (s->total_out > s->max_out)
			return err_set(e, ERR_TOO_BIG, "body: more than %llu bytes", (unsigned long long)s->max_out);
		if (out.pos)
			return (ssize_t)out.pos;
	}
	return drain(s, e);
}

void zstd_source_init(struct zstd_source *s, struct source *from, uint64_t max_out)
{
	size_t rc;

	assert(!decoder_owner);
	if (!decoder)
		decoder = ZSTD_createDCtx();
	if (!decoder)
		out_of_memory();
	rc = ZSTD_DCtx_reset(decoder, ZSTD_reset_session_and_parameters);
	assert(!ZSTD_isError(rc));
	rc = ZSTD_DCtx_setParameter(decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	assert(!ZSTD_isError(rc));
	decoder_owner = s;
	*s = (struct zstd_source){ .source = { zstd_read }, .from = from, .max_out = max_out };
	s->in = xmalloc(ZSTD_DStreamInSize());
}

void zstd_source_release(struct zstd_source *s)
{
	if (!s->in)
		return;
	assert(decoder_owner == s);
	decoder_owner = NULL;
	free(s->in);
	s->in = NULL;
}

static void encoder_reset(int level)
{
	size_t rc;

	assert(!encoder_owner);
	if (!encoder)
		encoder = ZSTD_createCCtx();
	if (!encoder)
		out_of_memory();
	rc = ZSTD_CCtx_reset(encoder, ZSTD_reset_session_and_parameters);
	assert(!ZSTD_isError(rc));
	rc = ZSTD_CCtx_setParameter(encoder, ZSTD_c_compressionLevel, level);
	assert(!ZSTD_isError(rc));
}

static int encode(struct zstd_sink *s, ZSTD_inBuffer *in, ZSTD_EndDirective end, struct err *e)
{
	size_t left;

	do {
		ZSTD_outBuffer out = { s->out, ZSTD_CStreamOutSize(), 0 };

		left = ZSTD_compressStream2(encoder, &out, in, end);
		if (ZSTD_isError(left))
			return err_set(e, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
		if (out.pos && s->to->write(s->to, s->out, out.pos, e) != 0)
			return -1;
	} while (end == ZSTD_e_end ? left != 0 : in->pos < in->size);
	return 0;
}

static int zstd_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	ZSTD_inBuffer in = { p, n, 0 };

	return encode((struct zstd_sink *)sink, &in, ZSTD_e_continue, e);
}

void zstd_sink_init(struct zstd_sink *s, struct sink *to, int level)
{
	encoder_reset(level);
	encoder_owner = s;
	*s = (struct zstd_sink){ .sink = { zstd_write }, .to = to };
	s->out = xmalloc(ZSTD_CStreamOutSize());
}

int zstd_sink_finish(struct zstd_sink *s, struct err *e)
{
	ZSTD_inBuffer in = { NULL, 0, 0 };

	return encode(s, &in, ZSTD_e_end, e);
}

void zstd_sink_release(struct zstd_sink *s)
{
	if (!s->out)
		return;
	assert(encoder_owner == s);
	encoder_owner = NULL;
	free(s->out);
	s->out = NULL;
}

int zstd_compress(struct slice in, struct buf *out, int level, struct err *e)
{
	size_t bound = ZSTD_compressBound(in.len), got;
	char *room = buf_room(out, bound);

	if (!room)
		return buf_check(out, e);
	encoder_reset(level);
	got = ZSTD_compress2(encoder, room, bound, in.p, in.len);
	if (ZSTD_isError(got))
		return err_set(e, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(got));
	out->len += got;
	out->data[out->len] = 0;
	return 0;
}
