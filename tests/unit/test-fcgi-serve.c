/*
 * fcgi/serve and fcgi/reply: a request from memory, a core that does as it is told, and what a client would read. Links no
 * core: everything of core/call.h is in here.
 */
#include "fcgi/serve.h"

#include <zstd.h>

#include "base/log.h"
#include "fcgi/reply.h"
#include "tests/unit/test.h"

/* --- a core --- */

static const struct method echo = { .name = "echo", .area = AREA_SYNC }, begin = { .name = "begin", .area = AREA_MSYNC };
static struct {
	/* what it is to do */
	enum err_kind fail;
	struct source *stream;
	uint64_t stream_bytes;
	/* what it saw */
	const char *method;
	int calls, stream_ends;
	int version;
	char key[64], session[64], client[64], address[64];
} core;

const struct method *method_find(enum call_area area, struct slice name)
{
	if (area == AREA_MSYNC)
		return slice_eq_str(name, "begin") ? &begin : NULL;
	return slice_eq_str(name, "echo") ? &echo : NULL;
}

const struct method *method_find_any(struct slice name)
{
	const struct method *m = method_find(AREA_SYNC, name);

	return m ? m : method_find(AREA_MSYNC, name);
}

static void on_stream_end(struct reply *r)
{
	(void)r;
	core.stream_ends++;
}

static void keep(char out[64], struct slice s)
{
	snprintf(out, 64, "%.*s", (int)s.len, s.len ? s.p : "");
}

uint64_t call_max_payload(const struct server *s, const struct method *m)
{
	(void)m;
	return (uint64_t)s->config->max_payload_megs * 3 << 20;
}

int call_run(struct server *s, const struct method *m, struct call *c, struct reply *r, struct err *e)
{
	(void)s;
	core.method = m->name;
	core.calls++;
	core.version = c->version;
	keep(core.key, c->key);
	keep(core.session, c->session_key);
	keep(core.client, c->client);
	keep(core.address, c->address);
	buf_init(&c->payload, BUF_UNBOUNDED);
	if (source_to_buf(c->body, &c->payload, e) != 0)
		return -1;
	if (core.fail != ERR_NONE)
		return err_set(e, core.fail, "as told");
	if (core.stream) {
		r->stream = core.stream;
		r->stream_bytes = core.stream_bytes;
		r->stream_end = on_stream_end;
		return 0;
	}
	return buf_append(&r->body, c->payload.data, c->payload.len, e);
}

uint64_t server_max_payload(const struct server *s)
{
	return (uint64_t)s->config->max_payload_megs * 3 << 20;
}

void reply_init(struct reply *r)
{
	*r = (struct reply){ .body = BUF_INIT(BUF_UNBOUNDED) };
}

void reply_release(struct reply *r)
{
	if (r->stream_end)
		r->stream_end(r);
	r->stream_end = NULL;
	buf_release(&r->body);
}

/* --- one exchange --- */

struct answer {
	struct served served;
	struct buf raw;
	const char *body;
	size_t body_len;
};

static const char v11[] = "{\"v\":11,\"k\":\"key\",\"c\":\"anki,x\",\"s\":\"sess\"}";

static void ask_request(struct answer *a, struct request rq, struct slice body)
{
	static struct config config = { .max_payload_megs = 1, .zstd_level = 3, .sync_base = (char *)"/tmp" };
	struct server server = { .config = &config };
	struct mem_source from;
	struct buf_sink to;
	char *end;

	rq.address = SLICE("192.0.2.1");
	buf_init(&a->raw, BUF_UNBOUNDED);
	mem_source_init(&from, body);
	buf_sink_init(&to, &a->raw);
	core.calls = core.stream_ends = 0;
	serve(&server, &rq, 0, NULL, &from.source, &to.sink, &a->served);
	if (!a->raw.data)
		return;
	end = strstr(a->raw.data, "\r\n\r\n");
	assert_non_null(end);
	end[2] = 0;
	a->body = end + 4;
	a->body_len = a->raw.len - (size_t)(a->body - a->raw.data);
}

static void ask(struct answer *a, const char *verb, const char *path, const char *header, struct slice body)
{
	ask_request(a, (struct request){ .verb = slice_of(verb), .path = slice_of(path), .anki_sync = slice_of(header ? header : ""),
					 .has_anki_sync = header != NULL }, body);
}

