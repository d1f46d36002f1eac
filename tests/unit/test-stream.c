/* base/stream: what counts as a complete body, what is refused, and that nothing passes a limit. */
#include "base/stream.h"

#include <zlib.h>
#include <zstd.h>

#include "tests/unit/test.h"

/* Gives `step` bytes at a time, and fails at the end if it is told to. */
struct drip {
	struct source source;
	struct slice rest;
	size_t step;
	bool fails;
};

static ssize_t drip_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct drip *d = (struct drip *)source;
	size_t got = n < d->step ? n : d->step;

	if (got > d->rest.len)
		got = d->rest.len;
	if (got == 0)
		return d->fails ? err_set(e, ERR_BAD_REQUEST, "the client left") : 0;
	memcpy(p, d->rest.p, got);
	d->rest.p += got;
	d->rest.len -= got;
	return (ssize_t)got;
}

static struct drip drip_of(struct buf *b, size_t step)
{
	return (struct drip){ { drip_read }, buf_slice(b), step, false };
}

static void put_text(struct buf *b, size_t n)
{
	for (size_t i = 0; b->len < n; i++)
		buf_printf(b, "line %zu of it\n", i * 7919);
	buf_truncate(b, n);
}

/* One zstd frame as clients make it: without content size and checksum. */
static void put_frame(struct buf *b, struct slice s)
{
	struct buf_sink to;
	struct zstd_sink z;
	struct err e;

	buf_sink_init(&to, b);
	zstd_sink_init(&z, &to.sink, 3);
	assert_int_equal(z.sink.write(&z.sink, s.p, s.len, &e), 0);
	assert_int_equal(zstd_sink_finish(&z, &e), 0);
	zstd_sink_release(&z);
}

static void put_gzip(struct buf *b, struct slice s)
{
	z_stream z = { 0 };
	uLong bound;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	bound = deflateBound(&z, s.len);
	z.next_out = (Bytef *)buf_room(b, bound);
	z.avail_out = (uInt)bound;
	z.next_in = (Bytef *)(uintptr_t)s.p;
	z.avail_in = (uInt)s.len;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len += bound - z.avail_out;
	deflateEnd(&z);
}

enum codec { ZSTD, GZIP, GZIP_QUICK, CODECS };

static void pack(enum codec codec, struct buf *b, struct slice s)
{
	(codec == ZSTD ? put_frame : put_gzip)(b, s);
}

static int unpack(enum codec codec, struct source *from, uint64_t max_out, struct buf *out, struct err *e)
{
	int rc;

	if (codec == ZSTD) {
		struct zstd_source z;

		zstd_source_init(&z, from, max_out);
		rc = source_to_buf(&z.source, out, e);
		zstd_source_release(&z);
		zstd_source_release(&z);
	} else {
		struct gzip_source *g = gzip_source_new(from, max_out, codec == GZIP_QUICK);

		rc = source_to_buf(gzip_source_source(g), out, e);
		gzip_source_free(g);
	}
	return rc;
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 131072, 131073, 3000000 }, steps[] = { 1, 1000, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < 6 * 3 * CODECS; i++) {
		enum codec codec = (enum codec)(i % CODECS);
		size_t size = sizes[i / CODECS % 6], step = steps[i / CODECS / 6];
		struct buf plain = BUF_INIT(BUF_UNBOUNDED), packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		struct drip d;

		put_text(&plain, size);
		pack(codec, &packed, buf_slice(&plain));
		d = drip_of(&packed, step);
		if (unpack(codec, &d.source, size, &out, &e) != 0)
			fail_msg("codec %d, %zu bytes in steps of %zu: %s", codec, size, step, e.msg);
		assert_true(slice_eq(buf_slice(&plain), buf_slice(&out)));
		buf_release(&plain);
		buf_release(&packed);
		buf_release(&out);
	}
}

static void test_cut_anywhere_is_truncated(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	for (enum codec i = 0; i < CODECS; i++) {
		struct buf plain = BUF_INIT(BUF_UNBOUNDED), packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);

		put_text(&plain, 5000);
		pack(i, &packed, buf_slice(&plain));
		for (size_t cut = 0; cut < packed.len; cut++) {
			struct mem_source m;

			mem_source_init(&m, (struct slice){ packed.data, cut });
			buf_reset(&out);
			if (unpack(i, &m.source, 1 << 20, &out, &e) == 0)
				fail_msg("codec %d: complete after %zu of %zu bytes", i, cut, packed.len);
			assert_int_equal(e.kind, ERR_BAD_REQUEST);
		}
		buf_release(&plain);
		buf_release(&packed);
		buf_release(&out);
	}
}

static void test_limit(void **state)
{
	(void)state;
	for (enum codec i = 0; i < CODECS; i++) {
		struct buf plain = BUF_INIT(BUF_UNBOUNDED), packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		struct drip d;

		put_text(&plain, 300000);
		pack(i, &packed, buf_slice(&plain));
		d = drip_of(&packed, 4096);
		assert_int_equal(unpack(i, &d.source, 299999, &out, &e), -1);
		assert_int_equal(e.kind, ERR_TOO_BIG);
		assert_true(out.len <= 299999);
		buf_release(&plain);
		buf_release(&packed);
		buf_release(&out);
	}
}

