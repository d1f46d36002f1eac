/*
 * libFuzzer: the methods of collection and media, with payloads of any kind in any order, through core and storage on a
 * folder in memory that is put back before each input.
 *
 * The input: one call a line: a letter for the method, one of its session key (a capital: the call is made as a client of
 * protocol 10), the payload. That of uploadChanges is the `_meta` of a zip with the members 0 and 1.
 *
 * Whatever comes: an answer is JSON (or a stream of just the promised length), a refusal has its reason; usn and mod never
 * go back. Then a client that knows nothing can sync, its counts fit, and the file passes integrity_check; and now and then
 * it is downloaded, also as schema 11, and what was downloaded can be uploaded.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "core/password.h"
#include "core/users.h"
#include "storage/import_file.h"
#include "storage/importer.h"
#include "tests/faults/image.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory.h"
#include "tests/unit/files.h"
#include "tests/unit/place.h"
#include "tests/unit/zips.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { CALLS_MAX = 40 };

static const struct {
	char letter;
	const char *name;
} methods[] = {
	{ 'm', "meta" },         { 's', "start" },        { 'g', "applyGraves" },  { 'c', "applyChanges" },
	{ 'k', "chunk" },        { 'p', "applyChunk" },   { 'y', "sanityCheck2" }, { 'f', "finish" },
	{ 'a', "abort" },        { 'd', "download" },     { 'h', "hostKey" },      { 'b', "begin" },
	{ 'M', "mediaChanges" }, { 'U', "uploadChanges" }, { 'D', "downloadFiles" }, { 'S', "mediaSanity" },
};

static struct place *place;
static struct image image;

/* --- core/password.c, where one hash takes as long as a hundred inputs: the password is "right" --- */

int password_verify(struct slice name, struct slice password, const char *hash, struct err *e)
{
	(void)name;
	(void)hash;
	(void)e;
	return slice_eq_str(password, "right");
}

void password_verify_nobody(struct slice password)
{
	(void)password;
}

int password_hash(struct slice password, char hash[PASSWORD_HASH_SIZE], struct err *e)
{
	(void)password;
	(void)e;
	snprintf(hash, PASSWORD_HASH_SIZE, "new");
	return 0;
}

bool password_hash_is_old(const char *hash)
{
	return strcmp(hash, "new") != 0;
}

int password_slot_take(struct password_slot *s, const char *base, int64_t workers, bool lowly, int64_t wait_ms, struct err *e)
{
	(void)base;
	(void)workers;
	(void)lowly;
	(void)wait_ms;
	(void)e;
	s->fd = 0;
	return 0;
}

void password_slot_leave(struct password_slot *s)
{
	s->fd = -1;
}

/* --- calls --- */

static struct err call_error;
static struct json_object *answer; /* of the last call, unless it was a stream */

/* The answer in place->reply: 0, or -1 with call_error. */
static int call(const struct method *m, int version, const char *key, struct slice payload)
{
	struct mem_source source;
	struct call c = { .version = version, .key = slice_of(place->key), .session_key = slice_of(key),
			  .client = SLICE("fuzz"), .body = &source.source };
	struct reply r;
	int rc;

	mem_source_init(&source, payload);
	reply_init(&r);
	json_object_put(answer);
	answer = NULL;
	call_error = (struct err)ERR_INIT;
	rc = call_run(&place->server, m, &c, &r, &call_error);
	if (rc != 0) {
		fuzz_refused(&call_error);
	} else if (r.stream) {
		buf_reset(&place->reply);
		assert(source_to_buf(r.stream, &place->reply, NULL) == 0 && place->reply.len == r.stream_bytes);
	} else {
		buf_set(&place->reply, r.body.data, r.body.len);
		answer = fuzz_printed(buf_slice(&place->reply));
	}
	reply_release(&r);
	return rc;
}

static const struct method *method(const char *name)
{
	return method_find(AREA_SYNC | AREA_MSYNC, slice_of(name));
}

/* One that must not fail: its answer, borrowed. */
static struct json_object *must(const char *name, const char *key, const char *payload)
{
	if (call(method(name), 11, key, slice_of(payload)) != 0) {
		fprintf(stderr, "%s %s: %s\n", name, payload, call_error.msg);
		abort();
	}
	return answer;
}

static int64_t member(struct json_object *o, const char *key)
{
	int64_t v;

	assert(json_need_int(o, key, INT64_MIN, INT64_MAX, &v, NULL) == 0);
	return v;
}

static void look(int64_t *usn, int64_t *mod)
{
	struct json_object *o = must("meta", "look", META);

	*usn = member(o, "usn");
	*mod = member(o, "mod");
	assert(*usn >= 0 && *usn <= INT32_MAX);
}

/* --- the input --- */

static void one_call(struct slice line)
{
	struct slice payload = { line.p + 2, line.len - 2 };
	char key[2] = { (char)(line.p[1] | 0x20), 0 };
	int version = line.p[1] >= 'A' && line.p[1] <= 'Z' ? 10 : 11;
	struct buf zip = BUF_INIT(BUF_UNBOUNDED);

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (methods[i].letter != line.p[0])
			continue;
		if (line.p[0] == 'U') {
			ZIP_MAKE(&zip, { .name = "0", .data = "zero" }, { .name = "1", .data = "one" },
				 { .name = "_meta", .data = payload.len ? payload.p : "", .len = payload.len });
			payload = buf_slice(&zip);
		}
		call(method(methods[i].name), version, key, payload);
	}
	buf_release(&zip);
}

