/* fcgi/: parameters, the header anki-sync, and where a path leads. */
#include "fcgi/header.h"
#include "fcgi/page.h"
#include "fcgi/request.h"
#include "fcgi/route.h"
#include "tests/unit/test.h"

/* --- a core with some methods --- */

static const struct method methods[] = {
	{ "hostKey", AREA_SYNC }, { "meta", AREA_SYNC }, { "start", AREA_SYNC }, { "begin", AREA_MSYNC }, { "mediaChanges", AREA_MSYNC },
};

enum { METHODS = sizeof methods / sizeof *methods };

const struct method *method_find(enum call_area area, struct slice name)
{
	for (size_t i = 0; i < METHODS; i++) {
		if (methods[i].area == area && slice_eq_str(name, methods[i].name))
			return &methods[i];
	}
	return NULL;
}

const struct method *method_find_any(struct slice name)
{
	const struct method *m = method_find(AREA_SYNC, name);

	return m ? m : method_find(AREA_MSYNC, name);
}

/* --- parameters --- */

static void test_path_comes_from_any_server(void **state)
{
	static const struct {
		const char *params[4];
		const char *path;
	} cases[] = {
		{ { "SCRIPT_NAME=/sync/meta" }, "/sync/meta" },
		{ { "SCRIPT_NAME=/sync", "PATH_INFO=/meta", "REQUEST_URI=/else" }, "/sync/meta" },
		{ { "SCRIPT_NAME=", "PATH_INFO=/sync/meta" }, "/sync/meta" },
		{ { "REQUEST_URI=/sync/meta?a=/b" }, "/sync/meta" },
		{ { "SCRIPT_NAME=", "PATH_INFO=", "REQUEST_URI=/msync/begin?k=1" }, "/msync/begin" },
		{ { "REQUEST_URI=?" }, "" },
		{ { NULL }, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request rq;
		struct err e = ERR_INIT;
		char *params[4];

		for (size_t k = 0; k < 4; k++)
			params[k] = (char *)(uintptr_t)cases[i].params[k];
		assert_int_equal(request_parse(&rq, params, &e), 0);
		if (!slice_eq_str(rq.path, cases[i].path))
			fail_msg("case %zu: %.*s", i, (int)rq.path.len, rq.path.p);
	}
}

static void test_params(void **state)
{
	char all[][64] = { "REQUEST_METHOD=POST", "REMOTE_ADDR=::1", "HTTP_ANKI_SYNC=", "CONTENT_LENGTH=0012",
			   "HTTP_HOST=h:1", "QUERY_STRING=a=b", "CONTENT_TYPE=x/y", "REQUEST_SCHEME=https" };
	char *params[9] = { all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7] };
	char *none[1] = { NULL };
	struct request rq;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(request_parse(&rq, params, &e), 0);
	assert_true(slice_eq_str(rq.verb, "POST"));
	assert_true(slice_eq_str(rq.address, "::1"));
	assert_true(slice_eq_str(rq.host, "h:1"));
	assert_true(slice_eq_str(rq.query, "a=b"));
	assert_true(slice_eq_str(rq.content_type, "x/y"));
	assert_true(rq.has_anki_sync);
	assert_true(rq.https);
	assert_true(rq.has_length);
	assert_int_equal(rq.length, 12);
	assert_int_equal(request_parse(&rq, none, &e), 0);
	assert_false(rq.has_anki_sync);
	assert_false(rq.has_length);
	assert_false(rq.https);
	snprintf(all[3], sizeof all[3], "CONTENT_LENGTH=");
	assert_int_equal(request_parse(&rq, params, &e), 0);
	assert_false(rq.has_length);
}

