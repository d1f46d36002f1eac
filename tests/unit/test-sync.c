/*
 * The normal sync from memory. What real clients make of it is in tests/clients and tests/equal.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "storage/collection.h"
#include "storage/schema18.h"
#include "storage/session.h"
#include "storage/settings.h"
#include "tests/unit/place.h"

static void test_all_statements(void **state)
{
	struct place *p = *state;
	struct collection *c;
	struct err e = ERR_INIT;
	struct home *h;

	place_begin_account(p);
	h = place_home(p);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_collection(h, &c, &e), 1);
	if (collection_prepare_all(c, &e) != 0)
		fail_msg("%s", e.msg);
	home_unlock(h);
}

static void test_meta_of_a_new_account(void **state)
{
	place_must(*state, "s", "meta", META,
	     "{\"mod\":0,\"scm\":0,\"usn\":0,\"ts\":1800000000,\"msg\":\"\",\"cont\":true,\"hostNum\":0,\"empty\":true,"
	     "\"media_usn\":0,\"musn\":0,\"uname\":\"\"}");
	place_must_fail(*state, "s", "meta", "{\"v\":12,\"cv\":\"x\"}", ERR_VERSION);
	place_must_fail(*state, "s", "meta", "{\"v\":7,\"cv\":\"x\"}", ERR_VERSION);
	place_must_fail(*state, "s", "meta", "{\"v\":11}", ERR_BAD_REQUEST);
	place_must_fail(*state, "s", "meta", "{\"v\":\"11\",\"cv\":\"x\"}", ERR_BAD_REQUEST);
}

static void test_wrong_key(void **state)
{
	struct place *p = *state;

	p->key[strlen(p->key) - 1] = '1';
	place_must_fail(p, "s", "meta", META, ERR_BAD_LOGIN);
	snprintf(p->key, sizeof p->key, "nobody");
	place_must_fail(p, "s", "meta", "not json", ERR_BAD_LOGIN);
}

/* Keys end for every worker at once, also for one that has just seen them work. */
static void test_key_ended_elsewhere(void **state)
{
	struct place *p = *state;
	struct homes_options o = { .base = p->base, .workers = 4, .lock_ms = 1000 };
	struct err e = ERR_INIT;
	struct homes *other;
	struct home *h;

	place_begin_account(p);
	assert_non_null(place_call(p, "s", "meta", META));
	other = homes_open(&o, &e);
	assert_non_null(other);
	assert_int_equal(homes_get(other, slice_of(p->uid), &h, &e), 1);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_keys_end(h, &e), 0);
	home_unlock(h);
	homes_close(other);
	place_must_fail(p, "s", "meta", META, ERR_BAD_LOGIN);
	place_must_fail(p, "s", "upload", "no file", ERR_BAD_LOGIN);
	place_must_fail(p, "s", "meta", META, ERR_BAD_LOGIN);
}

static ssize_t never_read(struct source *s, void *to, size_t n, struct err *e)
{
	(void)s;
	(void)to;
	(void)n;
	(void)e;
	fail_msg("a body was read before there was a place for its user");
	return -1;
}

/* One user's slow bodies must not keep all workers. */
static void test_place_before_body(void **state)
{
	static const char *const methods[] = { "meta", "applyChunk", "chunk", "upload", "uploadChanges" };
	struct place *p = *state;
	int fds[2];

	place_begin_account(p);
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX + 16];

		snprintf(path, sizeof path, "%s/slot-%d", p->path, i);
		fds[i] = open(path, O_RDWR | O_CREAT, 0600);
		assert_true(fds[i] >= 0);
		assert_int_equal(flock(fds[i], LOCK_EX | LOCK_NB), 0);
	}
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct source source = { never_read };
		struct call c = { .version = 11, .key = slice_of(p->key), .session_key = SLICE("k"), .body = &source };
		struct err e = ERR_INIT;
		struct reply r;

		reply_init(&r);
		assert_int_equal(call_run(&p->server, method_find(AREA_SYNC | AREA_MSYNC, slice_of(methods[i])), &c, &r, &e), -1);
		assert_int_equal(e.kind, ERR_BUSY);
		reply_release(&r);
	}
	close(fds[1]);
	close(fds[0]);
	assert_non_null(place_call(p, "k", "meta", META));
}

static const char one_card[] = "{\"chunk\":{\"done\":true,\"revlog\":[[7,1,0,3,1,0,2500,9,1]],"
			       "\"cards\":[[5,4,1,0,1700000000,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]]}}";

static void test_whole_sync(void **state)
{
	struct place *p = *state;
	const char *ok = "{\"status\":\"ok\",\"c\":[[0,0,0],1,0,1,0,2,1,1],\"s\":[[0,0,0],1,0,1,0,2,1,1]}";

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyGraves", "{\"chunk\":" NO_GRAVES "}", "null");
	place_must(p, "k", "applyChanges", NO_CHANGES, NOTHING_NEW);
	place_must(p, "k", "chunk", "{}", "{\"done\":true}");
	place_must(p, "k", "applyChunk", one_card, "null");
	assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "0"); /* nothing is written before the end */
	place_must(p, "k", "sanityCheck2", "{\"client\":[[1,2,3],1,0,1,9,2,1,1]}", ok);
	assert_string_equal(place_query(p, "SELECT usn FROM cards"), "1");
	assert_string_equal(place_query(p, "SELECT usn FROM col"), "2");
	/* Every answer may have been lost. */
	place_must(p, "k", "sanityCheck2", "{\"client\":[[1,2,3],1,0,1,9,2,1,1]}", ok);
	place_must(p, "k", "finish", "{\"_pad\":null}", "1800000000001");
	place_must(p, "k", "finish", "{}", "1800000000001");
	assert_string_equal(place_query(p, "SELECT mod || ' ' || usn FROM col"), "1800000000001 2");
	place_must_fail(p, "k", "applyChunk", one_card, ERR_CONFLICT);
	place_must_fail(p, "other", "finish", "{}", ERR_CONFLICT);
	place_must(p, "k", "abort", "{}", "null");
	place_must(p, "k", "finish", "{}", "1800000000001");
}

