/*
 * core/full_sync: what is kept, answered and left behind. This program is its own importing child. The functions of
 * core/call.c that it needs are replaced: logins are tested elsewhere.
 */
#include "core/full_sync.h"

#include "base/clock.h"
#include "base/log.h"
#include "storage/collection.h"
#include "storage/home.h"
#include "storage/importer.h"
#include "storage/session.h"
#include "tests/unit/files.h"

static uint64_t max_payload = 300 << 20;
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

struct fixture {
	struct config config;
	struct server server;
	struct home *home;
	bool rollback;
};

static struct fixture f;

static int setup(void **state)
{
	const struct homes_options options = { .base = files_path("base"), .kept_generations = 3, .workers = 4, .lock_ms = 1000,
					       .rollback_journal = f.rollback };
	struct err e = ERR_INIT;

	files_clear(state);
	f.config = (struct config){ .upload_seconds = 60 };
	f.server = (struct server){ .config = &f.config, .homes = homes_open(&options, &e) };
	if (!f.server.homes || homes_create(f.server.homes, &f.home, &e) != 0)
		fail_msg("%s", e.msg);
	max_payload = 300 << 20;
	key_is_gone = false;
	return 0;
}

static int setup_rollback(void **state)
{
	f.rollback = true;
	return setup(state);
}

static int teardown(void **state)
{
	(void)state;
	homes_close(f.server.homes);
	f = (struct fixture){ .rollback = false };
	return 0;
}

static int64_t generation(void)
{
	int64_t n = -1;
	struct err e = ERR_INIT;

	assert_int_equal(home_lock(f.home, &e), 0);
	assert_int_equal(home_generation(f.home, &n, &e), 0);
	home_unlock(f.home);
	return n;
}

/* No temporary file: every one has a name that begins so. */
static void expect_tidy(void)
{
	char command[600];

	snprintf(command, sizeof command, "test -z \"$(ls -A '%s' | grep -v '^col-\\|^lock$\\|^slot-\\|^user.db\\|^session$')\"",
		 home_path(f.home));
	if (system(command) != 0)
		fail_msg("something was left in %s", home_path(f.home));
}

/* Bytes, and then an error if `broken`. */
struct test_source {
	struct source source;
	struct slice rest;
	bool broken;
};

static ssize_t test_read(struct source *source, void *p, size_t n, struct err *e)
{
	struct test_source *s = (struct test_source *)source;

	if (s->rest.len == 0)
		return s->broken ? err_set(e, ERR_BAD_REQUEST, "truncated") : 0;
	if (n > s->rest.len)
		n = s->rest.len;
	memcpy(p, s->rest.p, n);
	s->rest.p += n;
	s->rest.len -= n;
	return (ssize_t)n;
}

static void read_file(const char *path, struct buf *b)
{
	FILE *file = fopen(path, "r");
	char piece[65536];
	size_t n;

	assert_non_null(file);
	while ((n = fread(piece, 1, sizeof piece, file)) > 0)
		buf_put(b, piece, n);
	fclose(file);
}

/* rc of the handler; the text of the answer in *answer. */
static int upload(struct slice bytes, bool broken, struct buf *answer, struct err *e)
{
	struct test_source body = { { test_read }, bytes, broken };
	struct call call = { .version = 11, .body = &body.source };
	struct reply reply = { .body = BUF_INIT(BUF_UNBOUNDED) };
	int rc = full_upload(&f.server, f.home, &call, &reply, e);

	home_unlock(f.home);
	buf_set(answer, reply.body.data, reply.body.len);
	buf_release(&reply.body);
	return rc;
}

static void upload_file(const char *path)
{
	struct buf bytes = BUF_INIT(BUF_UNBOUNDED), answer = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	read_file(path, &bytes);
	if (upload(buf_slice(&bytes), false, &answer, &e) != 0)
		fail_msg("%s", e.msg);
	assert_string_equal(buf_str(&answer), "OK");
	buf_release(&bytes);
	buf_release(&answer);
}

static void begin_download(int version, struct reply *reply)
{
	struct call call = { .version = version };
	struct err e = ERR_INIT;

	*reply = (struct reply){ .body = BUF_INIT(BUF_UNBOUNDED) };
	assert_int_equal(home_lock(f.home, &e), 0);
	if (full_download(&f.server, f.home, &call, reply, &e) != 0)
		fail_msg("%s", e.msg);
	home_unlock(f.home);
	assert_non_null(reply->stream);
}