static void release(struct answer *a)
{
	buf_release(&a->raw);
}

static void check_line(const struct answer *a, const char *line)
{
	if (!strstr(a->raw.data, line))
		fail_msg("no \"%s\" in:\n%s", line, a->raw.data);
}

static void check_no_line(const struct answer *a, const char *line)
{
	if (strstr(a->raw.data, line))
		fail_msg("\"%s\" in:\n%s", line, a->raw.data);
}

static void pack(struct buf *b, struct slice s)
{
	struct err e;

	buf_init(b, BUF_UNBOUNDED);
	assert_int_equal(zstd_compress(s, b, 3, &e), 0);
}

static void unpack(const struct answer *a, struct buf *out)
{
	struct mem_source from;
	struct zstd_source z;
	struct err e = ERR_INIT;

	buf_init(out, BUF_UNBOUNDED);
	mem_source_init(&from, (struct slice){ a->body, a->body_len });
	zstd_source_init(&z, &from.source, 1 << 30);
	if (source_to_buf(&z.source, out, &e) != 0)
		fail_msg("%s", e.msg);
	zstd_source_release(&z);
}

static void test_v11_gets_zstd_and_size(void **state)
{
	static const size_t sizes[] = { 0, 4, 100000, 2500000 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct buf plain = BUF_INIT(BUF_UNBOUNDED), packed, back;
		struct answer a;
		char line[64];

		while (plain.len < sizes[i])
			buf_printf(&plain, "%zu,", plain.len);
		buf_truncate(&plain, sizes[i]);
		pack(&packed, buf_slice(&plain));
		ask(&a, "POST", "/sync/echo", v11, buf_slice(&packed));
		assert_int_equal(a.served.status, 200);
		check_line(&a, "Status: 200 OK\r\n");
		snprintf(line, sizeof line, "anki-original-size: %zu\r\n", sizes[i]);
		check_line(&a, line);
		snprintf(line, sizeof line, "Content-Length: %zu\r\n", a.body_len);
		if (sizes[i] < 1 << 20)
			check_line(&a, line);
		unpack(&a, &back);
		assert_true(slice_eq(buf_slice(&back), buf_slice(&plain)));
		release(&a);
		buf_release(&plain);
		buf_release(&packed);
		buf_release(&back);
	}
	assert_int_equal(core.version, 11);
	assert_string_equal(core.key, "key");
	assert_string_equal(core.session, "sess");
	assert_string_equal(core.client, "anki,x");
	assert_string_equal(core.address, "192.0.2.1");
}

static void test_older_versions_get_plain(void **state)
{
	struct buf packed;

	(void)state;
	pack(&packed, SLICE("hello"));
	for (int version = 8; version <= 10; version++) {
		struct answer a;
		char header[64];

		snprintf(header, sizeof header, "{\"v\":%d,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", version);
		ask(&a, "POST", "/sync/echo", header, buf_slice(&packed));
		check_line(&a, "Status: 200 OK\r\n");
		check_line(&a, "Content-Length: 5\r\n");
		check_no_line(&a, "anki-original-size");
		assert_string_equal(a.body, "hello");
		assert_int_equal(core.version, version);
		release(&a);
	}
	buf_release(&packed);
}

