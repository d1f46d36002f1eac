/*
 * What clients before v11 send and expect beyond what v11 does (protocol.md §6), in a sync from memory. How their requests are
 * framed is tested in test-fcgi-form.c; real ones are in tests/old-clients.
 */
#include "storage/settings.h"
#include "tests/unit/place.h"

static int old_setup(void **state)
{
	struct place *p;

	place_setup(state);
	p = *state;
	p->version = 10;
	return 0;
}

static void finish(struct place *p)
{
	if (!place_call(p, "k", "finish", "{}"))
		fail_msg("finish: kind %d", p->kind);
}

/* One card 5, one note 4 and their note type 9, put there by a sync at usn 1. */
#define NOTETYPE(id, mod) \
	"{\"id\":" id ",\"name\":\"N\",\"type\":0,\"mod\":" mod ",\"usn\":1,\"sortf\":0,\"did\":null,\"tmpls\":[]," \
	"\"flds\":[{\"name\":\"F\",\"sticky\":false,\"rtl\":false,\"font\":\"A\",\"size\":20}],\"css\":\"\"}"
#define CARD "[5,4,1,0,1700000000,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]"
#define NOTE "[4,\"guid\",9,1700000000,0,\"\",\"field\",\"\",\"\",0,\"\"]"

static void begin_with_a_card(struct place *p)
{
	place_begin_account(p);
	place_start_sync(p, "k", 1);
	assert_non_null(place_call(p, "k", "applyChanges",
				   "{\"changes\":{\"models\":[" NOTETYPE("9", "1") "],\"decks\":[[],[]],\"tags\":[]}}"));
	place_must(p, "k", "applyChunk", "{\"chunk\":{\"done\":true,\"cards\":[" CARD "],\"notes\":[" NOTE "]}}", "null");
	finish(p);
}

/* Before mid-2018 there was no applyGraves. */
static void test_graves_within_start(void **state)
{
	static const char *const graves[] = {
		"{\"cards\":[5],\"decks\":[],\"notes\":[4]}",
		"{\"cards\":[\"5\"],\"decks\":[],\"notes\":[\"4\"]}",
		"{\"cards\":[\"5\",7],\"decks\":[],\"notes\":[4,\"8\"]}",
		"{\"cards\":[5],\"notes\":[4]}",
		"{\"cards\":[5],\"notes\":[4],\"decks\":null}",
	};
	static const char *const wrong[] = {
		"[]", "5", "\"\"", "{\"cards\":5}", "{\"cards\":[5.5]}", "{\"cards\":[\"x\"]}", "{\"cards\":[null]}",
	};
	struct place *p = *state;
	char body[200];

	for (size_t i = 0; i < sizeof graves / sizeof *graves; i++) {
		place_teardown(state);
		old_setup(state);
		p = *state;
		begin_with_a_card(p);
		snprintf(body, sizeof body, "{\"minUsn\":2,\"lnewer\":true,\"graves\":%s}", graves[i]);
		place_must(p, "k", "start", body, NO_GRAVES); /* its own do not come back */
		place_must(p, "k", "applyChanges", NO_CHANGES, NOTHING_NEW);
		place_must(p, "k", "chunk", "{}", "{\"done\":true}");
		place_must(p, "k", "applyChunk", "{\"chunk\":{\"done\":true}}", "null");
		place_must(p, "k", "sanityCheck2", "{\"client\":[[0,0,0],0,0,0,2,3,1,1]}",
			   "{\"status\":\"ok\",\"c\":[[0,0,0],0,0,0,0,3,1,1],\"s\":[[0,0,0],0,0,0,0,3,1,1]}");
		finish(p);
		assert_string_equal(place_query(p, "SELECT group_concat(oid || '.' || type || '.' || usn) FROM (SELECT * FROM graves"
						   " WHERE oid < 7 ORDER BY oid)"), "4.1.2,5.0.2");
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		snprintf(body, sizeof body, "{\"minUsn\":2,\"lnewer\":true,\"graves\":%s}", wrong[i]);
		place_must_fail(p, "k", "start", body, ERR_BAD_REQUEST);
	}
	/* The method of its own needs all lists. */
	place_start_sync(p, "k", 2);
	place_must_fail(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[5],\"notes\":[4]}}", ERR_BAD_REQUEST);
}