static void test_bad_counts(void **state)
{
	struct place *p = *state;

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyChunk", one_card, "null");
	place_must(p, "k", "sanityCheck2", "{\"client\":[[0,0,0],2,0,1,0,2,1,1]}",
	     "{\"status\":\"bad\",\"c\":[[0,0,0],2,0,1,0,2,1,1],\"s\":[[0,0,0],1,0,1,0,2,1,1]}");
	assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "0");
	assert_string_equal(place_query(p, "SELECT usn FROM col"), "1");
	place_must_fail(p, "k", "finish", "{}", ERR_CONFLICT);
	place_start_sync(p, "k2", 1);
	place_must(p, "k2", "sanityCheck2", "{\"client\":\"Card 7 has no note\"}",
	     "{\"status\":\"bad\",\"c\":\"Card 7 has no note\",\"s\":null}");
	place_must_fail(p, "k2", "finish", "{}", ERR_CONFLICT);
}

/* Cached counts that have gone wrong must never cost a user a full sync. */
static void test_stale_counts(void **state)
{
	struct place *p = *state;
	struct session s;
	struct err e = ERR_INIT;
	struct home *h;

	place_begin_account(p);
	h = place_home(p);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(session_load(h, &s, &e), 0);
	assert_int_equal(s.counts_stamp.usn, 1);
	s.counts.cards += 5;
	assert_int_equal(session_save(h, &s, &e), 0);
	home_unlock(h);
	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyChunk", one_card, "null");
	place_must(p, "k", "sanityCheck2", "{\"client\":[[0,0,0],1,0,1,0,2,1,1]}",
	     "{\"status\":\"ok\",\"c\":[[0,0,0],1,0,1,0,2,1,1],\"s\":[[0,0,0],1,0,1,0,2,1,1]}");
}

static void test_steps_out_of_order(void **state)
{
	static const char *const methods[] = { "applyGraves", "applyChanges", "chunk", "applyChunk", "sanityCheck2", "finish" };
	static const char *const bodies[] = { "{\"chunk\":" NO_GRAVES "}", NO_CHANGES, "{}", one_card,
					      "{\"client\":[[0,0,0],0,0,0,0,2,1,1]}", "{}" };
	struct place *p = *state;

	for (size_t i = 0; i < 6; i++) {
		place_must_fail(p, "k", methods[i], bodies[i], ERR_CONFLICT);
		place_must_fail(p, "", methods[i], bodies[i], ERR_CONFLICT);
	}
	place_must_fail(p, "", "start", "{\"minUsn\":0,\"lnewer\":true}", ERR_BAD_REQUEST);
	place_must_fail(p, "a-key-that-is-longer-than-any-client-makes-it-0123456789-0123456789", "start", "{\"minUsn\":0,\"lnewer\":true}",
		  ERR_BAD_REQUEST);
	place_begin_account(p);
	for (size_t i = 0; i < 6; i++)
		place_must_fail(p, "k", methods[i], bodies[i], ERR_CONFLICT);
	place_start_sync(p, "k", 1);
	place_start_sync(p, "winner", 1);
	for (size_t i = 0; i < 6; i++)
		place_must_fail(p, "k", methods[i], bodies[i], ERR_CONFLICT);
	place_must(p, "k", "abort", "{}", "null"); /* the loser's abort does not end the winner's sync */
	place_must(p, "winner", "chunk", "{}", "{\"done\":true}");
	place_must(p, "winner", "abort", "{}", "null");
	place_must_fail(p, "winner", "chunk", "{}", ERR_CONFLICT);
}

static void test_set_back_server(void **state)
{
	struct place *p = *state;
	char before[64];

	place_begin_account(p);
	snprintf(before, sizeof before, "%s", place_query(p, "SELECT scm FROM col"));
	place_must_fail(p, "k", "start", "{\"minUsn\":7,\"lnewer\":false}", ERR_CONFLICT);
	assert_string_not_equal(place_query(p, "SELECT scm FROM col"), before);
}

static void test_collection_replaced_after_meta(void **state)
{
	struct place *p = *state;
	char name[HOME_NAME_MAX], path[PATH_MAX + HOME_NAME_MAX];
	struct err e = ERR_INIT;
	struct home *h;
	int64_t generation;
	int fd;

	place_begin_account(p);
	assert_non_null(place_call(p, "k", "meta", META));
	place_start_sync(p, "k", 1);
	h = place_home(p);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_temp(h, name, &fd, &e), 0);
	snprintf(path, sizeof path, "%s/%s", p->path, name);
	assert_int_equal(collection_create(path, PLACE_NOW_MS + 5, &e), 0);
	assert_int_equal(home_install(h, name, &generation, &e), 0);
	home_unlock(h);
	close(fd);
	place_must_fail(p, "k", "applyChanges", NO_CHANGES, ERR_CONFLICT);
	place_must_fail(p, "k", "chunk", "{}", ERR_CONFLICT);
	place_must_fail(p, "k", "applyChunk", one_card, ERR_CONFLICT);
	place_must_fail(p, "k", "finish", "{}", ERR_CONFLICT);
	place_must_fail(p, "k", "start", "{\"minUsn\":0,\"lnewer\":true}", ERR_CONFLICT);
	assert_non_null(place_call(p, "k2", "meta", META));
	place_start_sync(p, "k2", 0);
}