static void test_params_that_are_refused(void **state)
{
	static const struct {
		const char *name, *value;
		size_t n; /* of the value, repeated; 0: as it is */
		enum err_kind kind;
	} cases[] = {
		{ "CONTENT_LENGTH", "-1", 0, ERR_BAD_REQUEST },
		{ "CONTENT_LENGTH", "1x", 0, ERR_BAD_REQUEST },
		{ "CONTENT_LENGTH", "9", 20, ERR_TOO_BIG },
		{ "SCRIPT_NAME", "/", REQUEST_PATH_MAX + 1, ERR_TOO_BIG },
		{ "REQUEST_URI", "/", REQUEST_PATH_MAX + 1, ERR_TOO_BIG },
		{ "REQUEST_METHOD", "X", 100, ERR_TOO_BIG },
		{ "REMOTE_ADDR", "1", 5000, ERR_TOO_BIG },
		{ "HTTP_ANKI_SYNC", "{", REQUEST_HEADER_MAX + 1, ERR_TOO_BIG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = BUF_INIT(BUF_UNBOUNDED);
		struct request rq;
		struct err e = ERR_INIT;
		char *params[2] = { NULL };

		buf_printf(&b, "%s=", cases[i].name);
		for (size_t n = 0; n < (cases[i].n ? cases[i].n : 1); n++)
			buf_puts(&b, cases[i].value);
		params[0] = b.data;
		if (request_parse(&rq, params, &e) == 0)
			fail_msg("accepted: %.60s", b.data);
		assert_int_equal(e.kind, cases[i].kind);
		buf_release(&b);
	}
}

/* --- the header --- */

static void test_header(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} cases[] = {
		{ "{\"v\":11,\"k\":\"a.b\",\"c\":\"anki\",\"s\":\"oO5ih\"}", ERR_NONE },
		{ "{\"v\":8,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_NONE },
		{ " {\"x\":[{}],\"s\":\"\",\"c\":\"\",\"k\":\"\",\"v\":10} ", ERR_NONE },
		{ "", ERR_BAD_REQUEST },
		{ "null", ERR_BAD_REQUEST },
		{ "[11]", ERR_BAD_REQUEST },
		{ "x", ERR_BAD_REQUEST },
		{ "{\"v\":11,\"k\":\"\",\"c\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":11,\"k\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":11,\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":11,\"k\":null,\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":11,\"k\":\"\",\"c\":1,\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":\"11\",\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":11.0,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":true,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":7,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":0,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":-1,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":256,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_BAD_REQUEST },
		{ "{\"v\":12,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_VERSION },
		{ "{\"v\":255,\"k\":\"\",\"c\":\"\",\"s\":\"\"}", ERR_VERSION },
		{ "{\"v\":12,\"new\":\"shape\"}", ERR_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sync_header h;
		struct err e = ERR_INIT;

		if (sync_header_parse(slice_of(cases[i].text), &h, &e) != (cases[i].kind ? -1 : 0) || e.kind != cases[i].kind)
			fail_msg("%s: kind %d, %s", cases[i].text, e.kind, e.msg);
		if (i == 0) {
			assert_int_equal(h.version, 11);
			assert_true(slice_eq_str(h.key, "a.b"));
			assert_true(slice_eq_str(h.client, "anki"));
			assert_true(slice_eq_str(h.session, "oO5ih"));
		}
		sync_header_release(&h);
		sync_header_release(&h);
	}
}

/* --- paths --- */

static void test_routes(void **state)
{
	static const struct {
		const char *verb, *path, *method; /* or "page", "health", NULL */
		enum err_kind kind;
	} cases[] = {
		{ "POST", "/sync/meta", "meta" },
		{ "POST", "/anki/sync/meta", "meta" },
		{ "POST", "//sync/meta", "meta" },
		{ "POST", "/sync//meta", "meta" },
		{ "POST", "/sync/sync/meta", "meta" },
		{ "POST", "/anki/sync/sync/meta", "meta" },
		{ "POST", "/msync/sync/meta", "meta" },
		{ "POST", "/sync/msync/begin", "begin" },
		{ "POST", "/meta", "meta" },
		{ "POST", "/anki/hostKey", "hostKey" },
		{ "POST", "/begin", "begin" },
		{ "POST", "meta", "meta" },
		{ "POST", "/msync/begin", "begin" },
		{ "POST", "/msync/mediaChanges", "mediaChanges" },
		/* under sync and msync only their own, and case matters */
		{ "POST", "/msync/meta", NULL, ERR_BAD_REQUEST },
		{ "POST", "/sync/begin", NULL, ERR_BAD_REQUEST },
		{ "POST", "/sync/nope", NULL, ERR_BAD_REQUEST },
		{ "POST", "/sync/Meta", NULL, ERR_BAD_REQUEST },
		{ "POST", "/msync/nope", NULL, ERR_BAD_REQUEST },
		{ "GET", "/sync/nope", NULL, ERR_BAD_REQUEST },
		{ "POST", "/Sync/nope", NULL, ERR_NOT_FOUND },
		{ "POST", "/async/nope", NULL, ERR_NOT_FOUND },
		{ "POST", "/nope", NULL, ERR_NOT_FOUND },
		{ "POST", "/sync", NULL, ERR_NOT_FOUND },
		{ "GET", "/sync/", NULL, ERR_NOT_FOUND },
		{ "GET", "/msync/", NULL, ERR_NOT_FOUND },
		{ "POST", "/sync/meta/", NULL, ERR_NOT_FOUND },
		{ "POST", "/meta/", NULL, ERR_NOT_FOUND },
		{ "GET", "/favicon.ico", NULL, ERR_NOT_FOUND },
		{ "GET", "/sync/meta", NULL, ERR_BAD_METHOD },
		{ "HEAD", "/sync/meta", NULL, ERR_BAD_METHOD },
		{ "PUT", "/meta", NULL, ERR_BAD_METHOD },
		{ "post", "/sync/meta", NULL, ERR_BAD_METHOD },
		{ "", "/sync/meta", NULL, ERR_BAD_METHOD },
		{ "GET", "", "page" },
		{ "GET", "/", "page" },
		{ "GET", "//", "page" },
		{ "HEAD", "/anki/", "page" },
		{ "POST", "/", NULL, ERR_BAD_METHOD },
		{ "GET", "/health", "health" },
		{ "HEAD", "/anki/health", "health" },
		{ "POST", "/health", NULL, ERR_BAD_METHOD },
		{ "GET", "/sync/health", NULL, ERR_BAD_REQUEST },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct route r;
		struct err e = ERR_INIT;
		int rc = route_find(slice_of(cases[i].verb), slice_of(cases[i].path), &r, &e);
		const char *got = rc != 0 ? NULL : r.kind == ROUTE_PAGE ? "page" : r.kind == ROUTE_HEALTH ? "health" : r.method->name;

		if (e.kind != cases[i].kind || (got != NULL) != (cases[i].method != NULL) ||
		    (got && strcmp(got, cases[i].method) != 0))
			fail_msg("%s %s: %s, kind %d", cases[i].verb, cases[i].path, got ? got : "-", e.kind);
		if (e.kind == ERR_BAD_METHOD)
			assert_string_equal(r.allow, strstr(cases[i].path, "meta") ? "POST" : "GET, HEAD");
	}
}

/* --- the page --- */

static void test_page(void **state)
{
	static const struct {
		const char *host, *path;
		bool https;
		const char *has, *has_not;
	} cases[] = {
		{ "example.org:8080", "//anki/", false, "<code>http://example.org:8080/anki/</code>", "//anki" },
		{ "example.org", "/", true, "<code>https://example.org/</code>", "not encrypted" },
		{ "[::1]:80", "", false, "<code>http://[::1]:80/msync/</code>", NULL },
		{ "a<script>", "/", false, "(the address of this page)", "<script" },
		{ "", "/", false, "(the address of this page)", NULL },
		{ "h", "/<b>\"'&\xff/", false, "http://h/&lt;b&gt;&quot;&#39;&amp;\xef\xbf\xbd/", "<b>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = BUF_INIT(BUF_UNBOUNDED);
		struct request rq = { .host = slice_of(cases[i].host), .path = slice_of(cases[i].path), .https = cases[i].https };

		page_print(&b, &rq);
		if (!strstr(b.data, cases[i].has) || (cases[i].has_not && strstr(b.data, cases[i].has_not)))
			fail_msg("%s %s:\n%s", cases[i].host, cases[i].path, b.data);
		buf_release(&b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_comes_from_any_server),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_params_that_are_refused),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
