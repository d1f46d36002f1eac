/* The media methods from memory: what they answer, and what is there afterwards. Logins are tested elsewhere. */
#include "core/media_sync.h"

#include <sys/stat.h>

#include "base/digest.h"
#include "base/json.h"
#include "core/quota.h"
#include "storage/accounts.h"
#include "storage/home.h"
#include "storage/media.h"
#include "tests/unit/test.h"
#include "tests/unit/zips.h"

static uint64_t max_payload;
static bool key_is_gone;

uint64_t server_max_payload(const struct server *s)
{
	(void)s;
	return max_payload;
}

int call_key_again(struct server *s, struct home *h, struct call *c, struct err *e)
{
	(void)s;
	(void)h;
	(void)c;
	return key_is_gone ? err_set(e, ERR_BAD_LOGIN, "key gone") : 0;
}

struct place {
	char base[64];
	struct config config;
	struct server server;
	struct home *home;
	struct buf zip, answer;
	struct err e;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct homes_options o = { .base = p->base, .kept_generations = 3, .workers = 4, .lock_ms = 200 };
	struct account account = { .name = "somebody", .hash = "x" };

	snprintf(p->base, sizeof p->base, "/tmp/test-msync-XXXXXX");
	if (!mkdtemp(p->base))
		return -1;
	p->config = (struct config){ .media_file_megs = 1 };
	p->server = (struct server){ .config = &p->config, .homes = homes_open(&o, &p->e) };
	p->server.accounts = accounts_open(p->base, false, false, &p->e);
	if (!p->server.homes || !p->server.accounts || homes_create(p->server.homes, &p->home, &p->e) != 0)
		fail_msg("%s", p->e.msg);
	snprintf(account.uid, sizeof account.uid, "%s", home_uid(p->home));
	if (accounts_add(p->server.accounts, &account, &p->e) != 0)
		fail_msg("%s", p->e.msg);
	buf_init(&p->zip, BUF_UNBOUNDED);
	buf_init(&p->answer, BUF_UNBOUNDED);
	max_payload = 300 << 20;
	key_is_gone = false;
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	buf_release(&p->zip);
	buf_release(&p->answer);
	homes_close(p->server.homes);
	accounts_close(p->server.accounts);
	snprintf(command, sizeof command, "rm -rf '%s'", p->base);
	if (system(command) != 0)
		return -1;
	free(p);
	return 0;
}

/* A call as call_run makes it. The answer, also of a stream, in p->answer. */
static int ask(struct place *p, call_fn *fn, const char *payload)
{
	struct call c = { .version = 11, .key = SLICE("a\"key"), .payload = BUF_INIT(BUF_UNBOUNDED) };
	struct reply r = { .body = BUF_INIT(BUF_UNBOUNDED) };
	int rc;

	p->e = (struct err)ERR_INIT;
	buf_puts(&c.payload, payload);
	assert_int_equal(home_lock(p->home, &p->e), 0);
	rc = fn(&p->server, p->home, &c, &r, &p->e);
	home_unlock(p->home);
	buf_reset(&p->answer);
	if (r.stream) {
		assert_int_equal(source_to_buf(r.stream, &p->answer, &p->e), 0);
		assert_int_equal(p->answer.len, r.stream_bytes);
		r.stream_end(&r);
	} else {
		buf_set(&p->answer, r.body.data, r.body.len);
	}
	buf_release(&r.body);
	buf_release(&c.payload);
	return rc;
}

static void expect(struct place *p, call_fn *fn, const char *payload, const char *want)
{
	if (ask(p, fn, payload) != 0)
		fail_msg("%s: %s", payload, p->e.msg);
	assert_string_equal(buf_str(&p->answer), want);
}

static void refuse(struct place *p, call_fn *fn, const char *payload, enum err_kind kind)
{
	if (ask(p, fn, payload) == 0)
		fail_msg("%s: accepted: %s", payload, buf_str(&p->answer));
	if (p->e.kind != kind)
		fail_msg("%s: kind %d: %s", payload, p->e.kind, p->e.msg);
}

/* p->zip, ending after `len` bytes as a lost connection does if that is less than all. */
struct cut_source {
	struct source source;
	struct slice rest;
	bool cut;
};

static ssize_t cut_read(struct source *source, void *to, size_t n, struct err *e)
{
	struct cut_source *s = (struct cut_source *)source;

	if (s->rest.len == 0)
		return s->cut ? err_set(e, ERR_BAD_REQUEST, "truncated") : 0;
	n = n < s->rest.len ? n : s->rest.len;
	memcpy(to, s->rest.p, n);
	s->rest.p += n;
	s->rest.len -= n;
	return (ssize_t)n;
}