/* Whatever becomes of the session file, the answer is 409 or the right one. */
static void test_damaged_session_file(void **state)
{
	struct place *p = *state;
	char file[PATH_MAX + 16];
	struct stat st;

	place_begin_account(p);
	snprintf(file, sizeof file, "%s/session", p->path);
	for (off_t at = 0;; at += 97) {
		char byte;
		int fd;

		place_start_sync(p, "k", 1);
		place_must(p, "k", "applyChunk", one_card, "null");
		fd = open(file, O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		if (at >= st.st_size) {
			close(fd);
			break;
		}
		if (at / 97 % 2) {
			assert_int_equal(ftruncate(fd, at), 0);
		} else {
			assert_int_equal(pread(fd, &byte, 1, at), 1);
			byte ^= 0x10;
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
		place_must_fail(p, "k", "finish", "{}", ERR_CONFLICT);
		assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "0");
	}
}

/* And when somebody takes it away, or puts another one there, while a worker has it open. */
static void test_lost_session_file(void **state)
{
	struct place *p = *state;
	char file[PATH_MAX + 16], other[PATH_MAX + 16];
	int fd;

	place_begin_account(p);
	snprintf(file, sizeof file, "%s/session", p->path);
	snprintf(other, sizeof other, "%s/other", p->path);
	place_start_sync(p, "k", 1);
	assert_int_equal(unlink(file), 0);
	place_must_fail(p, "k", "applyChunk", one_card, ERR_CONFLICT);
	place_start_sync(p, "k", 1);
	place_must(p, "k", "applyChunk", one_card, "null");
	fd = open(other, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rename(other, file), 0);
	place_must_fail(p, "k", "finish", "{}", ERR_CONFLICT);
	place_start_sync(p, "k", 1);
	assert_non_null(place_call(p, "k", "finish", "{}"));
	assert_int_equal(access(file, F_OK), 0);
}

#define NOTETYPE(id, name, fields) \
	"{\"id\":" #id ",\"mod\":5,\"name\":\"" name "\",\"usn\":0,\"type\":0,\"sortf\":1,\"did\":null,\"css\":\"\"," \
	"\"tmpls\":[{\"name\":\"t\",\"qfmt\":\"q\"}],\"flds\":[" fields "]}"
#define FIELD(name) "{\"name\":\"" name "\",\"sticky\":false,\"rtl\":false,\"font\":\"\",\"size\":20}"
#define NOTES(rows) "{\"chunk\":{\"notes\":[" rows "]}}"
#define NOTE(id, mid, fields) "[" #id ",\"g" #id "\"," #mid ",5,0,\"\",\"" fields "\",\"\",\"\",0,\"\"]"

/* Notes are held against the note types of the collection and of the same sync. */
static void test_notes_fit_their_types(void **state)
{
	static const char two_types[] = "{\"changes\":{\"models\":[" NOTETYPE(90, "two", FIELD("a") "," FIELD("b")) ","
					NOTETYPE(80, "one", FIELD("a")) "],\"decks\":[[],[]],\"tags\":[]}}";
	struct place *p = *state;

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	place_must_fail(p, "k", "applyChunk", NOTES(NOTE(1, 90, "x\\u001fy")), ERR_BAD_REQUEST);
	assert_non_null(place_call(p, "k", "applyChanges", two_types));
	place_must(p, "k", "applyChunk", NOTES(NOTE(1, 90, "x\\u001fy") "," NOTE(2, 80, "z")), "null");
	place_must_fail(p, "k", "applyChunk", NOTES(NOTE(3, 90, "x")), ERR_BAD_REQUEST);
	place_must_fail(p, "k", "applyChunk", NOTES(NOTE(3, 80, "x\\u001fy")), ERR_BAD_REQUEST);
	place_must_fail(p, "k", "applyChunk", NOTES(NOTE(3, 85, "x")), ERR_BAD_REQUEST);
	assert_non_null(place_call(p, "k", "finish", "{}"));
	assert_string_equal(place_query(p, "SELECT group_concat(id || sfld, ' ') FROM notes"), "1y 2");
	place_start_sync(p, "k", 2);
	place_must_fail(p, "k", "applyChunk", NOTES(NOTE(3, 90, "x")), ERR_BAD_REQUEST);
	place_must(p, "k", "applyChunk", NOTES(NOTE(3, 80, "x") "," NOTE(4, 90, "\\u001f") "," NOTE(5, 80, "")), "null");
	assert_non_null(place_call(p, "k", "finish", "{}"));
	assert_string_equal(place_query(p, "SELECT count(*) FROM notes"), "5");
}

/* The same for notes: ours is "a", theirs has another first field, or another second one. */
static void test_note_ties(void **state)
{
	static const char one_type[] = "{\"changes\":{\"models\":[" NOTETYPE(90, "two", FIELD("a") "," FIELD("b")) "],"
				       "\"decks\":[[],[]],\"tags\":[]}}";
	static const struct {
		int ours, theirs;
		bool news;
		bool takes; /* theirs */
	} cases[] = {
		{ 100, 101, true, true }, { 100, 100, true, true }, { 101, 100, true, false }, { 101, 100, false, true },
	};
	static const char *const fields[] = { "a\\u001fx", "y\\u001fb" }, *const stored[] = { "a x", "y b" };
	static const char format[] = "{\"chunk\":{\"notes\":[[7,\"g\",90,%d,0,\" t \",\"%s\",\"\",\"\",0,\"\"]]}}";
	struct place *p = *state;
	char body[256];

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	assert_non_null(place_call(p, "k", "applyChanges", one_type));
	assert_non_null(place_call(p, "k", "finish", "{}"));
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		int64_t usn = atoll(place_query(p, "SELECT usn FROM col"));

		place_start_sync(p, "k", usn);
		place_must(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[],\"decks\":[],\"notes\":[7]}}", "null");
		snprintf(body, sizeof body, format, cases[i / 2].ours, "a\\u001fb");
		place_must(p, "k", "applyChunk", body, "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
		place_start_sync(p, "k", cases[i / 2].news ? usn : usn + 1);
		snprintf(body, sizeof body, format, cases[i / 2].theirs, fields[i % 2]);
		place_must(p, "k", "applyChunk", body, "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
		assert_string_equal(place_query(p, "SELECT replace(flds, char(31), ' ') FROM notes"),
				    cases[i / 2].takes ? stored[i % 2] : "a b");
		assert_string_equal(place_query(p, "SELECT tags || sfld FROM notes"),
				    cases[i / 2].takes && i % 2 == 0 ? " t x" : " t b");
	}
}

/* What is the same stays as it is; the rest is as the client has it. */
static void test_configuration_is_replaced(void **state)
{
	static const char *const steps[][2] = {
		{ "{\"a\":1,\"b\":{\"y\":[1.5],\"x\":null},\"c\":\"z\"}", "a=1:1 b={\"x\":null,\"y\":[1.5]}:1 c=\"z\":1" },
		{ "{\"c\":\"z\",\"b\":{\"x\":null,\"y\":[1.50]},\"a\":2,\"\":0}", "=0:2 a=2:2 b={\"x\":null,\"y\":[1.5]}:1 c=\"z\":1" },
		{ "{\"b\":true,\"bb\":true}", "b=true:3 bb=true:3" },
		{ "{}", "NULL" },
	};
	struct place *p = *state;
	char body[256];

	place_begin_account(p);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		place_start_sync(p, "k", 1 + (int64_t)i);
		snprintf(body, sizeof body, "{\"changes\":{\"models\":[],\"decks\":[[],[]],\"tags\":[],\"conf\":%s}}", steps[i][0]);
		assert_non_null(place_call(p, "k", "applyChanges", body));
		assert_non_null(place_call(p, "k", "finish", "{}"));
		assert_string_equal(place_query(p, "SELECT group_concat(key || '=' || val || ':' || usn, ' ')"
						   " FROM (SELECT * FROM config ORDER BY key)"), steps[i][1]);
	}
}

#ifndef ANKISYNC_SANITIZE
/* A long list of what is no object at all costs no more than the list. */
static void test_lists_of_nothing(void **state)
{
	static const char *const bodies[][2] = {
		{ "{\"changes\":{\"models\":[", "],\"decks\":[[],[]],\"tags\":[]}}" },
		{ "{\"changes\":{\"models\":[],\"decks\":[[", "],[]],\"tags\":[]}}" },
		{ "{\"changes\":{\"models\":[],\"decks\":[[],[", "]],\"tags\":[]}}" },
	};
	enum { N = 900000 };
	struct place *p = *state;
	struct buf body = BUF_INIT(BUF_UNBOUNDED);
	struct rlimit before, now;
	unsigned long pages;
	FILE *f;

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		buf_reset(&body);
		buf_puts(&body, bodies[i][0]);
		for (int k = 0; k < N; k++)
			buf_puts(&body, k ? ",1" : "1");
		buf_puts(&body, bodies[i][1]);
		f = fopen("/proc/self/statm", "r");
		assert_int_equal(fscanf(f, "%lu", &pages), 1);
		fclose(f);
		assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
		now = before;
		/* The numbers take 80 bytes each; what could be made of them, twice as much. */
		now.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + N * (rlim_t)130;
		assert_int_equal(setrlimit(RLIMIT_AS, &now), 0);
		place_must_fail(p, "k", "applyChanges", buf_str(&body), ERR_BAD_REQUEST);
		assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	}
	buf_release(&body);
}
#endif