static void test_duplicate_graves(void **state)
{
	struct place *p = *state;

	begin_with_a_card(p);
	place_must(p, "k", "start",
		   "{\"minUsn\":2,\"lnewer\":true,\"graves\":{\"cards\":[5,5,\"5\"],\"decks\":[],\"notes\":[4]}}", NO_GRAVES);
	place_must(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[5],\"decks\":[],\"notes\":[4,4]}}", "null");
	finish(p);
	assert_string_equal(place_query(p, "SELECT count(*) FROM graves"), "2");
	place_must(p, "k", "start", "{\"minUsn\":2,\"lnewer\":false}", "{\"cards\":[5],\"decks\":[],\"notes\":[4]}");
}

static void test_start_with_offset(void **state)
{
	static const char *const offsets[] = { "-60", "null", "\"x\"", "1.5" };
	struct place *p = *state;
	char body[100];

	place_begin_account(p);
	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
		snprintf(body, sizeof body, "{\"minUsn\":1,\"lnewer\":false,\"offset\":%s}", offsets[i]);
		place_must(p, "k", "start", body, NO_GRAVES);
	}
}

/* A session key is needed only where there is a session; and clients leave out a payload that would say nothing. */
static void test_what_may_be_missing(void **state)
{
	static const char *const stateful[] = { "applyGraves", "applyChanges", "chunk", "applyChunk", "sanityCheck2", "finish" };
	struct place *p = *state;

	begin_with_a_card(p);
	assert_non_null(place_call(p, "", "meta", "{\"v\":10,\"cv\":\"ankidroid,2.15,\"}"));
	assert_non_null(place_call(p, "", "download", ""));
	assert_non_null(place_call(p, "", "abort", ""));
	assert_non_null(place_call(p, "", "upload", "")); /* refused in words */
	assert_non_null(strstr(buf_str(&p->reply), "empty"));
	assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "1");
	place_start_sync(p, "k", 1);
	for (size_t i = 0; i < sizeof stateful / sizeof *stateful; i++)
		place_must_fail(p, "", stateful[i], "{}", ERR_CONFLICT);
	assert_non_null(place_call(p, "k", "chunk", ""));
	assert_non_null(strstr(buf_str(&p->reply), "\"done\":true"));
	place_must(p, "k", "applyChunk", "{\"chunk\":{}}", "null"); /* without `done` */
	finish(p);
}

#define DECK(id, name, mod, conf) \
	"{\"id\":" id ",\"mod\":" mod ",\"name\":\"" name "\",\"usn\":0,\"lrnToday\":[0,0],\"revToday\":[0,0]," \
	"\"newToday\":[0,0],\"timeToday\":[0,0],\"collapsed\":false,\"desc\":\"\",\"dyn\":0,\"conf\":" conf "}"
#define OPTIONS(id, mod) \
	"{\"id\":" id ",\"mod\":" mod ",\"name\":\"O\",\"usn\":0,\"maxTaken\":60,\"autoplay\":true,\"timer\":0,\"replayq\":true," \
	"\"new\":{},\"rev\":{},\"lapse\":{}}"

/* In collections of long ago. */
static void test_ids_and_times_as_strings(void **state)
{
	struct place *p = *state;

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	assert_non_null(place_call(p, "k", "applyChanges",
				   "{\"changes\":{\"models\":[" NOTETYPE("\"9\"", "\"1300000000\"") "],\"decks\":[["
				   DECK("\"12\"", "D", "\"1300000001\"", "\"7\"") "],[" OPTIONS("\"7\"", "\"1300000002\"") "]],\"tags\":[]}}"));
	finish(p);
	assert_string_equal(place_query(p, "SELECT id || ' ' || mtime_secs FROM notetypes WHERE id = 9"), "9 1300000000");
	assert_string_equal(place_query(p, "SELECT id || ' ' || mtime_secs || ' ' || hex(kind) FROM decks WHERE name = 'D'"),
			    "12 1300000001 0A020807");
	assert_string_equal(place_query(p, "SELECT id || ' ' || mtime_secs FROM deck_config WHERE name = 'O'"), "7 1300000002");
}