static int upload_cut(struct place *p, size_t len)
{
	struct cut_source body = { { cut_read }, { p->zip.data, len }, len < p->zip.len };
	struct call c = { .version = 11, .body = &body.source };
	struct reply r = { .body = BUF_INIT(BUF_UNBOUNDED) };
	int rc;

	p->e = (struct err)ERR_INIT;
	rc = media_upload(&p->server, p->home, &c, &r, &p->e);
	home_unlock(p->home);
	buf_set(&p->answer, r.body.data, r.body.len);
	buf_release(&r.body);
	return rc;
}

#define UPLOAD(p, ...) (ZIP_MAKE(&(p)->zip, __VA_ARGS__), upload_cut(p, (p)->zip.len))

static void expect_upload(struct place *p, int rc, const char *want)
{
	if (rc != 0)
		fail_msg("%s", p->e.msg);
	assert_string_equal(buf_str(&p->answer), want);
}

/* How many files lie in media/. */
static int stored(struct place *p)
{
	char command[PATH_MAX + 32];
	FILE *f;
	int n = -1;

	snprintf(command, sizeof command, "ls '%s/media' 2>/dev/null | wc -l", home_path(p->home));
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	pclose(f);
	return n;
}

static void test_begin(void **state)
{
	struct place *p = *state;

	expect(p, media_begin, "{\"v\":\"anki,26.09.3 (hash),linux\"}", "{\"data\":{\"usn\":0,\"sk\":\"a\\\"key\"},\"err\":\"\"}");
	refuse(p, media_begin, "{}", ERR_BAD_REQUEST);
	refuse(p, media_begin, "{\"v\":\"\"}", ERR_BAD_REQUEST);
	refuse(p, media_begin, "{\"v\":7}", ERR_BAD_REQUEST);
	refuse(p, media_begin, "x", ERR_BAD_REQUEST);
	expect_upload(p, UPLOAD(p, { "0", "x" }, { "_meta", "[[\"a\",\"0\"]]" }), "{\"data\":[1,1],\"err\":\"\"}");
	expect(p, media_begin, "{\"v\":\"x\"}", "{\"data\":{\"usn\":1,\"sk\":\"a\\\"key\"},\"err\":\"\"}");
}

static void test_without_media(void **state)
{
	struct place *p = *state;

	expect(p, media_changes, "{\"lastUsn\":0}", "{\"data\":[],\"err\":\"\"}");
	expect(p, media_sanity, "{\"local\":0}", "{\"data\":\"OK\",\"err\":\"\"}");
	expect(p, media_sanity, "{\"local\":1}", "{\"data\":\"mediaSanity\",\"err\":\"\"}");
	refuse(p, media_download, "{\"files\":[\"a\"]}", ERR_CONFLICT);
	assert_int_equal(ask(p, media_download, "{\"files\":[]}"), 0);
	assert_int_equal(p->answer.len, 110); /* a zip with an empty _meta */
}

static void test_upload_and_changes(void **state)
{
	struct place *p = *state;

	expect_upload(p, UPLOAD(p, { "0", "1" }, { "1", "22" }, { "_meta", "[[\"a\",\"0\"],[\"b \\\"q\\\"\",\"1\"],[\"nobody\",null]]" }),
		      "{\"data\":[3,2],\"err\":\"\"}");
	/* The reply was lost: the same again. */
	expect_upload(p, upload_cut(p, p->zip.len), "{\"data\":[3,2],\"err\":\"\"}");
	expect_upload(p, UPLOAD(p, { "_meta", "[]" }), "{\"data\":[0,2],\"err\":\"\"}");
	expect(p, media_changes, "{\"lastUsn\":0}",
	       "{\"data\":[[\"a\",1,\"356a192b7913b04c54574d18c28d46e6395428ab\"],"
	       "[\"b \\\"q\\\"\",2,\"12c6fc06c99a462375eeb3f43dfd832b08ca9e17\"]],\"err\":\"\"}");
	expect_upload(p, UPLOAD(p, { "_meta", "[[\"a\",null]]" }), "{\"data\":[1,3],\"err\":\"\"}");
	expect(p, media_changes, "{\"lastUsn\":2}", "{\"data\":[[\"a\",3,\"\"]],\"err\":\"\"}");
	expect(p, media_changes, "{\"lastUsn\":3}", "{\"data\":[],\"err\":\"\"}");
	expect(p, media_changes, "{\"lastUsn\":99}", "{\"data\":[],\"err\":\"\"}");
	refuse(p, media_changes, "{}", ERR_BAD_REQUEST);
	refuse(p, media_changes, "{\"lastUsn\":1.5}", ERR_BAD_REQUEST);
	refuse(p, media_changes, "{\"lastUsn\":\"1\"}", ERR_BAD_REQUEST);
	refuse(p, media_changes, "{\"lastUsn\":2147483648}", ERR_BAD_REQUEST);
	expect(p, media_sanity, "{\"local\":1}", "{\"data\":\"OK\",\"err\":\"\"}");
	refuse(p, media_sanity, "{\"local\":-1}", ERR_BAD_REQUEST);
	refuse(p, media_sanity, "{}", ERR_BAD_REQUEST);
}