/* card 5: ours has mod `ours`, known to the client or news to it; the client's has `theirs`. */
static void test_card_ties(void **state)
{
	static const struct {
		int64_t ours, theirs;
		bool news;
		const char *flags; /* ours: 1, theirs: 2 */
	} cases[] = {
		{ 100, 101, true, "2" }, { 100, 100, true, "2" }, { 101, 100, true, "1" }, { 100, 101, false, "2" },
		{ 100, 100, false, "2" }, { 101, 100, false, "2" },
	};
	static const int nids[] = { 4, 6 }; /* of theirs: ours has 4. There is a statement for either */
	struct place *p = *state;
	char body[256];

	place_begin_account(p);
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		int64_t usn = atoll(place_query(p, "SELECT usn FROM col"));
		int nid = nids[i % 2];

		place_start_sync(p, "k", usn);
		place_must(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[5],\"decks\":[],\"notes\":[]}}", "null");
		snprintf(body, sizeof body, "{\"chunk\":{\"cards\":[[5,4,1,0,%lld,0,2,2,10,3,2500,1,0,0,0,0,1,\"\"]]}}",
			 (long long)cases[i / 2].ours);
		place_must(p, "k", "applyChunk", body, "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
		place_start_sync(p, "k", cases[i / 2].news ? usn : usn + 1);
		snprintf(body, sizeof body, "{\"chunk\":{\"cards\":[[5,%d,1,0,%lld,0,2,2,10,3,2500,1,0,0,0,0,2,\"\"]]}}", nid,
			 (long long)cases[i / 2].theirs);
		place_must(p, "k", "applyChunk", body, "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
		if (strcmp(place_query(p, "SELECT flags FROM cards WHERE id = 5"), cases[i / 2].flags) != 0)
			fail_msg("case %zu: %s", i, place_query(p, "SELECT flags FROM cards WHERE id = 5"));
		assert_int_equal(atoi(place_query(p, "SELECT nid FROM cards WHERE id = 5")), cases[i / 2].flags[0] == '2' ? nid : 4);
	}
}

static void deck_json(struct buf *b, int64_t id, const char *name, int64_t mod_s)
{
	buf_printf(b,
		   "%s{\"id\":%lld,\"mod\":%lld,\"name\":\"%s\",\"usn\":0,\"lrnToday\":[0,0],\"revToday\":[0,0],\"newToday\":[0,0],"
		   "\"timeToday\":[0,0],\"collapsed\":false,\"desc\":\"\",\"dyn\":0,\"conf\":1}",
		   b->len && b->data[b->len - 1] == '}' ? "," : "", (long long)id, (long long)mod_s, name);
}

struct deck_in {
	int64_t id;
	const char *name;
	int64_t mod_s;
};

/* A sync by a client that has seen everything below min_usn and sends these decks; p->reply is the reply to applyChanges. */
static void send_decks(struct place *p, const char *key, int64_t min_usn, const struct deck_in *decks, size_t n)
{
	struct buf body = BUF_INIT(BUF_UNBOUNDED);
	struct buf reply = BUF_INIT(BUF_UNBOUNDED);

	place_start_sync(p, key, min_usn);
	buf_puts(&body, "{\"changes\":{\"models\":[],\"decks\":[[");
	for (size_t i = 0; i < n; i++)
		deck_json(&body, decks[i].id, decks[i].name, decks[i].mod_s);
	buf_puts(&body, "],[]],\"tags\":[]}}");
	if (!place_call(p, key, "applyChanges", buf_str(&body)))
		fail_msg("applyChanges: kind %d", p->kind);
	buf_set(&reply, p->reply.data, p->reply.len);
	if (!place_call(p, key, "finish", "{}"))
		fail_msg("finish: kind %d", p->kind);
	buf_set(&p->reply, reply.data, reply.len);
	buf_release(&reply);
	buf_release(&body);
}

/* "id:name:mod …" of the decks in the reply, in order. */
static const char *decks_of_reply(struct place *p)
{
	static char text[2048];
	struct json_object *o, *lists;
	struct err e = ERR_INIT;
	size_t n, at = 0;

	assert_int_equal(json_parse_object(buf_slice(&p->reply), &JSON_LIMITS_PAYLOAD, &o, &e), 0);
	lists = json_at(vectors_get(o, "decks"), 0);
	assert_true(json_is_array(lists, &n));
	text[0] = 0;
	for (size_t i = 0; i < n; i++) {
		struct json_object *d = json_at(lists, i);

		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s:%s:%s", i ? " " : "",
				       json_object_get_string(vectors_get(d, "id")), json_object_get_string(vectors_get(d, "name")),
				       json_object_get_string(vectors_get(d, "mod")));
	}
	json_object_put(o);
	return text;
}