static void test_floats_where_integers_belong(void **state)
{
	struct place *p = *state;

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyChunk",
		   "{\"chunk\":{\"revlog\":[[7,1,0,3,1.9,-1.9,2500.5,9.99],[8,1,0,3,1e3,0,-4.5,-1,\"x\"]],"
		   "\"cards\":[[5,4,1,0,1700000000.9,0,2,2,10.7,3.999,2500,1,0,0,-1.5,0,0,\"\"],"
		   "[6,4,1,1,1,0,2,2,-10.7,-3.5,2500,1,0,0,2.5,0,0,\"\"]]}}",
		   "null");
	finish(p);
	assert_string_equal(place_query(p, "SELECT group_concat(mod || ',' || due || ',' || ivl || ',' || odue, ' ') FROM cards"),
			    "1700000000,10,3,-1 1,-10,0,2");
	assert_string_equal(place_query(p, "SELECT group_concat(ivl || ',' || lastIvl || ',' || factor || ',' || time || ',' || type, ' ')"
					   " FROM revlog"),
			    "1,-1,2500,9,0 1000,0,0,0,0");
}

/* Python clients send columns of their own database: what they say of sort field, checksum, flags and data is not kept. */
static void test_notes_of_python_clients(void **state)
{
	struct place *p = *state;

	begin_with_a_card(p);
	place_start_sync(p, "k", 2);
	place_must(p, "k", "applyChunk", "{\"chunk\":{\"notes\":[[44,\"g\",9,1,0,\"  one\xE3\x80\x80two  one \",\"<b>5</b>\","
		   "\"wrong\",\"123\",7,\"mine\"]]}}", "null");
	finish(p);
	assert_string_equal(place_query(p, "SELECT tags || '|' || sfld || '|' || typeof(sfld) || '|' || csum || '|' || flags || '|' || data"
					   " FROM notes WHERE id = 44"), " one two one |5|integer|2889119958|0|");
}

static void test_card_data(void **state)
{
	static const char *const data[] = { "\"\"", "\"x\"", "\"[1]\"", "\"{\\\"mine\\\":1}\"", "\"null\"" };
	struct place *p = *state;
	char body[200];

	for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
		place_teardown(state);
		old_setup(state);
		p = *state;
		begin_with_a_card(p);
		place_start_sync(p, "k", 2);
		snprintf(body, sizeof body, "{\"chunk\":{\"cards\":[[5,4,1,0,1800000000,0,2,2,10,3,2500,1,0,0,0,0,0,%s]]}}", data[i]);
		place_must(p, "k", "applyChunk", body, "null");
		finish(p);
		place_start_sync(p, "k", 2);
		place_must(p, "k", "chunk", "{}", "{\"cards\":[[5,4,1,0,1800000000,2,2,2,10,3,2500,1,0,0,0,0,0,\"{}\"]],\"done\":true}");
	}
}

/* Due counts depend on the scheduler, and graves on the age of the client. */
static void test_counts_that_may_differ(void **state)
{
	struct place *p = *state;

	begin_with_a_card(p);
	place_start_sync(p, "k", 2);
	place_must(p, "k", "sanityCheck2", "{\"client\":[[1,2,3],1,1,0,17,3,1,1]}",
		   "{\"status\":\"ok\",\"c\":[[0,0,0],1,1,0,0,3,1,1],\"s\":[[0,0,0],1,1,0,0,3,1,1]}");
	finish(p);
}

/* A Python client whose own check has failed says so: it wants to hear that a full sync is needed, and not an error. */
static void test_failed_check_of_the_client(void **state)
{
	struct place *p = *state;

	begin_with_a_card(p);
	place_start_sync(p, "k", 2);
	place_must(p, "k", "applyChunk", "{\"chunk\":{\"cards\":[[6,4,1,1,1,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]]}}", "null");
	place_must(p, "k", "sanityCheck2", "{\"client\":\"client missing \\\"notes\\\"\"}",
		   "{\"status\":\"bad\",\"c\":\"client missing \\\"notes\\\"\",\"s\":null}");
	place_must_fail(p, "k", "finish", "{}", ERR_CONFLICT);
	assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "1");
}

static void set_conf(struct place *p, const char *key, const char *value)
{
	struct home *h = place_home(p);
	struct collection *c;
	struct err e = ERR_INIT;

	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_collection(h, &c, &e), 1);
	assert_int_equal(collection_begin(c, &e), 0);
	assert_int_equal(conf_put(c, slice_of(key), slice_of(value), 1, 1, &e), 0);
	assert_int_equal(collection_commit(c, &e), 0);
	home_unlock(h);
}