static void end_download(struct reply *reply, const char *path)
{
	struct err e = ERR_INIT;
	char piece[10000];
	uint64_t sum = 0;
	ssize_t n;

	remove(path);
	while ((n = reply->stream->read(reply->stream, piece, sizeof piece, &e)) > 0) {
		files_write(path, sum, piece, (size_t)n);
		sum += (uint64_t)n;
	}
	if (n < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(sum, reply->stream_bytes);
	reply->stream_end(reply);
}

static void download(int version, const char *path)
{
	struct reply reply;

	begin_download(version, &reply);
	end_download(&reply, path);
}

static void set_mod(int64_t mod_ms)
{
	struct collection *c;
	struct col_row row;
	struct err e = ERR_INIT;

	assert_int_equal(home_lock(f.home, &e), 0);
	assert_int_equal(home_collection(f.home, &c, &e), 1);
	if (collection_begin(c, &e) != 0 || collection_col(c, &row, &e) != 0)
		fail_msg("%s", e.msg);
	row.mod_ms = mod_ms;
	if (collection_set_col(c, &row, &e) != 0 || collection_commit(c, &e) != 0)
		fail_msg("%s", e.msg);
	home_unlock(f.home);
}

static void test_there_and_back(void **state)
{
	const char *golden = files_golden("rich-18", "golden"), *got = files_path("got");
	struct buf bytes = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	upload_file(golden);
	assert_int_equal(generation(), 1);
	expect_tidy();
	download(11, got);
	files_same(got, golden, false);
	assert_string_equal(files_ask(got, "PRAGMA integrity_check"), "ok");
	read_file(got, &bytes);
	if (!f.rollback)
		assert_memory_equal(bytes.data + 18, "\2\2", 2);
	buf_release(&bytes);
	/* Neither usn nor mod moves, so nobody has to sync because of it. */
	download(11, got);
	files_same(got, golden, false);
	assert_int_equal(generation(), 1);
	upload_file(files_golden("old-18", "golden"));
	assert_int_equal(generation(), 2);
	download(11, got);
	assert_string_equal(files_ask(got, "SELECT count(*) FROM cards"), "3");
	expect_tidy();
}

static void test_old_client(void **state)
{
	const char *got = files_path("got"), *again = files_path("again");
	struct import_result r;
	struct err e = ERR_INIT;

	(void)state;
	upload_file(files_golden("rich-11", "golden"));
	download(10, got);
	assert_string_equal(files_ask(got, "SELECT ver FROM col"), "11");
	assert_string_equal(files_ask(got, "PRAGMA integrity_check"), "ok");
	assert_string_equal(files_ask(got, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY name)"),
			    "cards,col,graves,ix_cards_nid,ix_cards_sched,ix_cards_usn,ix_notes_csum,ix_notes_usn,ix_revlog_cid,"
			    "ix_revlog_usn,notes,revlog");
	assert_string_equal(files_ask(got, "SELECT group_concat(key) FROM col, json_each(decks) ORDER BY key"), "1,101,102,103,104");
	expect_tidy();
	/* The way back gives what a client's own upgrade gives. */
	if (import_run(got, again, 60, &r, &e) != 0)
		fail_msg("%s", e.msg);
	files_same(again, files_golden("rich-18b", "want"), true);
}

/* What an old client gets is what official makes of the same collection, and the collection on the server stays as it is. */
static void test_golden_downgrades(void **state)
{
	static const char *const pairs[][2] = { { "new-18", "new-11" }, { "rich-18", "rich-11" } };
	const char *got = files_path("got"), *after = files_path("after");

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct buf bytes = BUF_INIT(BUF_UNBOUNDED);

		upload_file(files_golden(pairs[i][0], "golden"));
		for (int version = 8; version <= 10; version++) {
			download(version, got);
			files_golden(pairs[i][1], "want");
			/* An upload gets rid of usn -1. */
			files_sql(files_path("want"),
				  "UPDATE col SET models = replace(models, '\"usn\":-1', '\"usn\":' || usn),"
				  " decks = replace(decks, '\"usn\":-1', '\"usn\":' || usn), dconf = replace(dconf, '\"usn\":-1', '\"usn\":' || usn),"
				  " tags = replace(tags, ':-1', ':' || usn);"
				  "UPDATE cards SET usn = (SELECT usn FROM col) WHERE usn = -1;"
				  "UPDATE notes SET usn = (SELECT usn FROM col) WHERE usn = -1;"
				  "UPDATE revlog SET usn = (SELECT usn FROM col) WHERE usn = -1;"
				  "UPDATE graves SET usn = (SELECT usn FROM col) WHERE usn = -1");
			files_same_11(got, files_path("want"));
		}
		read_file(got, &bytes);
		assert_memory_equal(bytes.data + 18, "\1\1", 2); /* rollback journal */
		buf_release(&bytes);
		download(11, after);
		files_same(after, files_path("golden"), false); /* for which -1 is the collection's usn */
		assert_int_equal(generation(), i + 1);
	}
	expect_tidy();
}

