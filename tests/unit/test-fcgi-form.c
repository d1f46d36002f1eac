/*
 * fcgi/form and fcgi/multipart: what old clients send, in both dialects, in pieces of any size and cut off anywhere; and what
 * nobody should send. The bodies are those of the captured traffic.
 */
#include "fcgi/form.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include "fcgi/multipart.h"
#include "tests/unit/vectors.h"

enum { MAX = 8 << 20 };

static const struct method plain_method = { .name = "meta", .area = AREA_SYNC };
static const struct method file_method = { .name = "upload", .area = AREA_SYNC, .flags = METHOD_STREAM };
static const struct method begin_method = { .name = "begin", .area = AREA_MSYNC };

/* Gives `step` bytes at a time. */
struct drip {
	struct source source;
	struct slice rest;
	size_t step;
};

static ssize_t drip_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct drip *d = (struct drip *)source;
	size_t got = n < d->step ? n : d->step;

	(void)e;
	if (got > d->rest.len)
		got = d->rest.len;
	if (got == 0)
		return 0;
	memcpy(p, d->rest.p, got);
	d->rest.p += got;
	d->rest.len -= got;
	return (ssize_t)got;
}

static int read_form(struct form *f, const char *type, struct slice wire, size_t step, uint64_t max, struct err *e)
{
	struct drip d = { { drip_read }, wire, step };

	form_init(f, "/tmp", 0);
	*e = (struct err)ERR_INIT;
	return form_read(f, slice_of(type), &d.source, max, e);
}

static void put_gzip(struct buf *b, struct slice s)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)s.p;
	z.avail_in = (uInt)s.len;
	z.avail_out = (uInt)deflateBound(&z, s.len);
	z.next_out = (unsigned char *)buf_room(b, z.avail_out);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len += z.total_out;
	deflateEnd(&z);
}

/* --- the two dialects --- */

static const char *const types[] = {
	"multipart/form-data; boundary=97403a9b1191e4a1-56f4cf75f2d73f83-9b232a0d93aad189-98f7d5c2b078ddc3",
	"multipart/form-data; boundary=Anki-sync-boundary",
};

/* Rust clients (2.1.28 to 2.1.56): `data` first. */
static void put_rust(struct buf *b, struct slice data, bool gzip, const char *key_name, const char *key, const char *session)
{
	const char *boundary = strchr(types[0], '=') + 1;

	buf_printf(b, "--%s\r\nContent-Disposition: form-data; name=\"data\"; filename=\"data\"\r\n\r\n", boundary);
	if (gzip)
		put_gzip(b, data);
	else
		buf_put(b, data.p, data.len);
	if (gzip)
		buf_printf(b, "\r\n--%s\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n1", boundary);
	buf_printf(b, "\r\n--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s", boundary, key_name, key);
	if (session)
		buf_printf(b, "\r\n--%s\r\nContent-Disposition: form-data; name=\"s\"\r\n\r\n%s", boundary, session);
	buf_printf(b, "\r\n--%s--\r\n", boundary);
}

/* Python clients, and AnkiDroid before its Rust backend: fields first. */
static void put_python(struct buf *b, struct slice data, bool gzip, const char *key_name, const char *key, const char *session)
{
#define FIELD "--Anki-sync-boundary\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n"
	buf_printf(b, FIELD, key_name, key);
	if (session)
		buf_printf(b, FIELD, "s", session);
	buf_printf(b, FIELD, "c", gzip ? "1" : "0");
	buf_puts(b, "--Anki-sync-boundary\r\nContent-Disposition: form-data; name=\"data\"; filename=\"data\"\r\n"
		    "Content-Type: application/octet-stream\r\n\r\n");
	if (gzip)
		put_gzip(b, data);
	else
		buf_put(b, data.p, data.len);
	buf_puts(b, "\r\n--Anki-sync-boundary--\r\n");
}