/* Who would not understand the collection is told so in words, at the first call that can carry them. */
static void test_versions(void **state)
{
	static const struct {
		const char *scheduler, *creation_offset;
		int version;
		const char *words; /* NULL: goes on */
	} cases[] = {
		{ "1", "null", 8, NULL },     { "2", "null", 8, "v2 scheduler" }, { "2", "null", 9, NULL },
		{ "2", "-60", 8, "v2 scheduler" }, { "2", "-60", 9, "timezone" },  { "1", "300", 8, "timezone" },
		{ "1", "0", 9, "timezone" },  { "2", "-60", 10, NULL },           { "2", "-60", 11, NULL },
	};
	static const char *const wrong[] = { "7", "0", "12", "255" };
	struct place *p = *state;
	char body[100];

	place_begin_account(p);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json_object *o, *v;
		struct slice words;
		bool go_on;

		set_conf(p, "schedVer", cases[i].scheduler);
		set_conf(p, "creationOffset", cases[i].creation_offset);
		snprintf(body, sizeof body, "{\"v\":%d,\"cv\":\"ankidesktop,2.1.26 (x),lin\"}", cases[i].version);
		assert_non_null(place_call(p, "s", "meta", body));
		assert_int_equal(json_parse_object(buf_slice(&p->reply), &JSON_LIMITS_SMALL, &o, NULL), 0);
		assert_true(json_is_bool(vectors_get(o, "cont"), &go_on));
		words = vectors_str(o, "msg");
		if (go_on != !cases[i].words || (go_on ? words.len != 0 : !strstr(words.p, cases[i].words)))
			fail_msg("case %zu: %s", i, buf_str(&p->reply));
		/* Keys of the Python era beside the present ones. */
		assert_true(json_has(o, "uname", &v) && json_has(o, "musn", &v) && json_has(o, "media_usn", &v));
		assert_true(json_has(o, "empty", &v));
		assert_int_equal(vectors_int(o, "hostNum"), 0);
		json_object_put(o);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		snprintf(body, sizeof body, "{\"v\":%s,\"cv\":\"x\"}", wrong[i]);
		place_must_fail(p, "s", "meta", body, ERR_VERSION);
	}
}

/* 250 rows a reply, whatever the table, and always a `done`. */
static void test_chunks(void **state)
{
	static const struct {
		size_t cards, reviews, replies;
	} cases[] = { { 0, 0, 1 }, { 249, 0, 1 }, { 251, 0, 2 }, { 200, 100, 2 }, { 500, 501, 5 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf body = BUF_INIT(BUF_UNBOUNDED);
		size_t rows = 0, replies = 0;
		struct place *p;
		bool done = false;

		place_teardown(state);
		old_setup(state);
		p = *state;
		place_begin_account(p);
		place_start_sync(p, "k", 1);
		buf_puts(&body, "{\"chunk\":{\"cards\":[");
		for (size_t n = 0; n < cases[i].cards; n++)
			buf_printf(&body, "%s[%zu,4,1,0,1,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]", n ? "," : "", n + 1);
		buf_puts(&body, "],\"revlog\":[");
		for (size_t n = 0; n < cases[i].reviews; n++)
			buf_printf(&body, "%s[%zu,1,0,3,1,0,2500,9,1]", n ? "," : "", n + 1);
		buf_puts(&body, "]}}");
		place_must(p, "k", "applyChunk", buf_str(&body), "null");
		finish(p);
		place_start_sync(p, "k", 1);
		for (; !done; replies++) {
			static const char *const tables[] = { "cards", "revlog", "notes" };
			struct json_object *o, *list;
			size_t here = 0, n;

			assert_non_null(place_call(p, "k", "chunk", ""));
			assert_int_equal(json_parse_object(buf_slice(&p->reply), &JSON_LIMITS_PAYLOAD, &o, NULL), 0);
			for (size_t t = 0; t < 3; t++)
				if (json_has(o, tables[t], &list) && json_is_array(list, &n))
					here += n;
			assert_true(here <= 250);
			rows += here;
			assert_true(json_is_bool(vectors_get(o, "done"), &done));
			json_object_put(o);
		}
		if (rows != cases[i].cards + cases[i].reviews || replies != cases[i].replies)
			fail_msg("case %zu: %zu rows in %zu replies", i, rows, replies);
		buf_release(&body);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, old_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		T(test_graves_within_start),
		T(test_duplicate_graves),
		T(test_start_with_offset),
		T(test_what_may_be_missing),
		T(test_ids_and_times_as_strings),
		T(test_floats_where_integers_belong),
		T(test_notes_of_python_clients),
		T(test_card_data),
		T(test_counts_that_may_differ),
		T(test_failed_check_of_the_client),
		T(test_versions),
		T(test_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