/* 18 -> 11 -> 18 loses nothing that schema 11 can hold: a second turn changes nothing at all. */
static void test_there_and_back_again(void **state)
{
	static const char *const files[] = { "new-18", "rich-18", "rich-18b", "old-18", "rich-11", "old-11" };
	const char *first = files_path("first"), *second = files_path("second"), *own = files_path("own"), *own_again = files_path("own-again");

	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		upload_file(files_golden(files[i], "golden"));
		download(10, first);
		upload_file(first);
		download(11, own);
		download(10, second);
		files_same_11(second, first);
		upload_file(second);
		download(11, own_again);
		files_same(own_again, own, false);
	}
}

static void test_nothing_yet(void **state)
{
	const char *got = files_path("got");

	(void)state;
	clock_freeze_ms(1700000000123);
	download(11, got);
	assert_string_equal(files_ask(got, "SELECT mod || ' ' || scm || ' ' || usn FROM col"), "0 1700000000123 0");
	assert_string_equal(files_ask(got, "SELECT group_concat(name) FROM decks"), "Default");
	download(10, got);
	assert_string_equal(files_ask(got, "SELECT ver || ' ' || mod FROM col"), "11 0");
	clock_freeze_ms(0);
	assert_int_equal(generation(), 1); /* the client goes on with what it got */
	expect_tidy();
}