static void test_statuses(void **state)
{
	static const struct {
		enum err_kind kind;
		int status;
	} cases[] = {
		{ ERR_BAD_REQUEST, 400 }, { ERR_TOO_BIG, 413 }, { ERR_BAD_LOGIN, 403 }, { ERR_CONFLICT, 409 },
		{ ERR_NOT_FOUND, 404 }, { ERR_BAD_METHOD, 405 }, { ERR_VERSION, 501 }, { ERR_BUSY, 503 },
		{ ERR_REFUSED, 400 }, { ERR_DAMAGED, 500 }, { ERR_FULL, 507 }, { ERR_CUT_OFF, 503 }, { ERR_INTERNAL, 500 },
	};
	struct buf packed;

	(void)state;
	pack(&packed, SLICE("{}"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct answer a;
		char line[64];

		core.fail = cases[i].kind;
		ask(&a, "POST", "/sync/echo", v11, buf_slice(&packed));
		assert_int_equal(a.served.status, cases[i].status);
		snprintf(line, sizeof line, "Status: %d ", cases[i].status);
		check_line(&a, line);
		check_line(&a, "Content-Type: text/plain\r\n");
		check_line(&a, "Content-Length: 3\r\n");
		check_no_line(&a, "anki-original-size");
		snprintf(line, sizeof line, "%d", cases[i].status);
		assert_string_equal(a.body, line);
		assert_int_equal(a.served.cut_off, cases[i].kind == ERR_CUT_OFF);
		assert_false(a.served.broken);
		release(&a);
	}
	core.fail = ERR_NONE;
	buf_release(&packed);
}

static void test_requests_that_never_reach_core(void **state)
{
	static const struct {
		const char *verb, *path, *header;
		int status;
	} cases[] = {
		{ "POST", "/sync/echo", NULL, 400 },
		{ "POST", "/sync/echo", "", 400 },
		{ "POST", "/sync/echo", "{\"v\":11}", 400 },
		{ "POST", "/sync/echo", "{\"v\":12,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", 501 },
		{ "POST", "/sync/nope", v11, 400 },
		{ "POST", "/nope", v11, 404 },
		{ "GET", "/sync/echo", v11, 405 },
		{ "HEAD", "/sync/echo", NULL, 405 },
		{ "POST", "/", v11, 405 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct answer a;

		ask(&a, cases[i].verb, cases[i].path, cases[i].header, SLICE("x"));
		if (a.served.status != cases[i].status || core.calls != 0)
			fail_msg("%s %s %s: %d", cases[i].verb, cases[i].path, cases[i].header, a.served.status);
		if (cases[i].status == 405 && cases[i].path[1])
			check_line(&a, "allow: POST\r\n");
		assert_int_equal(a.body_len, strcmp(cases[i].verb, "HEAD") ? 3 : 0);
		release(&a);
	}
}

static void test_bodies_that_are_no_frame(void **state)
{
	struct buf packed, two = BUF_INIT(BUF_UNBOUNDED);
	struct answer a;

	(void)state;
	pack(&packed, SLICE("{\"a\":1,\"b\":[1,2,3]}"));
	ask(&a, "POST", "/sync/echo", v11, SLICE("{}"));
	assert_int_equal(a.served.status, 400);
	release(&a);
	ask(&a, "POST", "/sync/echo", v11, SLICE(""));
	assert_int_equal(a.served.status, 400);
	release(&a);
	ask(&a, "POST", "/sync/echo", v11, (struct slice){ packed.data, packed.len - 1 });
	assert_int_equal(a.served.status, 400);
	release(&a);
	/* what follows the frame does not matter */
	buf_put(&two, packed.data, packed.len);
	buf_put(&two, packed.data, packed.len);
	ask(&a, "POST", "/sync/echo", v11, buf_slice(&two));
	assert_int_equal(a.served.status, 200);
	check_line(&a, "anki-original-size: 19\r\n");
	release(&a);
	buf_release(&packed);
	buf_release(&two);
}

static void test_payload_has_a_limit(void **state)
{
	char *zeros = xcalloc(1, (3 << 20) + 1);
	struct buf packed;
	struct answer a;

	(void)state;
	for (int more = 0; more < 2; more++) {
		pack(&packed, (struct slice){ zeros, (size_t)(3 << 20) + (size_t)more });
		ask(&a, "POST", "/sync/echo", v11, buf_slice(&packed));
		assert_int_equal(a.served.status, more ? 413 : 200);
		release(&a);
		buf_release(&packed);
	}
	free(zeros);
}

static void test_pages(void **state)
{
	struct answer a;

	(void)state;
	ask(&a, "GET", "/anki/", NULL, SLICE(""));
	check_line(&a, "Status: 200 OK\r\n");
	check_line(&a, "Content-Type: text/html; charset=utf-8\r\n");
	assert_non_null(strstr(a.body, "It works"));
	release(&a);
	ask(&a, "HEAD", "/", NULL, SLICE(""));
	check_line(&a, "Status: 200 OK\r\n");
	assert_int_equal(a.body_len, 0);
	release(&a);
	ask(&a, "GET", "/health", NULL, SLICE(""));
	check_line(&a, "Content-Length: 0\r\n");
	release(&a);
}

/* --- forms --- */

#define PART(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
static const char a_form[] = PART("data") "hello\r\n" PART("k") "the key\r\n" PART("s") "the session\r\n--b--\r\n";

static void ask_form(struct answer *a, const char *path, const char *form)
{
	ask_request(a, (struct request){ .verb = SLICE("POST"), .path = slice_of(path), .agent = SLICE("an agent"),
					 .content_type = SLICE("multipart/form-data; boundary=b") }, slice_of(form));
}

static void test_forms(void **state)
{
	static const char *const paths[] = { "/sync/echo", "/echo", "/any//prefix/sync/echo" };
	struct answer a;

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		ask_form(&a, paths[i], a_form);
		check_line(&a, "Status: 200 OK\r\n");
		check_line(&a, "Content-Type: application/octet-stream\r\n");
		check_line(&a, "Content-Length: 5\r\n");
		check_no_line(&a, "anki-original-size");
		assert_string_equal(a.body, "hello");
		assert_int_equal(core.version, 10);
		assert_string_equal(core.key, "the key");
		assert_string_equal(core.session, "the session");
		assert_string_equal(core.client, "an agent");
		assert_string_equal(core.address, "192.0.2.1");
		release(&a);
	}
	/* Never reaches core: cut off, or no form at all. */
	ask_request(&a, (struct request){ .verb = SLICE("POST"), .path = SLICE("/sync/echo"),
					  .content_type = SLICE("multipart/form-data; boundary=b") },
		    (struct slice){ a_form, sizeof a_form - 6 });
	assert_int_equal(a.served.status, 400);
	assert_int_equal(core.calls, 0);
	release(&a);
}

static void test_begin_with_a_query(void **state)
{
	static const struct {
		const char *verb, *query;
		int status;
		const char *key, *payload;
	} cases[] = {
		{ "GET", "k=a.b&v=anki%2C2.1.56+%2807fd88dd%29%2Clinux", 200, "a.b", "{\"v\":\"anki,2.1.56 (07fd88dd),linux\"}" },
		{ "GET", "v=x&k=%61", 200, "a", "{\"v\":\"x\"}" },
		{ "GET", "k=a&v=", 200, "a", "{\"v\":\"\"}" },
		{ "GET", "k=a&v=%22%ff%", 200, "a", "{\"v\":\"\\\"\xEF\xBF\xBD%\"}" },
		{ "GET", "k=a", 200, "a", "{}" }, /* core says what is missing */
		{ "GET", "k=&v=x&other=1&&=", 200, "", "{\"v\":\"x\"}" },
		{ "GET", "v=x", 400 },
		{ "GET", "", 400 },
		{ "GET", "k=a&k=b", 400 },
		{ "HEAD", "k=a&v=x", 405 },
		{ "PUT", "k=a&v=x", 405 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct answer a;

		ask_request(&a, (struct request){ .verb = slice_of(cases[i].verb), .path = SLICE("/msync/begin"),
						  .query = slice_of(cases[i].query) }, SLICE(""));
		if (a.served.status != cases[i].status)
			fail_msg("%s: %d", cases[i].query, a.served.status);
		if (cases[i].status == 200) {
			assert_string_equal(core.method, "begin");
			assert_string_equal(core.key, cases[i].key);
			assert_string_equal(a.body, cases[i].payload);
		} else if (cases[i].status == 405) {
			check_line(&a, "allow: GET, POST\r\n");
		}
		release(&a);
	}
}

/* --- streams --- */

struct numbers {
	struct source source;
	uint64_t left, fails_at; /* fails when so many are left */
};

static ssize_t numbers_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct numbers *s = (struct numbers *)source;

	if (s->fails_at && s->left <= s->fails_at)
		return err_set(e, ERR_CUT_OFF, "the disk is gone");
	if (n > s->left)
		n = (size_t)s->left;
	if (n > 5000)
		n = 5000;
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = (unsigned char)((s->left - i) * 2654435761u >> 13);
	s->left -= n;
	return (ssize_t)n;
}

static void test_streams(void **state)
{
	static const struct {
		int version;
		uint64_t has, says, fails_at;
		bool broken;
	} cases[] = {
		{ 11, 3000000, 3000000 },
		{ 10, 3000000, 3000000 },
		{ 11, 0, 0 },
		{ 11, 3000000, 3000001, 0, true },
		{ 11, 3000000, 2999999, 0, true },
		{ 10, 3000000, 3000001, 0, true },
		{ 10, 3000000, 2999999, 0, true },
		{ 11, 3000000, 3000000, 1000000, true },
		{ 10, 3000000, 3000000, 1000000, true },
	};
	struct buf packed;

	(void)state;
	pack(&packed, SLICE("{}"));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct numbers numbers = { { numbers_read }, cases[i].has, cases[i].fails_at };
		char header[64], line[64];
		struct answer a;

		snprintf(header, sizeof header, "{\"v\":%d,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", cases[i].version);
		core.stream = &numbers.source;
		core.stream_bytes = cases[i].says;
		ask(&a, "POST", "/sync/echo", header, buf_slice(&packed));
		core.stream = NULL;
		assert_int_equal(core.stream_ends, 1);
		assert_int_equal(a.served.broken, cases[i].broken);
		assert_int_equal(a.served.cut_off, cases[i].fails_at != 0);
		snprintf(line, sizeof line, cases[i].version == 11 ? "anki-original-size: %llu\r\n" : "Content-Length: %llu\r\n",
			 (unsigned long long)cases[i].says);
		check_line(&a, line);
		if (cases[i].version == 10)
			assert_true(a.body_len <= cases[i].says);
		if (!cases[i].broken && cases[i].version == 11) {
			struct buf back;

			unpack(&a, &back);
			assert_int_equal(back.len, cases[i].has);
			buf_release(&back);
		}
		release(&a);
	}
	buf_release(&packed);
}