typedef void dialect_fn(struct buf *b, struct slice data, bool gzip, const char *key_name, const char *key, const char *session);
static dialect_fn *const dialects[] = { put_rust, put_python };

/* --- the captured bodies --- */

static void check_body(struct slice data, unsigned variant, bool cut)
{
	static const size_t steps[] = { 1, 7, 61, 4096, SIZE_MAX };
	dialect_fn *dialect = dialects[variant & 1];
	const char *type = types[variant & 1], *key_name = variant & 2 ? "sk" : "k", *session = variant & 2 ? NULL : "E^zFFQ:QSy";
	bool gzip = variant & 4;
	struct buf wire = BUF_INIT(BUF_UNBOUNDED);
	struct form f;
	struct err e;

	dialect(&wire, data, gzip, key_name, "uid.secret", session);
	for (size_t i = data.len > 20000 ? 2 : 0; i < sizeof steps / sizeof *steps; i++) {
		struct buf payload = BUF_INIT(BUF_UNBOUNDED);
		struct call c = { 0 };

		if (read_form(&f, type, buf_slice(&wire), steps[i], MAX, &e) != 0)
			fail_msg("%s", e.msg);
		form_call(&f, &file_method, MAX, &c);
		assert_true(slice_eq_str(c.key, "uid.secret"));
		assert_true(slice_eq_str(c.session_key, session ? session : ""));
		assert_int_equal(c.version, 10);
		if (source_to_buf(c.body, &payload, &e) != 0)
			fail_msg("%s", e.msg);
		assert_true(slice_eq(buf_slice(&payload), data));
		buf_release(&payload);
		form_release(&f);
	}
	/* Everything but the last line's end is needed. */
	for (size_t n = 0; cut && n + 2 < wire.len; n++) {
		if (read_form(&f, type, (struct slice){ wire.data, n }, SIZE_MAX, MAX, &e) == 0)
			fail_msg("complete after %zu of %zu bytes", n, wire.len);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		form_release(&f);
	}
	buf_release(&wire);
}

/* The request's body in one line of the captures: JSON, or bytes. */
static bool captured_body(struct json_object *exchange, struct buf *out)
{
	struct json_object *body = vectors_get(vectors_get(exchange, "request"), "body"), *v;
	struct slice text;

	if (json_has(body, "json", &v)) {
		json_put_value(out, v);
		return true;
	}
	if (json_has(body, "base64", &v) || json_has(body, "zstd_base64", &v)) {
		/* As it is: bytes of a kind that a parser of forms has no business with. */
		assert_true(json_is_str(v, &text));
		buf_put(out, text.p, text.len);
		return true;
	}
	return false;
}

static size_t check_capture(const char *path)
{
	struct buf text = BUF_INIT(BUF_UNBOUNDED), body = BUF_INIT(BUF_UNBOUNDED);
	struct fd_source from;
	struct err e = ERR_INIT;
	size_t n = 0, at = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: cannot be opened", path);
	fd_source_init(&from, fd);
	assert_int_equal(source_to_buf(&from.source, &text, &e), 0);
	close(fd);
	while (at < text.len) {
		size_t len = (size_t)((char *)memchr(text.data + at, '\n', text.len - at) - (text.data + at));
		struct json_object *exchange;

		if (json_parse_object((struct slice){ text.data + at, len }, &JSON_LIMITS_PAYLOAD, &exchange, &e) != 0)
			fail_msg("%s: %s", path, e.msg);
		buf_reset(&body);
		if (captured_body(exchange, &body)) {
			for (unsigned variant = 0; variant < 8; variant++)
				check_body(buf_slice(&body), variant, body.len < 300 && n % 8 == variant);
			n++;
		}
		json_object_put(exchange);
		at += len + 1;
	}
	buf_release(&text);
	buf_release(&body);
	return n;
}