/* 64 MiB of zeros are 2 kB: the buffer must fill up, not the memory. */
static void test_bomb_meets_the_buffer(void **state)
{
	(void)state;
	for (enum codec i = 0; i < CODECS; i++) {
		struct buf packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(65536);
		char *zeros = xcalloc(1, 64 << 20);
		struct err e = ERR_INIT;
		struct drip d;

		pack(i, &packed, (struct slice){ zeros, 64 << 20 });
		free(zeros);
		d = drip_of(&packed, 1 << 20);
		assert_int_equal(unpack(i, &d.source, (uint64_t)300 << 20, &out, &e), -1);
		assert_int_equal(e.kind, ERR_TOO_BIG);
		assert_true(out.overflow);
		assert_true(out.cap < 1 << 18);
		buf_release(&packed);
		buf_release(&out);
	}
}

static void test_what_follows_is_read_and_ignored(void **state)
{
	(void)state;
	for (enum codec i = 0; i < CODECS; i++) {
		struct buf packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		struct drip d;

		pack(i, &packed, SLICE("hello"));
		put_text(&packed, packed.len + 1000000);
		d = drip_of(&packed, 10000);
		assert_int_equal(unpack(i, &d.source, 100, &out, &e), 0);
		assert_string_equal(buf_str(&out), "hello");
		assert_int_equal(d.rest.len, 0);
		/* A connection that breaks behind the frame is still a broken body. */
		buf_reset(&out);
		d = drip_of(&packed, 10000);
		d.fails = true;
		assert_int_equal(unpack(i, &d.source, 100, &out, &e), -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		buf_release(&packed);
		buf_release(&out);
	}
}

/* A frame of empty raw blocks gives nothing, for ever. */
static void test_endless_empty_blocks(void **state)
{
	static const char head[] = { 0x28, (char)0xb5, 0x2f, (char)0xfd, 0x00, 0x58 };
	struct buf packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct drip d;

	(void)state;
	buf_put(&packed, head, sizeof head);
	for (int i = 0; i < 4 << 20; i += 3)
		buf_put(&packed, "\0\0\0", 3);
	d = drip_of(&packed, 1 << 17);
	assert_int_equal(unpack(ZSTD, &d.source, 1000, &out, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_BIG);
	buf_release(&packed);
	buf_release(&out);
}

static void test_large_window_is_refused(void **state)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	struct buf plain = BUF_INIT(BUF_UNBOUNDED), packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	ZSTD_outBuffer to;
	ZSTD_inBuffer in;
	struct err e = ERR_INIT;
	struct drip d;

	(void)state;
	for (int log = 23; log <= 24; log++) {
		put_text(&plain, 1000);
		ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
		ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, log);
		buf_reset(&packed);
		to = (ZSTD_outBuffer){ buf_room(&packed, 5000), 5000, 0 };
		in = (ZSTD_inBuffer){ plain.data, plain.len, 0 };
		/* flush first, so that the frame does not know its size and keeps the window */
		assert_false(ZSTD_isError(ZSTD_compressStream2(c, &to, &in, ZSTD_e_flush)));
		assert_int_equal(ZSTD_compressStream2(c, &to, &in, ZSTD_e_end), 0);
		packed.len = to.pos;
		buf_reset(&out);
		d = drip_of(&packed, 1 << 17);
		assert_int_equal(unpack(ZSTD, &d.source, 5000, &out, &e), log == 23 ? 0 : -1);
	}
	assert_int_equal(e.kind, ERR_BAD_REQUEST);
	ZSTD_freeCCtx(c);
	buf_release(&plain);
	buf_release(&packed);
	buf_release(&out);
}

static void test_one_shot_has_its_size(void **state)
{
	struct buf plain = BUF_INIT(BUF_UNBOUNDED), packed = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct drip d;

	(void)state;
	for (size_t n = 0; n <= 200000; n += 100000) {
		buf_reset(&packed);
		buf_reset(&out);
		put_text(&plain, n);
		assert_int_equal(zstd_compress(buf_slice(&plain), &packed, 3, &e), 0);
		assert_int_equal(ZSTD_getFrameContentSize(packed.data, packed.len), n);
		d = drip_of(&packed, 1 << 17);
		assert_int_equal(unpack(ZSTD, &d.source, n, &out, &e), 0);
		assert_true(slice_eq(buf_slice(&plain), buf_slice(&out)));
	}
	buf_release(&plain);
	buf_release(&packed);
	buf_release(&out);
}

static void test_files(void **state)
{
	struct buf plain = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	FILE *f = tmpfile();
	struct mem_source m;
	struct fd_sink to;
	struct fd_source from;
	struct err e = ERR_INIT;
	uint64_t copied;

	(void)state;
	assert_non_null(f);
	put_text(&plain, 20 << 20);
	mem_source_init(&m, buf_slice(&plain));
	fd_sink_init(&to, fileno(f));
	assert_int_equal(source_to_sink(&m.source, &to.sink, &copied, &e), 0);
	assert_int_equal(copied, 20 << 20);
	assert_int_equal(to.written, 20 << 20);
	assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
	fd_source_init(&from, fileno(f));
	assert_int_equal(source_to_buf(&from.source, &out, &e), 0);
	assert_true(slice_eq(buf_slice(&plain), buf_slice(&out)));
	fclose(f);
	fd_source_init(&from, -1);
	assert_int_equal(source_to_buf(&from.source, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	buf_release(&plain);
	buf_release(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut_anywhere_is_truncated),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_bomb_meets_the_buffer),
		cmocka_unit_test(test_what_follows_is_read_and_ignored),
		cmocka_unit_test(test_endless_empty_blocks),
		cmocka_unit_test(test_large_window_is_refused),
		cmocka_unit_test(test_one_shot_has_its_size),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