/* The header must fit 32 bits: better an error now than a riddle for the client. */
static void test_more_than_4_gib(void **state)
{
	struct numbers numbers = { { numbers_read }, 1, 0 };
	struct buf packed;
	struct answer a;

	(void)state;
	pack(&packed, SLICE("{}"));
	core.stream = &numbers.source;
	core.stream_bytes = (uint64_t)UINT32_MAX + 1;
	ask(&a, "POST", "/sync/echo", v11, buf_slice(&packed));
	core.stream = NULL;
	assert_int_equal(a.served.status, 413);
	assert_false(a.served.broken);
	release(&a);
	buf_release(&packed);
}

/* A web server that goes away takes nothing with it. */
struct closed_sink {
	struct sink sink;
	size_t left;
};

static int closed_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct closed_sink *s = (struct closed_sink *)sink;

	(void)p;
	if (n > s->left)
		return err_set(e, ERR_INTERNAL, "gone");
	s->left -= n;
	return 0;
}

static void test_reader_leaves(void **state)
{
	(void)state;
	for (size_t left = 0; left <= 100000; left += 50000) {
		struct numbers numbers = { { numbers_read }, 3000000, 0 };
		struct reply r = { .stream = &numbers.source, .stream_bytes = 3000000 };
		struct closed_sink to = { { closed_write }, left };
		struct err e = ERR_INIT;

		assert_int_equal(reply_send(&to.sink, &r, 11, 3, &e), REPLY_GONE);
		assert_int_equal(reply_send(&to.sink, &r, 10, 3, &e), REPLY_GONE);
	}
}

static void test_complaint_about_the_head(void **state)
{
	struct server server = { 0 };
	struct request rq = { .verb = SLICE("POST") };
	struct err complaint = { ERR_TOO_BIG, "path" };
	struct buf raw = BUF_INIT(BUF_UNBOUNDED);
	struct mem_source from;
	struct buf_sink to;
	struct served served;

	(void)state;
	mem_source_init(&from, SLICE(""));
	buf_sink_init(&to, &raw);
	serve(&server, &rq, -1, &complaint, &from.source, &to.sink, &served);
	assert_int_equal(served.status, 413);
	buf_release(&raw);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v11_gets_zstd_and_size),
		cmocka_unit_test(test_older_versions_get_plain),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_requests_that_never_reach_core),
		cmocka_unit_test(test_bodies_that_are_no_frame),
		cmocka_unit_test(test_payload_has_a_limit),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_begin_with_a_query),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_more_than_4_gib),
		cmocka_unit_test(test_reader_leaves),
		cmocka_unit_test(test_complaint_about_the_head),
	};
	struct err e;

	if (log_open("/dev/null", "text", LOG_LEVEL_DEBUG, &e) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
