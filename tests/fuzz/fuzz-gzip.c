/*
 * libFuzzer: the two gzip decoders of base/stream_gzip.c.
 *
 * The input: one byte for the size of pieces, then the wire. What both of them take is the same; neither gives more than it may.
 */
#include "base/stream.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

enum { MAX_OUT = 1 << 16 };

/* Reads into heap blocks of their own, so that a byte too many is noticed. */
static int run(struct slice wire, size_t step, bool quick, struct buf *out)
{
	struct pieces pieces;
	struct gzip_source *g;
	struct source *from;
	struct err e = ERR_INIT;
	ssize_t got;

	pieces_init(&pieces, wire, step);
	g = gzip_source_new(&pieces.source, MAX_OUT, quick);
	from = gzip_source_source(g);
	do {
		size_t room = 1 + (step * 37 + out->len) % 20000;
		char *piece = xmalloc(room);

		got = from->read(from, piece, room, &e);
		assert(got <= (ssize_t)room);
		if (got > 0)
			buf_put(out, piece, (size_t)got);
		free(piece);
	} while (got > 0);
	gzip_source_free(g);
	assert(out->len <= MAX_OUT);
	if (got < 0)
		fuzz_refused(&e);
	assert(got == 0 || e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG);
	return (int)got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf plain = BUF_INIT(BUF_UNBOUNDED), quick = BUF_INIT(BUF_UNBOUNDED);
	struct slice wire;
	size_t step;

	if (size < 1)
		return 0;
	step = 1 + data[0] * data[0];
	wire = (struct slice){ (const char *)data + 1, size - 1 };
	/* zlib also looks at parts of the header that ISA-L passes over. */
	if ((run(wire, step, false, &plain) == 0) & (run(wire, step, true, &quick) == 0))
		fuzz_same("texts", buf_slice(&plain), buf_slice(&quick));
	buf_release(&plain);
	buf_release(&quick);
	return 0;
}