static void test_captured_bodies(void **state)
{
	const char *vectors = getenv("VECTORS");
	char folder[4000], path[4400];
	struct dirent *d;
	size_t n = 0;
	DIR *dir;

	(void)state;
	snprintf(folder, sizeof folder, "%s/../replay/traffic", vectors ? vectors : "tests/vectors");
	dir = opendir(folder);
	if (!dir)
		fail_msg("%s: cannot be opened", folder);
	while ((d = readdir(dir)) != NULL) {
		if (!strstr(d->d_name, ".jsonl"))
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		n += check_capture(path);
	}
	closedir(dir);
	assert_true(n > 300);
}

/* --- boundaries and parts --- */

#define B "multipart/form-data; boundary=b"
#define PART(name) "--b\r\nContent-Disposition: form-data; name=" name "\r\n\r\n"

static void test_what_is_taken(void **state)
{
	static const struct {
		const char *type, *wire, *key, *session, *payload;
	} cases[] = {
		/* order, absent parts */
		{ B, PART("\"s\"") "S\r\n" PART("\"k\"") "K\r\n--b--", "K", "S", "{}" },
		{ B, "--b--", "", "", "{}" },
		{ B, PART("\"data\"") "\r\n--b--\r\n", "", "", "{}" },
		{ B, PART("\"c\"") "1\r\n" PART("\"data\"") "\r\n--b--\r\n", "", "", "{}" },
		{ B, PART("\"data\"") "D\r\n" PART("\"c\"") "0\r\n--b--\r\n", "", "", "D" },
		{ B, PART("\"sk\"") "X\r\n" PART("\"k\"") "X\r\n--b--", "X", "", "{}" },
		{ B, PART("\"x\"") "1\r\n" PART("\"x\"") "2\r\n" PART("\"k\"") "K\r\n--b--", "K", "", "{}" },
		/* the boundary in its spellings */
		{ "multipart/form-data; boundary=\"b\"", PART("\"k\"") "K\r\n--b--\r\n", "K", "", "{}" },
		{ "Multipart/Form-Data;charset=utf-8;BOUNDARY = \"b\" ; x=y", PART("\"k\"") "K\r\n--b--\r\n", "K", "", "{}" },
		{ "multipart/form-data; x=\"; boundary=no\"; boundary=\"\\b\"", PART("\"k\"") "K\r\n--b--\r\n", "K", "", "{}" },
		{ B, "ignored\r\n" PART("\"k\"") "K\r\n--b--\r\nignored\r\n--b\r\n", "K", "", "{}" },
		{ B, "--b \t\r\nContent-Disposition: form-data; name=k\r\n\r\nK\r\n--b--", "K", "", "{}" },
		/* headers in their spellings */
		{ B, "--b\r\nX: y\r\ncontent-disposition : form-data ; filename=\"name=s\" ; NAME = k \r\n"
		  "Content-Type: a/b\r\n\r\nK\r\n--b--", "K", "", "{}" },
		{ B, PART("\"k\"; filename=\"a\\\";b\"") "K\r\n--b--", "K", "", "{}" },
		{ B, "--b\r\nno field\r\n\r\nignored\r\n--b\r\n\r\nignored\r\n" PART("k") "K\r\n--b--", "K", "", "{}" },
		{ B, PART("\"k\"\r\n folded") "K\r\n--b--", "K", "", "{}" },
		{ B, PART("\"this-name-is-longer-than-any-that-means-something-to-us-k-k-k-k-k-k\"") "x\r\n"
		  PART("\"k\"") "K\r\n--b--", "K", "", "{}" },
		/* what looks like a boundary and is none */
		{ B, PART("\"data\"") "\r\n--\r\n--a\r\n--bb--\r\n\r\n-b\n--b\r\n--b", NULL, NULL, NULL },
		{ B, PART("\"data\"") "\r\r\n\r\n-\r\n--c\r\n--bx--b--\r\n--b--", "", "",
		  "\r\r\n\r\n-\r\n--c\r\n--bx--b--" },
		{ B, PART("\"data\"") "--b--\r\n--b--", "", "", "--b--" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t step = 1; step < 300; step = step * 3 + 1) {
			struct buf payload = BUF_INIT(BUF_UNBOUNDED);
			struct call c = { 0 };
			struct form f;
			struct err e;
			int rc = read_form(&f, cases[i].type, slice_of(cases[i].wire), step, MAX, &e);

			if ((rc == 0) != (cases[i].key != NULL))
				fail_msg("case %zu: %s", i, rc == 0 ? "taken" : e.msg);
			if (rc == 0) {
				form_call(&f, &plain_method, MAX, &c);
				assert_int_equal(source_to_buf(c.body, &payload, &e), 0);
				if (!slice_eq_str(c.key, cases[i].key) || !slice_eq_str(c.session_key, cases[i].session) ||
				    !slice_eq_str(buf_slice(&payload), cases[i].payload))
					fail_msg("case %zu: %s %s %s", i, buf_str(&f.key), buf_str(&f.session), buf_str(&payload));
			}
			buf_release(&payload);
			form_release(&f);
		}
	}
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *type, *wire;
	} cases[] = {
		{ "", PART("\"k\"") "K\r\n--b--" },
		{ "application/octet-stream", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/mixed; boundary=b", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/form-data", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/form-data;", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/form-data; boundary", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/form-data; boundary=", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/form-data; boundary=\"b", PART("\"k\"") "K\r\n--b--" },
		{ "multipart/form-data; xboundary=b", PART("\"k\"") "K\r\n--b--" },
		{ B, "" },
		{ B, "{}" },
		{ B, "--b" },
		{ B, "--b-" },
		{ B, "--b\n\n--b--" },
		{ B, "x--b--" },
		{ B, "--b x\r\n\r\n\r\n--b--" },
		{ B, PART("\"k") "K\r\n--b--" },
		{ B, PART("\"k\"") "K\r\n" PART("\"k\"") "K\r\n--b--" },
		{ B, PART("\"data\"") "\r\n" PART("\"data\"") "\r\n--b--" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct form f;
		struct err e;

		if (read_form(&f, cases[i].type, slice_of(cases[i].wire), SIZE_MAX, MAX, &e) == 0)
			fail_msg("case %zu was taken", i);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		form_release(&f);
	}
}