static void test_long_list(void **state)
{
	struct place *p = *state;
	struct zip_part parts[26];
	struct buf meta = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *o, *data;
	char names[25][16], text[32];
	int64_t usn = 0, seen = 0;
	size_t n;

	for (int zip = 0; zip < 42; zip++) {
		buf_reset(&meta);
		for (int i = 0; i < 25; i++) {
			snprintf(names[i], sizeof names[i], "%d", i);
			parts[i] = (struct zip_part){ names[i], names[i] };
			buf_printf(&meta, "%s[\"f%d\",\"%d\"]", i ? "," : "[", zip * 25 + i, i);
		}
		buf_puts(&meta, "]");
		parts[25] = (struct zip_part){ "_meta", buf_str(&meta) };
		zip_make(&p->zip, parts, 26);
		assert_int_equal(upload_cut(p, p->zip.len), 0);
	}
	buf_release(&meta);
	assert_int_equal(stored(p), 25);
	do {
		snprintf(text, sizeof text, "{\"lastUsn\":%lld}", (long long)usn);
		assert_int_equal(ask(p, media_changes, text), 0);
		assert_int_equal(json_parse_object(buf_slice(&p->answer), &JSON_LIMITS_PAYLOAD, &o, &p->e), 0);
		assert_int_equal(json_need_array(o, "data", &data, &n, &p->e), 0);
		assert_true(n <= 1000);
		for (size_t i = 0; i < n; i++, seen++) {
			assert_true(json_is_int(json_at(json_at(data, i), 1), usn + 1, usn + 1, &usn));
		}
		json_object_put(o);
	} while (n);
	assert_int_equal(seen, 1050);
}

static void test_bad_uploads_change_nothing(void **state)
{
	struct place *p = *state;
	size_t whole;

	expect_upload(p, UPLOAD(p, { "0", "1" }, { "_meta", "[[\"a\",\"0\"]]" }), "{\"data\":[1,1],\"err\":\"\"}");
	assert_int_equal(UPLOAD(p, { "0", "2" }, { "1", "3" }, { "_meta", "[[\"a\",\"0\"],[\"../b\",\"1\"]]" }), -1);
	assert_int_equal(p->e.kind, ERR_BAD_REQUEST);
	ZIP_MAKE(&p->zip, { "0", "2" }, { "_meta", "[[\"a\",\"0\"]]" });
	whole = p->zip.len;
	for (size_t n = 0; n < whole; n++) {
		assert_int_equal(upload_cut(p, n), -1);
		assert_int_equal(p->e.kind, ERR_BAD_REQUEST);
	}
	key_is_gone = true;
	assert_int_equal(upload_cut(p, whole), -1);
	assert_int_equal(p->e.kind, ERR_BAD_LOGIN);
	key_is_gone = false;
	max_payload = whole - 1;
	assert_int_equal(upload_cut(p, whole), -1);
	assert_int_equal(p->e.kind, ERR_TOO_BIG);
	max_payload = whole;
	assert_int_equal(stored(p), 1);
	expect(p, media_changes, "{\"lastUsn\":1}", "{\"data\":[],\"err\":\"\"}");
	expect_upload(p, upload_cut(p, whole), "{\"data\":[1,2],\"err\":\"\"}");
}

static void set_limit(struct place *p, int64_t bytes)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof command, "python3 -c \"import sqlite3; c = sqlite3.connect('%s/accounts.db');"
		 " c.execute('update account set limit_bytes = %lld'); c.commit()\"", p->base, (long long)bytes);
	assert_int_equal(system(command), 0);
}

static void expect_notice(struct place *p, const char *want)
{
	struct buf html = BUF_INIT(BUF_UNBOUNDED);

	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(quota_notice(&p->server, p->home, &html, &p->e), 0);
	home_unlock(p->home);
	assert_string_equal(buf_str(&html), want);
	buf_release(&html);
}