#define DECK_NAMES "SELECT group_concat(id || ':' || replace(name, char(31), '::') || ':' || mtime_secs, ' ')" \
		   " FROM (SELECT * FROM decks WHERE id <> 1 ORDER BY id)"

static void test_clash_renames_ours(void **state)
{
	static const struct deck_in first[] = { { 10, "A", 100 } }, second[] = { { 20, "a", 90 } };
	struct place *p = *state;

	place_begin_account(p);
	send_decks(p, "k1", 1, first, 1);
	send_decks(p, "k2", 1, second, 1); /* deck 10 is news to this client */
	assert_string_equal(decks_of_reply(p), "10:A+:1800000000");
	assert_string_equal(place_query(p, DECK_NAMES), "10:A+:1800000000 20:a:90");
	/* A third client gets the row that frees the name first, whatever the ids. */
	send_decks(p, "k3", 2, NULL, 0);
	assert_string_equal(decks_of_reply(p), "10:A+:1800000000 20:a:90");
	assert_string_equal(place_query(p, "SELECT group_concat(usn) FROM decks WHERE id <> 1"), "2,2");
}

static void test_clash_with_a_name_in_use(void **state)
{
	static const struct deck_in first[] = { { 10, "A", 2000000000 }, { 11, "A+", 100 } }, second[] = { { 20, "A", 90 }, { 21, "A++", 90 } };
	struct place *p = *state;

	place_begin_account(p);
	send_decks(p, "k1", 1, first, 2);
	send_decks(p, "k2", 1, second, 2);
	assert_string_equal(place_query(p, DECK_NAMES), "10:A+++:2000000001 11:A+:100 20:A:90 21:A++:90");
}

/* What another client receives when names have changed hands: never a clash on the way. */
static void test_names_change_hands(void **state)
{
	static const struct deck_in before[] = { { 10, "A", 1 }, { 11, "B", 1 }, { 12, "C", 1 } };
	static const struct deck_in chain[] = { { 10, "B", 2 }, { 11, "C", 2 }, { 12, "D", 2 } };
	static const struct deck_in ring[] = { { 10, "C", 3 }, { 11, "D", 3 }, { 12, "B", 3 } };
	struct place *p = *state;

	place_begin_account(p);
	send_decks(p, "k1", 1, before, 3);
	send_decks(p, "k1", 2, chain, 3);
	assert_string_equal(decks_of_reply(p), "");
	assert_string_equal(place_query(p, DECK_NAMES), "10:B:2 11:C:2 12:D:2");
	send_decks(p, "k2", 2, NULL, 0);
	assert_string_equal(decks_of_reply(p), "12:D:2 11:C:2 10:B:2");
	send_decks(p, "k1", 3, ring, 3);
	assert_string_equal(place_query(p, DECK_NAMES), "10:C:3 11:D:3 12:B:3");
	send_decks(p, "k2", 4, NULL, 0);
	assert_string_equal(decks_of_reply(p), "10:~10:3 12:B:3 11:D:3 10:C:3");
	/* Somebody who has missed both may hold A, B, C, or what lies between: a client that was overtaken between meta and start. */
	send_decks(p, "k3", 2, NULL, 0);
	assert_string_equal(decks_of_reply(p), "10:~10:3 11:~11:3 12:B:3 11:D:3 10:C:3");
}