static void put_times(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_puts(b, s);
}

static void test_limits(void **state)
{
	static const struct {
		const char *before, *repeated;
		size_t times;
		const char *after;
		enum err_kind kind; /* ERR_NONE: taken */
	} cases[] = {
		{ PART("\"k\""), "x", FORM_WORD_MAX, "\r\n--b--", ERR_NONE },
		{ PART("\"k\""), "x", FORM_WORD_MAX + 1, "\r\n--b--", ERR_TOO_BIG },
		{ PART("\"v\""), "x", 100000, "\r\n--b--", ERR_TOO_BIG },
		{ PART("\"other\""), "x", 100000, "\r\n--b--", ERR_NONE },
		{ "--b\r\n", "X: y\r\n", 1000, "\r\n\r\n--b--", ERR_NONE },
		{ "--b\r\n", "X: y\r\n", 2000, "\r\n\r\n--b--", ERR_BAD_REQUEST },
		{ "--b\r\nX: ", "y", 9000, "\r\n\r\n\r\n--b--", ERR_BAD_REQUEST },
		{ "--b\r\nX: ", "y", 100000, "", ERR_BAD_REQUEST },
		{ "--b", " ", 100000, "", ERR_BAD_REQUEST },
		{ "", "x", 200000, "\r\n--b--", ERR_NONE },
		{ "", "x", 300000, "\r\n--b--", ERR_TOO_BIG },
		{ "--b--", "x", 300000, "", ERR_TOO_BIG },
		/* nothing but work */
		{ "", "--b\r\n\r\n\r\n", 100, "--b--", ERR_NONE },
		{ "", "--b\r\n\r\n\r\n", 101, "--b--", ERR_BAD_REQUEST },
		{ PART("\"data\""), "\r\n--bx", 1000, "\r\n--b--", ERR_NONE },
		{ PART("\"data\""), "\r\n--bx", 1001, "\r\n--b--", ERR_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf wire = BUF_INIT(BUF_UNBOUNDED);
		struct form f;
		struct err e;

		buf_puts(&wire, cases[i].before);
		put_times(&wire, cases[i].repeated, cases[i].times);
		buf_puts(&wire, cases[i].after);
		read_form(&f, "multipart/form-data; boundary=b", buf_slice(&wire), 5000, 100000, &e);
		if (e.kind != cases[i].kind)
			fail_msg("case %zu: kind %d: %s", i, e.kind, e.msg);
		form_release(&f);
		buf_release(&wire);
	}
}

/* A boundary of every length, across the edge of the window, and what begins like it in front of it. */
static void test_every_boundary_length(void **state)
{
	(void)state;
	for (size_t n = 1; n <= MULTIPART_BOUNDARY_MAX + 1; n++) {
		struct buf type = BUF_INIT(BUF_UNBOUNDED), wire = BUF_INIT(BUF_UNBOUNDED), data = BUF_INIT(BUF_UNBOUNDED);
		struct buf got = BUF_INIT(BUF_UNBOUNDED);
		struct call c = { 0 };
		struct form f;
		struct err e;

		buf_puts(&type, "multipart/form-data; boundary=");
		put_times(&type, "-", n);
		for (size_t i = 0; data.len < 65400 + 3 * n; i++)
			buf_puts(&data, i % 100 ? "x" : "\r\n-");
		buf_puts(&wire, "--");
		put_times(&wire, "-", n);
		buf_puts(&wire, "\r\nContent-Disposition: form-data; name=data\r\n\r\n");
		buf_put(&wire, data.data, data.len);
		buf_puts(&wire, "\r\n--");
		put_times(&wire, "-", n);
		buf_puts(&wire, "--");
		if (n >= MULTIPART_BOUNDARY_MAX) {
			assert_int_equal(read_form(&f, buf_str(&type), buf_slice(&wire), SIZE_MAX, MAX, &e), -1);
		} else {
			if (read_form(&f, buf_str(&type), buf_slice(&wire), SIZE_MAX, MAX, &e) != 0)
				fail_msg("%zu: %s", n, e.msg);
			form_call(&f, &file_method, MAX, &c);
			assert_int_equal(source_to_buf(c.body, &got, &e), 0);
			assert_true(slice_eq(buf_slice(&got), buf_slice(&data)));
		}
		form_release(&f);
		buf_release(&type);
		buf_release(&wire);
		buf_release(&data);
		buf_release(&got);
	}
}

/* --- payloads --- */

static enum err_kind read_payload(struct slice wire, const char *type, const struct method *m, uint64_t max, struct buf *out)
{
	struct call c = { 0 };
	struct form f;
	struct err e;

	if (read_form(&f, type, wire, SIZE_MAX, max + 100, &e) == 0) {
		form_call(&f, m, max, &c);
		source_to_buf(c.body, out, &e);
	}
	form_release(&f);
	return e.kind;
}

static void test_payloads(void **state)
{
	static const struct {
		const char *wire;
		const struct method *m;
		const char *payload; /* NULL: refused */
	} cases[] = {
		{ PART("\"data\"") "x\r\n" PART("c") "1\r\n--b--", &plain_method, NULL },
		{ PART("\"data\"") "x\r\n" PART("c") "\r\n--b--", &plain_method, NULL },
		{ PART("\"data\"") "\x1f\x8b\r\n--b--", &plain_method, "\x1f\x8b" },
		{ "--b--", &file_method, "" },
		{ "--b--", &begin_method, "{}" },
		{ PART("v") "anki\"droid\r\n--b--", &begin_method, "{\"v\":\"anki\\\"droid\"}" },
		{ PART("v") "a\r\n" PART("data") "{}\r\n--b--", &begin_method, "{\"v\":\"a\"}" },
		{ PART("data") "{\"v\":\"a\"}\r\n--b--", &begin_method, "{\"v\":\"a\"}" },
		{ PART("v") "a\r\n--b--", &plain_method, "{}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(BUF_UNBOUNDED);
		enum err_kind kind = read_payload(slice_of(cases[i].wire), "multipart/form-data; boundary=b", cases[i].m, MAX, &out);

		if (kind != (cases[i].payload ? ERR_NONE : ERR_BAD_REQUEST) ||
		    (cases[i].payload && !slice_eq_str(buf_slice(&out), cases[i].payload)))
			fail_msg("case %zu: kind %d: %s", i, kind, buf_str(&out));
		buf_release(&out);
	}
}

/* `data` of any size stays off the memory, and too much of it is known when it is read: core says so in its own way then. */
static void test_large_data(void **state)
{
	enum { SIZE = 1 << 20 };
	char *bytes = malloc(SIZE + 1);

	(void)state;
	for (size_t i = 0; i <= SIZE; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	for (unsigned variant = 0; variant < 4; variant++) {
		for (int more = 0; more < 2; more++) {
			struct slice data = { bytes, (size_t)(SIZE + more) };
			struct buf wire = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
			bool gzip = variant & 2;
			uint64_t max = gzip ? SIZE : SIZE - 100;
			enum err_kind kind;

			dialects[variant & 1](&wire, data, gzip, "k", "key", "s");
			kind = read_payload(buf_slice(&wire), types[variant & 1], &file_method, max, &out);
			assert_int_equal(kind, more ? ERR_TOO_BIG : ERR_NONE);
			if (!more)
				assert_true(slice_eq(buf_slice(&out), data));
			buf_release(&wire);
			buf_release(&out);
		}
	}
	free(bytes);
}

static void test_no_room(void **state)
{
	struct buf wire = BUF_INIT(BUF_UNBOUNDED), data = BUF_INIT(BUF_UNBOUNDED);
	struct mem_source from;
	struct form f;
	struct err e = ERR_INIT;

	(void)state;
	put_times(&data, "x", 100000);
	put_python(&wire, buf_slice(&data), false, "k", "key", "s");
	mem_source_init(&from, buf_slice(&wire));
	form_init(&f, "/tmp", UINT64_MAX / 2);
	assert_int_equal(form_read(&f, slice_of(types[1]), &from.source, MAX, &e), -1);
	assert_int_equal(e.kind, ERR_FULL);
	form_release(&f);
	/* A folder that is not there. */
	mem_source_init(&from, buf_slice(&wire));
	form_init(&f, "/no/such/folder", 0);
	assert_int_equal(form_read(&f, slice_of(types[1]), &from.source, MAX, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	form_release(&f);
	form_release(&(struct form){ .too_big = false });
	buf_release(&wire);
	buf_release(&data);
}

/* Between the boundary and the end of the body the client may leave. */
struct leaver {
	struct source source;
	struct slice rest;
};

static ssize_t leave(struct source *source, void *p, size_t n, struct err *e)
{
	struct leaver *l = (struct leaver *)source;
	size_t got = l->rest.len < n ? l->rest.len : n;

	if (got == 0)
		return err_set(e, ERR_BAD_REQUEST, "the client left");
	memcpy(p, l->rest.p, got);
	l->rest = SLICE("");
	return (ssize_t)got;
}

static void test_body_that_fails(void **state)
{
	struct leaver l = { { leave }, SLICE(PART("k") "K\r\n--b--\r\n") };
	struct form f;
	struct err e = ERR_INIT;

	(void)state;
	form_init(&f, "/tmp", 0);
	assert_int_equal(form_read(&f, SLICE("multipart/form-data; boundary=b"), &l.source, MAX, &e), -1);
	assert_string_equal(e.msg, "the client left");
	form_release(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured_bodies),
		cmocka_unit_test(test_what_is_taken),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_boundary_length),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_large_data),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_body_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