static void test_refusals(void **state)
{
	struct buf good = BUF_INIT(BUF_UNBOUNDED), answer = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	(void)state;
	upload_file(files_golden("rich-18", "golden"));
	read_file(files_path("golden"), &good);
	assert_int_equal(upload(SLICE(""), false, &answer, &e), 0);
	assert_non_null(strstr(buf_str(&answer), "empty"));
	assert_int_equal(upload(SLICE("this is no collection"), false, &answer, &e), 0);
	assert_non_null(strstr(buf_str(&answer), "not an Anki collection"));
	assert_int_equal(upload((struct slice){ good.data, good.len - 4096 }, false, &answer, &e), 0);
	assert_non_null(strstr(buf_str(&answer), "damaged"));
	max_payload = good.len - 1;
	assert_int_equal(upload(buf_slice(&good), false, &answer, &e), 0);
	assert_non_null(strstr(buf_str(&answer), "MAX_SYNC_PAYLOAD_MEGS"));
	/* Broken off, without an answer: the client has gone. */
	max_payload = 300 << 20;
	assert_int_equal(upload(buf_slice(&good), true, &answer, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_REQUEST);
	assert_int_equal(answer.len, 0);
	/* The password was changed while the upload was on its way. */
	key_is_gone = true;
	assert_int_equal(upload(buf_slice(&good), false, &answer, &e), -1);
	assert_int_equal(e.kind, ERR_BAD_LOGIN);
	assert_int_equal(answer.len, 0);
	assert_int_equal(generation(), 1);
	expect_tidy();
	download(11, files_path("got"));
	files_same(files_path("got"), files_path("golden"), false);
	buf_release(&good);
	buf_release(&answer);
}

/* A download reads on while others commit; a second one meanwhile gets what they committed. */
static void test_commits_during_download(void **state)
{
	const char *golden = files_golden("rich-18", "golden"), *first = files_path("first"), *second = files_path("second");
	struct reply one, two;
	char uid[HOME_UID_CHARS + 1];

	(void)state;
	snprintf(uid, sizeof uid, "%s", home_uid(f.home));
	upload_file(golden);
	set_mod(1111);
	begin_download(11, &one);
	for (int i = 0; i < 3; i++) {
		set_mod(2222 + i);
		homes_rest(f.server.homes, 60000);
	}
	begin_download(11, &two);
	set_mod(3333);
	homes_rest(f.server.homes, 0); /* closes all cached handles */
	if (homes_get(f.server.homes, slice_of(uid), &f.home, NULL) != 1)
		fail_msg("home gone");
	set_mod(4444);
	end_download(&one, first);
	end_download(&two, second);
	assert_string_equal(files_ask(first, "SELECT mod FROM col"), "1111");
	assert_string_equal(files_ask(first, "PRAGMA integrity_check"), "ok");
	assert_string_equal(files_ask(second, "SELECT mod FROM col"), "2224");
	assert_string_equal(files_ask(second, "PRAGMA integrity_check"), "ok");
	download(11, first);
	assert_string_equal(files_ask(first, "SELECT mod FROM col"), "4444");
	expect_tidy();
}

/* The file under a download stays, whatever is uploaded. */
static void test_upload_during_download(void **state)
{
	const char *golden = files_golden("rich-18", "golden"), *got = files_path("got");
	struct reply reply;

	(void)state;
	upload_file(golden);
	begin_download(11, &reply);
	for (int i = 0; i < 5; i++)
		upload_file(files_golden("new-18", "new"));
	end_download(&reply, got);
	files_same(got, golden, false);
}

static void test_sessions_end(void **state)
{
	const struct session_stamp stamp = { 1, 12, 1, 1 };
	struct session s;
	struct err e = ERR_INIT;

	(void)state;
	upload_file(files_golden("rich-18", "golden"));
	for (int is_upload = 0; is_upload <= 1; is_upload++) {
		assert_int_equal(home_lock(f.home, &e), 0);
		assert_int_equal(session_load(f.home, &s, &e), 0);
		assert_int_equal(session_begin(f.home, &s, SLICE("abcde"), &stamp, 3, false, &e), 0);
		home_unlock(f.home);
		if (is_upload)
			upload_file(files_path("golden"));
		else
			download(11, files_path("got"));
		assert_int_equal(home_lock(f.home, &e), 0);
		assert_int_equal(session_load(f.home, &s, &e), 0);
		assert_int_equal(session_check(&s, SLICE("abcde"), &e), -1);
		assert_int_equal(e.kind, ERR_CONFLICT);
		home_unlock(f.home);
	}
}

static void test_missing_file(void **state)
{
	struct call call = { .version = 11 };
	struct reply reply = { .body = BUF_INIT(BUF_UNBOUNDED) };
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	(void)state;
	upload_file(files_golden("rich-18", "golden"));
	home_generation_path(f.home, 1, path);
	remove(path);
	assert_int_equal(home_lock(f.home, &e), 0);
	assert_int_equal(full_download(&f.server, f.home, &call, &reply, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	home_unlock(f.home);
	/* A full upload heals the account. */
	upload_file(files_path("golden"));
	assert_int_equal(generation(), 2);
	download(11, files_path("got"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_ROLLBACK(name) cmocka_unit_test_setup_teardown(name, setup_rollback, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_there_and_back),
		TEST_ROLLBACK(test_there_and_back),
		TEST(test_old_client),
		TEST_ROLLBACK(test_old_client),
		TEST(test_golden_downgrades),
		TEST_ROLLBACK(test_golden_downgrades),
		TEST(test_there_and_back_again),
		TEST(test_nothing_yet),
		TEST(test_refusals),
		TEST(test_commits_during_download),
		TEST_ROLLBACK(test_commits_during_download),
		TEST(test_upload_during_download),
		TEST(test_sessions_end),
		TEST(test_missing_file),
	};

	if (argc > 1 && strcmp(argv[1], IMPORTER_OPTION) == 0)
		return importer_main(argc, argv);
	log_open("stderr", "text", LOG_LEVEL_ERROR, NULL);
	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