static void test_deck_ties(void **state)
{
	static const struct deck_in ours[] = { { 10, "ours", 100 } }, theirs[] = { { 10, "theirs", 100 } };
	struct place *p = *state;

	place_begin_account(p);
	send_decks(p, "k1", 1, ours, 1);
	send_decks(p, "k2", 1, theirs, 1); /* ours was news to it: it has just taken ours */
	assert_string_equal(place_query(p, DECK_NAMES), "10:ours:100");
	send_decks(p, "k2", 3, theirs, 1); /* it knew ours, and changed it in the same second */
	assert_string_equal(place_query(p, DECK_NAMES), "10:theirs:100");
}

/* Edits of what a client had received, by a clock that is behind: the last word, and everybody hears of it, itself too. */
static void test_slow_clock(void **state)
{
	static const struct deck_in ours[] = { { 10, "ours", 200 }, { 11, "other", 200 } };
	static const struct deck_in theirs[] = { { 10, "theirs", 100 }, { 11, "other", 201 } };
	struct place *p = *state;

	place_begin_account(p);
	send_decks(p, "k1", 1, ours, 2);
	send_decks(p, "k2", 2, theirs, 2);
	assert_string_equal(decks_of_reply(p), "10:theirs:200");
	assert_string_equal(place_query(p, DECK_NAMES), "10:theirs:200 11:other:201");
	send_decks(p, "k3", 2, NULL, 0);
	assert_string_equal(decks_of_reply(p), "10:theirs:200 11:other:201");
}

/* The same for options, which have no names to settle. */
static void test_slow_clock_and_options(void **state)
{
	static const char format[] = "{\"changes\":{\"models\":[],\"decks\":[[],[{\"id\":7,\"mod\":%d,\"name\":\"%s\",\"usn\":0,"
				     "\"maxTaken\":60,\"autoplay\":true,\"timer\":0,\"new\":{},\"rev\":{},\"lapse\":{}}]],\"tags\":[]}}";
	static const struct {
		int usn, mod;
		const char *name, *reply, *stored; /* `reply`: mod that comes back; "" nothing */
	} steps[] = {
		{ 1, 200, "a", "", "a 200" },
		{ 2, 100, "b", "\"mod\":200", "b 200" },
		{ 2, 200, "c", "\"name\":\"b\"", "b 200" }, /* it has just received b */
		{ 4, 200, "d", "", "d 200" },
		{ 4, 201, "e", "\"name\":\"d\"", "e 201" },
	};
	struct place *p = *state;
	char body[512];

	place_begin_account(p);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		place_start_sync(p, "k", steps[i].usn);
		snprintf(body, sizeof body, format, steps[i].mod, steps[i].name);
		assert_non_null(place_call(p, "k", "applyChanges", body));
		if (steps[i].reply[0] ? !strstr(buf_str(&p->reply), steps[i].reply) : !strstr(buf_str(&p->reply), "[[],[]]"))
			fail_msg("step %zu: %s", i, buf_str(&p->reply));
		assert_non_null(place_call(p, "k", "finish", "{}"));
		assert_string_equal(place_query(p, "SELECT name || ' ' || mtime_secs FROM deck_config WHERE id = 7"), steps[i].stored);
	}
}

/* Lists that make every name a clash, and every free name a long way off: still a matter of the list's length. */
static void test_names_of_ill_will(void **state)
{
	enum { N = 800 };
	struct deck_in *decks = calloc(2 * N, sizeof *decks);
	char (*names)[N + 2] = calloc(N, sizeof *names);
	struct place *p = *state;

	place_begin_account(p);
	for (int i = 0; i < N; i++) {
		memset(names[i], '+', (size_t)i + 1);
		names[i][0] = 'x';
		decks[i] = (struct deck_in){ 100 + i, names[i], 5 };
	}
	send_decks(p, "k", 1, decks, N);
	for (int i = 0; i < N; i++)
		decks[i].id += N; /* each renames one of ours */
	for (int i = N; i < 2 * N; i++)
		decks[i] = (struct deck_in){ 100 + N + i, "x", 5 };
	send_decks(p, "k", 1, decks, 2 * N);
	assert_string_equal(place_query(p, "SELECT count(*) FROM decks"), "2401");
	free(names);
	free(decks);
}