static void test_quota(void **state)
{
	struct place *p = *state;
	char data[1001];

	memset(data, 'x', 1000);
	data[1000] = 0;
	set_limit(p, 2000);
	expect_notice(p, "");
	expect_upload(p, UPLOAD(p, { "0", data }, { "_meta", "[[\"a\",\"0\"]]" }), "{\"data\":[1,1],\"err\":\"\"}");
	expect_notice(p, "");
	expect_upload(p, UPLOAD(p, { "0", data }, { "1", "y" }, { "_meta", "[[\"b\",\"0\"],[\"c\",\"1\"]]" }),
		      "{\"data\":null,\"err\":\"These media files do not fit: your account on this server may hold 2.0 kB, and would"
		      " hold 2.0 kB. Delete some that you do not need (Tools, Check Media), or ask its administrator.\"}");
	assert_int_equal(stored(p), 1);
	expect(p, media_changes, "{\"lastUsn\":1}", "{\"data\":[],\"err\":\"\"}");
	expect_upload(p, UPLOAD(p, { "0", data, .len = 800 }, { "_meta", "[[\"b\",\"0\"]]" }), "{\"data\":[1,2],\"err\":\"\"}");
	expect_notice(p, "Your account on this server is nearly full: it holds 1.8 kB of 2.0 kB.");
	/* The limit became smaller. What makes room is still taken. */
	set_limit(p, 500);
	expect_notice(p, "Your account on this server is full: it holds 1.8 kB of 0.5 kB. New media files are not accepted.");
	expect_upload(p, UPLOAD(p, { "0", "z" }, { "_meta", "[[\"b\",\"0\"]]" }), "{\"data\":[1,3],\"err\":\"\"}");
	expect_upload(p, UPLOAD(p, { "_meta", "[[\"a\",null]]" }), "{\"data\":[1,4],\"err\":\"\"}");
	expect_notice(p, "");
	set_limit(p, 0);
	expect_notice(p, "");
}

static void test_disk_is_full(void **state)
{
	struct place *p = *state;

	p->config.keep_free_megs = 1000000000;
	expect_upload(p, UPLOAD(p, { "0", "x" }, { "_meta", "[[\"a\",\"0\"]]" }),
		      "{\"data\":null,\"err\":\"The disk of the sync server is full. Please tell its administrator."
		      " Your files are still on this device.\"}");
	assert_int_equal(stored(p), 0);
	p->config.keep_free_megs = 0;
	expect_upload(p, upload_cut(p, p->zip.len), "{\"data\":[1,1],\"err\":\"\"}");
}

static bool holds(struct place *p, const char *text)
{
	return memmem(p->answer.data, p->answer.len, text, strlen(text)) != NULL;
}

static void lose(struct place *p, const char *data)
{
	char command[PATH_MAX + 64], hex[2 * SHA1_BYTES + 1];
	uint8_t digest[SHA1_BYTES];

	sha1(slice_of(data), digest);
	hex_of(digest, SHA1_BYTES, hex);
	snprintf(command, sizeof command, "rm '%s/media/%s'", home_path(p->home), hex);
	assert_int_equal(system(command), 0);
}

static void test_download(void **state)
{
	struct place *p = *state;

	expect_upload(p, UPLOAD(p, { "0", "first" }, { "1", "second" }, { "2", "third" },
				{ "_meta", "[[\"a\",\"0\"],[\"b\",\"1\"],[\"c\",\"2\"],[\"d\",\"2\"]]" }),
		      "{\"data\":[4,4],\"err\":\"\"}");
	UPLOAD(p, { "_meta", "[[\"d\",null]]" });
	assert_int_equal(ask(p, media_download, "{\"files\":[\"b\",\"a\",\"b\"]}"), 0);
	assert_true(holds(p, "{\"0\":\"b\",\"1\":\"a\",\"2\":\"b\"}"));
	assert_true(holds(p, "first") && holds(p, "second") && !holds(p, "third"));
	refuse(p, media_download, "{\"files\":[\"a\",\"never\"]}", ERR_CONFLICT);
	refuse(p, media_download, "{\"files\":[\"d\"]}", ERR_CONFLICT);
	refuse(p, media_download, "{\"files\":[\"A\"]}", ERR_CONFLICT);
	refuse(p, media_download, "{\"files\":[\"a\",7]}", ERR_BAD_REQUEST);
	refuse(p, media_download, "{\"files\":\"a\"}", ERR_BAD_REQUEST);
	refuse(p, media_download, "{}", ERR_BAD_REQUEST);
	refuse(p, media_download, "{\"files\":[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\","
		"\"15\",\"16\",\"17\",\"18\",\"19\",\"20\",\"21\",\"22\",\"23\",\"24\",\"25\"]}", ERR_BAD_REQUEST);
}

