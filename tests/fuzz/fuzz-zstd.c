/*
 * libFuzzer: bodies of v11, which are one zstd frame.
 *
 * The input: one byte that says how the wire is cut into pieces, then the wire. Whatever comes: no more bytes than allowed,
 * bytes that do not depend on the pieces, an end that stays the end. The input as a text of its own, packed by us,
 * comes back as it was.
 */
#include "base/stream.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

enum { MAX_BYTES = 100000 };

static int unpack(struct slice wire, size_t step, struct buf *out, enum err_kind *kind)
{
	struct pieces pieces;
	struct zstd_source z;
	struct err e = ERR_INIT;
	char more;
	int rc;

	pieces_init(&pieces, wire, step);
	buf_init(out, BUF_UNBOUNDED);
	zstd_source_init(&z, &pieces.source, MAX_BYTES);
	rc = source_to_buf(&z.source, out, &e);
	assert(out->len <= MAX_BYTES);
	if (rc == 0)
		assert(z.source.read(&z.source, &more, 1, &e) == 0 && pieces.rest.len == 0);
	else
		fuzz_refused(&e);
	*kind = e.kind;
	assert(rc == 0 || e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG);
	zstd_source_release(&z);
	return rc;
}

static void there_and_back(struct slice text, size_t step)
{
	struct buf packed = BUF_INIT(BUF_UNBOUNDED), streamed = BUF_INIT(BUF_UNBOUNDED), back;
	enum err_kind kind;
	struct pieces pieces;
	struct buf_sink to;
	struct zstd_sink z;

	assert(zstd_compress(text, &packed, 3, NULL) == 0);
	assert(unpack(buf_slice(&packed), step, &back, &kind) == 0);
	fuzz_same("texts", text, buf_slice(&back));
	buf_release(&back);
	pieces_init(&pieces, text, step);
	buf_sink_init(&to, &streamed);
	zstd_sink_init(&z, &to.sink, 3);
	assert(source_to_sink(&pieces.source, &z.sink, NULL, NULL) == 0 && zstd_sink_finish(&z, NULL) == 0);
	zstd_sink_release(&z);
	assert(unpack(buf_slice(&streamed), 0, &back, &kind) == 0);
	fuzz_same("streamed texts", text, buf_slice(&back));
	buf_release(&back);
	buf_release(&packed);
	buf_release(&streamed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice wire = { (const char *)data + 1, size - 1 };
	enum err_kind kind, parts_kind;
	struct buf whole, parts;

	if (size < 1)
		return 0;
	unpack(wire, 0, &whole, &kind);
	unpack(wire, 1 + data[0], &parts, &parts_kind);
	/* With the whole frame at hand libzstd looks at the size that it claims, but not at the window. */
	if (kind == ERR_NONE && parts_kind == ERR_NONE)
		fuzz_same("pieces", buf_slice(&whole), buf_slice(&parts));
	buf_release(&whole);
	buf_release(&parts);
	there_and_back(wire, 1 + data[0]);
	return 0;
}