/* --- and afterwards --- */

static void integrity(void)
{
	sqlite3_stmt *st = NULL;
	struct sql s;

	place_file(place, &s);
	s.trusted = true;
	assert(sqlite3_prepare_v2(s.db, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW);
	if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
		fprintf(stderr, "integrity_check: %s\n", sqlite3_column_text(st, 0));
		abort();
	}
	sqlite3_finalize(st);
	sql_close(&s);
}

static const char counts[] =
	"SELECT '{\"client\":[[0,0,0],' || (SELECT count(*) FROM cards) || ',' || (SELECT count(*) FROM notes) || ','"
	" || (SELECT count(*) FROM revlog) || ',0,' || (SELECT count(*) FROM notetypes) || ',' || (SELECT count(*) FROM decks)"
	" || ',' || (SELECT count(*) FROM deck_config) || ']}'";

static void whole_sync(int64_t usn, int64_t mod)
{
	struct json_object *o, *done;
	int64_t after_usn, after_mod;
	bool end;

	must("start", "last", "{\"minUsn\":0,\"lnewer\":false,\"graves\":null}");
	must("applyChanges", "last", NO_CHANGES);
	do {
		o = must("chunk", "last", "{}");
		assert(json_has(o, "done", &done) && json_is_bool(done, &end));
		} while (!end);
	must("applyChunk", "last", "{\"chunk\":{\"done\":true}}");
	must("sanityCheck2", "last", place_query(place, counts));
	if (!strstr(buf_str(&place->reply), "\"ok\"")) {
		fprintf(stderr, "counts: %s\n", buf_str(&place->reply));
		abort();
	}
	must("finish", "last", "{}");
	look(&after_usn, &after_mod);
	assert(after_usn == usn + 1 && after_mod > mod);
}

static void download_and_upload(int version)
{
	const char *src = files_path("down"), *dst = files_path("up");
	struct import_result r;
	struct err e = ERR_INIT;

	assert(call(method("download"), version, "last", SLICE("{}")) == 0);
	unlink(src);
	unlink(dst);
	files_write(src, 0, place->reply.data, place->reply.len);
	if (import_file(src, dst, &r, &e) != 0) {
		fprintf(stderr, "downloaded as %d, but %s\n", version, e.msg);
		abort();
	}
	assert(r.schema == (version < 11 ? 11 : 18) && r.mended == 0);
}

static void media_fits(void)
{
	struct json_object *o = must("mediaChanges", "last", "{\"lastUsn\":0}"), *list, *row;
	int64_t before = 0, usn;
	struct slice name, hash;
	char text[60];
	size_t n;
	int there = 0;

	assert(json_need_array(o, "data", &list, &n, NULL) == 0);
	for (size_t i = 0; i < n; i++) {
		row = json_at(list, i);
		assert(json_is_str(json_at(row, 0), &name) && name.len && utf8_valid(name) && json_is_str(json_at(row, 2), &hash));
		assert(json_is_int(json_at(row, 1), before + 1, INT32_MAX, &usn) && (hash.len == 40 || hash.len == 0));
		before = usn;
		there += hash.len > 0;
	}
	snprintf(text, sizeof text, "{\"local\":%d}", there);
	must("mediaSanity", "last", text);
	assert(strstr(buf_str(&place->reply), "\"OK\""));
}

static void set_back(void)
{
	struct err e = ERR_INIT;

	server_close(&place->server);
	image_write(&image, place->base);
	if (server_open(&place->server, &place->config, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, line;
	int64_t usn, mod, after_usn, after_mod;
	unsigned sum = 0;

	set_back();
	look(&usn, &mod);
	for (int i = 0; i < CALLS_MAX && rest.len; i++) {
		line = fuzz_cut(&rest, '\n');
		if (line.len >= 2)
			one_call(line);
	}
	look(&after_usn, &after_mod);
	assert(after_usn >= usn && after_mod >= mod);
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + data[i];
	whole_sync(after_usn, after_mod);
	media_fits();
	if (sum % 4 == 0)
		integrity();
	if (sum % 8 == 1)
		download_and_upload(10);
	if (sum % 8 == 5)
		download_and_upload(11);
	return 0;
}

/* --- before the first input --- */

static void cleanup(void)
{
	remove_folder(place->base);
	files_teardown(NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *golden;
	char name[HOME_NAME_MAX], path[PATH_MAX + HOME_NAME_MAX];
	struct import_result r;
	struct err e = ERR_INIT;
	int64_t generation;
	struct home *h;
	void *state;
	int fd;

	(void)argc;
	(void)argv;
	assert(log_open("/dev/null", "json", LOG_LEVEL_DEBUG, &e) == 0);
	sqlite3_config(SQLITE_CONFIG_URI, 1);
	files_in_memory();
	place_setup(&state);
	place = state;
	place->config.media_file_megs = 1;
	golden = files_golden("rich-18", "golden");
	h = place_home(place);
	assert(home_lock(h, &e) == 0 && home_temp(h, name, &fd, &e) == 0);
	snprintf(path, sizeof path, "%s/%s", place->path, name);
	if (import_file(golden, path, &r, &e) != 0 || home_install(h, name, &generation, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	close(fd);
	home_unlock(h);
	server_close(&place->server);
	image_load(&image, place->base);
	assert(server_open(&place->server, &place->config, &e) == 0);
	atexit(cleanup);
	return 0;
}