static void test_lost_file(void **state)
{
	struct place *p = *state;

	UPLOAD(p, { "0", "first" }, { "1", "second" }, { "2", "third" }, { "_meta", "[[\"a\",\"0\"],[\"b\",\"1\"],[\"c\",\"2\"]]" });
	lose(p, "first");
	lose(p, "third");
	refuse(p, media_download, "{\"files\":[\"a\",\"b\",\"c\"]}", ERR_CONFLICT);
	/* Forgotten, without a usn and without a deletion; whoever has them finds that the counts differ. */
	expect(p, media_begin, "{\"v\":\"x\"}", "{\"data\":{\"usn\":3,\"sk\":\"a\\\"key\"},\"err\":\"\"}");
	expect(p, media_changes, "{\"lastUsn\":0}",
	       "{\"data\":[[\"b\",2,\"352f7829a2384b001cc12b0c2613c756454a1f6a\"]],\"err\":\"\"}");
	expect(p, media_sanity, "{\"local\":3}", "{\"data\":\"mediaSanity\",\"err\":\"\"}");
	assert_int_equal(ask(p, media_download, "{\"files\":[\"b\"]}"), 0);
	expect_upload(p, UPLOAD(p, { "0", "first" }, { "_meta", "[[\"a\",\"0\"]]" }), "{\"data\":[1,4],\"err\":\"\"}");
	assert_int_equal(ask(p, media_download, "{\"files\":[\"a\"]}"), 0);
}

static void test_download_limit(void **state)
{
	struct place *p = *state;
	char *data = malloc(1000000);

	for (int i = 0; i < 4; i++) {
		char meta[32];

		memset(data, 'a' + i, 1000000);
		snprintf(meta, sizeof meta, "[[\"f%d\",\"0\"]]", i);
		assert_int_equal(UPLOAD(p, { "0", data, .len = 1000000 }, { "_meta", meta }), 0);
	}
	/* The third passes 2.5 MiB: it is the last one. */
	assert_int_equal(ask(p, media_download, "{\"files\":[\"f0\",\"f1\",\"f2\",\"f3\"]}"), 0);
	assert_true(holds(p, "{\"0\":\"f0\",\"1\":\"f1\",\"2\":\"f2\"}"));
	assert_true(p->answer.len > 3000000 && p->answer.len < 3001000);
	free(data);
}

static void test_download_outlives_the_file(void **state)
{
	struct place *p = *state;
	struct call c = { .version = 11, .payload = BUF_INIT(BUF_UNBOUNDED) };
	struct reply r = { .body = BUF_INIT(BUF_UNBOUNDED) };

	UPLOAD(p, { "0", "first" }, { "_meta", "[[\"a\",\"0\"]]" });
	buf_puts(&c.payload, "{\"files\":[\"a\"]}");
	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(media_download(&p->server, p->home, &c, &r, &p->e), 0);
	home_unlock(p->home);
	UPLOAD(p, { "_meta", "[[\"a\",null]]" });
	lose(p, "first");
	assert_int_equal(source_to_buf(r.stream, &p->answer, &p->e), 0);
	assert_true(holds(p, "first"));
	r.stream_end(&r);
	buf_release(&c.payload);
}

static void test_short_and_long(void **state)
{
	struct place *p = *state;
	char large[3000], want[3100];

	memset(large, 'l', sizeof large - 1);
	large[sizeof large - 1] = 0;
	media_assume_short(MEDIA_SHORT_BYTES);
	UPLOAD(p, { "0", "first" }, { "1", large }, { "2", "third" }, { "_meta", "[[\"a\",\"0\"],[\"b\",\"1\"],[\"c\",\"2\"]]" });
	assert_int_equal(stored(p), 1);
	assert_int_equal(ask(p, media_download, "{\"files\":[\"c\",\"b\",\"a\"]}"), 0);
	media_assume_short(0);
	assert_true(holds(p, "{\"0\":\"c\",\"1\":\"b\",\"2\":\"a\"}"));
	/* Each right behind the header of its member. */
	snprintf(want, sizeof want, "1%s", large);
	assert_true(holds(p, "0third") && holds(p, want) && holds(p, "2first"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_begin),
		CASE(test_without_media),
		CASE(test_upload_and_changes),
		CASE(test_long_list),
		CASE(test_bad_uploads_change_nothing),
		CASE(test_quota),
		CASE(test_disk_is_full),
		CASE(test_download),
		CASE(test_lost_file),
		CASE(test_download_limit),
		CASE(test_download_outlives_the_file),
		CASE(test_short_and_long),
	};

	media_assume_short(0); /* few bytes make a file, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