static void test_grave_takes_the_newer_usn(void **state)
{
	struct place *p = *state;

	place_begin_account(p);
	for (int round = 0; round < 2; round++) {
		place_start_sync(p, "k", 1);
		place_must(p, "k", "applyChunk", one_card, "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
		place_start_sync(p, "k", 1);
		place_must(p, "k", "applyGraves", "{\"chunk\":{\"cards\":[\"5\"],\"decks\":[],\"notes\":[]}}", "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
		assert_string_equal(place_query(p, "SELECT count(*) FROM cards"), "0");
		assert_string_equal(place_query(p, "SELECT usn FROM graves WHERE oid = 5"), round ? "4" : "2");
	}
	place_must(p, "k", "start", "{\"minUsn\":4,\"lnewer\":false}", "{\"cards\":[5],\"decks\":[],\"notes\":[]}");
	place_must(p, "k", "start", "{\"minUsn\":5,\"lnewer\":false}", NO_GRAVES);
}

/* 6,000 cards in several replies, each once, without those that the client has just deleted. */
static void test_long_chunks(void **state)
{
	enum { CARDS = 6000 };
	struct place *p = *state;
	struct buf body = BUF_INIT(BUF_UNBOUNDED);
	bool *seen = calloc(CARDS, sizeof *seen);
	size_t total = 0, replies = 0;
	bool done = false;

	place_begin_account(p);
	for (int usn = 0; usn < 3; usn++) {
		place_start_sync(p, "k", 1 + usn);
		buf_reset(&body);
		buf_puts(&body, "{\"chunk\":{\"cards\":[");
		for (int i = 0; i < CARDS / 3; i++)
			buf_printf(&body, "%s[%d,4,1,0,1,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]", i ? "," : "", i * 3 + usn + 1);
		buf_puts(&body, "]}}");
		place_must(p, "k", "applyChunk", buf_str(&body), "null");
		assert_non_null(place_call(p, "k", "finish", "{}"));
	}
	place_start_sync(p, "k", 1);
	buf_reset(&body);
	buf_puts(&body, "{\"chunk\":{\"decks\":[],\"notes\":[],\"cards\":[");
	for (int i = 100; i < 3100; i++)
		buf_printf(&body, "%s%d", i > 100 ? "," : "", i + 1);
	buf_puts(&body, "]}}");
	place_must(p, "k", "applyGraves", buf_str(&body), "null");
	while (!done) {
		struct json_object *o, *cards = NULL;
		struct err e = ERR_INIT;
		size_t n = 0;

		assert_non_null(place_call(p, "k", "chunk", "{}"));
		assert_int_equal(json_parse_object(buf_slice(&p->reply), &JSON_LIMITS_PAYLOAD, &o, &e), 0);
		if (json_has(o, "cards", &cards))
			assert_true(json_is_array(cards, &n));
		for (size_t i = 0; i < n; i++) {
			int64_t id = json_object_get_int64(json_at(json_at(cards, i), 0)) - 1;

			assert_in_range(id, 0, CARDS - 1);
			assert_false(seen[id]);
			seen[id] = true;
		}
		total += n;
		replies++;
		assert_true(json_is_bool(vectors_get(o, "done"), &done));
		json_object_put(o);
	}
	assert_int_equal(total, CARDS - 3000);
	assert_int_equal(replies, 2);
	for (int i = 100; i < 3100; i++)
		assert_false(seen[i]);
	free(seen);
	buf_release(&body);
}

/* Clients of forms count on 250 rows a reply. */
static void test_old_clients_get_250_rows(void **state)
{
	struct place *p = *state;
	struct buf body = BUF_INIT(BUF_UNBOUNDED);

	place_begin_account(p);
	place_start_sync(p, "k", 1);
	buf_puts(&body, "{\"chunk\":{\"revlog\":[");
	for (int i = 0; i < 250; i++)
		buf_printf(&body, "%s[%d,1,0,3,1,0,2500,9,1]", i ? "," : "", i + 1);
	buf_puts(&body, "]}}");
	place_must(p, "k", "applyChunk", buf_str(&body), "null");
	assert_non_null(place_call(p, "k", "finish", "{}"));
	place_start_sync(p, "k", 1);
	p->version = 10;
	assert_non_null(place_call(p, "k", "chunk", ""));
	assert_non_null(strstr(buf_str(&p->reply), "[250,1,1,3,1,0,2500,9,1]"));
	buf_release(&body);
}

/* Add tags in one transaction: `text` is a name or a list of names. */
static void add_tags(struct place *p, struct json_object *names, int64_t usn)
{
	struct home *h = place_home(p);
	struct collection *c;
	struct err e = ERR_INIT;
	struct slice name;

	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_collection(h, &c, &e), 1);
	assert_int_equal(collection_begin(c, &e), 0);
	if (json_is_str(names, &name))
		assert_int_equal(tag_add(c, name, usn, &e), 0);
	for (size_t i = 0; json_object_is_type(names, json_type_array) && i < json_object_array_length(names); i++) {
		assert_true(json_is_str(json_at(names, i), &name));
		assert_int_equal(tag_add(c, name, usn, &e), 0);
	}
	assert_int_equal(collection_commit(c, &e), 0);
	home_unlock(h);
}

/* How many of the tags at usn 0 are in the list (of names, or of rows that begin with a name); and are there others? */
static void check_tags(struct place *p, struct json_object *want, const char *set, size_t i)
{
	size_t n = json_object_array_length(want), rows = 0;
	sqlite3_stmt *st;
	struct sql s;

	place_file(p, &s);
	assert_int_equal(sqlite3_prepare_v2(s.db, "SELECT tag, collapsed, config FROM tags WHERE usn = 0", -1, &st, NULL), SQLITE_OK);
	for (; sqlite3_step(st) == SQLITE_ROW; rows++) {
		bool found = false;

		for (size_t k = 0; k < n && !found; k++) {
			struct json_object *row = json_at(want, k);
			struct slice name;

			assert_true(json_is_str(json_object_is_type(row, json_type_array) ? json_at(row, 0) : row, &name));
			found = slice_eq(name, sql_column(st, 0));
		}
		if (!found || sqlite3_column_int(st, 1) != 1 || sqlite3_column_type(st, 2) != SQLITE_NULL)
			fail_msg("%s[%zu]: %s", set, i, sqlite3_column_text(st, 0));
	}
	if (rows != n)
		fail_msg("%s[%zu]: %zu rows instead of %zu", set, i, rows, n);
	sqlite3_finalize(st);
	assert_int_equal(sqlite3_exec(s.db, "DELETE FROM tags WHERE 1", NULL, NULL, NULL), SQLITE_OK);
	sql_close(&s);
}

static void test_tag_vectors(void **state)
{
	static const char *const sets[] = { "new_tag", "with_existing", "sequences" };
	struct place *p = *state;
	struct json_object *v = vectors_load("tags.json");

	place_begin_account(p);
	for (size_t s = 0; s < 3; s++) {
		struct json_object *cases = vectors_get(v, sets[s]);

		for (size_t i = 0; i < json_object_array_length(cases); i++) {
			if (s == 1)
				add_tags(p, vectors_get(v, "existing"), 3);
			add_tags(p, vectors_get(json_at(cases, i), "in"), 0);
			check_tags(p, vectors_get(json_at(cases, i), s == 1 ? "added" : "rows"), sets[s], i);
		}
	}
	json_object_put(v);
}

/* Where we settle names otherwise than official (docs/differences.md): what the decks of the case are called then. */
static const char *our_names(const char *what)
{
	if (strcmp(what, "default") == 0)
		return "DEFAULT"; /* our deck 1 gives way, not the deck that arrives */
	if (strcmp(what, "swap") == 0)
		return "B A"; /* the list counts as a whole */
	return NULL;
}

/* Names of one call that clash. */
static void test_deck_name_clashes(void **state)
{
	struct json_object *v = vectors_load("decknames.json"), *cases = vectors_get(v, "clashes");

	for (size_t i = 0; i < json_object_array_length(cases); i++) {
		struct json_object *in = vectors_get(json_at(cases, i), "in"), *rows = vectors_get(json_at(cases, i), "rows");
		const char *what = json_object_get_string(vectors_get(json_at(cases, i), "case"));
		struct place *p;
		struct deck_in decks[16];
		size_t n = json_object_array_length(in);
		struct buf got = BUF_INIT(BUF_UNBOUNDED), want = BUF_INIT(BUF_UNBOUNDED);
		struct sql s;
		sqlite3_stmt *st;

		place_teardown(state);
		place_setup(state);
		p = *state;
		place_begin_account(p);
		assert_true(n <= 16);
		for (size_t k = 0; k < n; k++)
			decks[k] = (struct deck_in){ 1700000000000 + json_object_get_int64(json_at(json_at(in, k), 1)),
						     json_object_get_string(json_at(json_at(in, k), 0)), 1700000100 };
		send_decks(p, "k", 1, decks, n);
		place_file(p, &s);
		assert_int_equal(sqlite3_prepare_v2(s.db, "SELECT id, name FROM decks WHERE id <> 1 ORDER BY id", -1, &st, NULL), SQLITE_OK);
		while (sqlite3_step(st) == SQLITE_ROW)
			buf_printf(&got, "%s%s", got.len ? " " : "", sqlite3_column_text(st, 1));
		sqlite3_finalize(st);
		sql_close(&s);
		for (size_t k = 0; k < json_object_array_length(rows); k++)
			if (json_object_get_int64(json_at(json_at(rows, k), 0)) != 1)
				buf_printf(&want, "%s%s", want.len ? " " : "", json_object_get_string(json_at(json_at(rows, k), 1)));
		if (strcmp(buf_str(&got), our_names(what) ? our_names(what) : buf_str(&want)) != 0)
			fail_msg("%s: %s instead of %s", what, buf_str(&got), buf_str(&want));
		buf_release(&got);
		buf_release(&want);
	}
	json_object_put(v);
}

static void send_tag(struct place *p, const char *tag, size_t times)
{
	struct buf body = BUF_INIT(BUF_UNBOUNDED);

	buf_puts(&body, "{\"changes\":{\"models\":[],\"decks\":[[],[]],\"tags\":[\"");
	for (size_t i = 0; i < times; i++)
		buf_puts(&body, tag);
	buf_puts(&body, "\"]}}");
	place_start_sync(p, "t", 1);
	assert_non_null(place_call(p, "t", "applyChanges", buf_str(&body)));
	assert_non_null(place_call(p, "t", "finish", "{}"));
	buf_release(&body);
}

/* An ancestor's spelling is taken over, but it is not looked for through a hundred thousand levels. */
static void test_levels_of_tags(void **state)
{
	struct place *p = *state;

	place_begin_account(p);
	send_tag(p, "A", 1);
	send_tag(p, "a::x", 1);
	assert_string_equal(place_query(p, "SELECT count(*) FROM tags WHERE CAST(tag AS BLOB) = CAST('A::x' AS BLOB)"), "1");
	send_tag(p, "a::", 100000);
	assert_string_equal(place_query(p, "SELECT count(*) FROM tags WHERE CAST(substr(tag, 1, 4) AS BLOB) = CAST('a::a' AS BLOB)"), "1");
}

/* A user may have any number of things, but not all of them in the memory of a worker. */
static void test_reply_too_large(void **state)
{
	struct place *p = *state;

	place_begin_account(p);
	for (const char *tag = "abc"; *tag; tag++)
		send_tag(p, (char[]){ *tag, 0 }, (3 << 20) / 2);
	place_start_sync(p, "k", 0);
	assert_non_null(place_call(p, "k", "applyChanges", NO_CHANGES));
	p->config.max_payload_megs = 1; /* which means 3 */
	place_must_fail(p, "k", "applyChanges", NO_CHANGES, ERR_TOO_BIG);
	place_start_sync(p, "k", 3);
	assert_non_null(place_call(p, "k", "applyChanges", NO_CHANGES));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		T(test_all_statements),
		T(test_meta_of_a_new_account),
		T(test_wrong_key),
		T(test_key_ended_elsewhere),
		T(test_place_before_body),
		T(test_whole_sync),
		T(test_bad_counts),
		T(test_stale_counts),
		T(test_steps_out_of_order),
		T(test_set_back_server),
		T(test_collection_replaced_after_meta),
		T(test_damaged_session_file),
		T(test_lost_session_file),
		T(test_notes_fit_their_types),
		T(test_note_ties),
		T(test_configuration_is_replaced),
#ifndef ANKISYNC_SANITIZE
		T(test_lists_of_nothing),
#endif
		T(test_card_ties),
		T(test_clash_renames_ours),
		T(test_clash_with_a_name_in_use),
		T(test_names_change_hands),
		T(test_deck_ties),
		T(test_slow_clock),
		T(test_slow_clock_and_options),
		T(test_names_of_ill_will),
		T(test_grave_takes_the_newer_usn),
		T(test_long_chunks),
		T(test_old_clients_get_250_rows),
		T(test_tag_vectors),
		T(test_levels_of_tags),
		T(test_reply_too_large),
		T(test_deck_name_clashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
