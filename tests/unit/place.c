/* See place.h. */
#include "tests/unit/place.h"

#include "base/clock.h"
#include "base/digest.h"
#include "core/users.h"

struct home *place_home(struct place *p)
{
	struct home *h;

	assert_int_equal(homes_get(p->server.homes, slice_of(p->uid), &h, NULL), 1);
	return h;
}

int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct account account = { .name = "user", .hash = "none" };
	struct err e = ERR_INIT;
	struct home *h;

	/* Nothing here is about power loss, and a thousand commits to a busy disk take a minute. */
	snprintf(p->base, sizeof p->base, "%s/test-sync-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(p->base));
	p->config = (struct config){
		.sync_base = p->base, .max_payload_megs = 100, .upload_seconds = 10, .lock_seconds = 1, .workers = 4,
		.kept_generations = 3, .zstd_level = 3, .journal = (char *)"wal",
	};
	p->version = 11;
	buf_init(&p->reply, BUF_UNBOUNDED);
	if (server_open(&p->server, &p->config, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(users_create(&p->server, &account, 1, &e), 0);
	snprintf(p->uid, sizeof p->uid, "%s", account.uid);
	h = place_home(p);
	snprintf(p->path, sizeof p->path, "%s", home_path(h));
	snprintf(p->key, sizeof p->key, "%s.secretsecretsecretsecretsecret00", p->uid);
	sha256(SLICE("secretsecretsecretsecretsecret00"), hash);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_key_add(h, hash, SLICE("test"), 1, &e), 0);
	home_unlock(h);
	clock_freeze_ms(PLACE_NOW_MS);
	*state = p;
	return 0;
}

int place_teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	clock_freeze_ms(0);
	server_close(&p->server);
	buf_release(&p->reply);
	snprintf(command, sizeof command, "rm -rf '%s'", p->base);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

const char *place_call(struct place *p, const char *session_key, const char *method, const char *body)
{
	const struct method *m = method_find(AREA_SYNC | AREA_MSYNC, slice_of(method));
	struct mem_source source;
	struct call c = { .version = p->version, .key = slice_of(p->key), .session_key = slice_of(session_key),
			  .client = slice_of(p->client ? p->client : ""), .address = slice_of(p->address ? p->address : ""),
			  .body = &source.source };
	struct err e = ERR_INIT;
	struct reply r;
	int rc;

	assert_non_null(m);
	mem_source_init(&source, slice_of(body));
	reply_init(&r);
	rc = call_run(&p->server, m, &c, &r, &e);
	buf_set(&p->reply, r.body.data, r.body.len);
	p->kind = rc == 0 ? ERR_NONE : e.kind;
	reply_release(&r);
	return rc == 0 ? buf_str(&p->reply) : NULL;
}

void place_must(struct place *p, const char *session_key, const char *method, const char *body, const char *want)
{
	const char *got = place_call(p, session_key, method, body);

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s %s: kind %d: %s", method, body, p->kind, got ? got : "(error)");
}

void place_must_fail(struct place *p, const char *session_key, const char *method, const char *body, enum err_kind kind)
{
	const char *got = place_call(p, session_key, method, body);

	if (got || p->kind != kind)
		fail_msg("%s %s: kind %d: %s", method, body, p->kind, got ? got : "(error)");
}

void place_file(struct place *p, struct sql *s)
{
	struct home *h = place_home(p);
	struct err e = ERR_INIT;
	char file[PATH_MAX];
	int64_t generation;

	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_generation(h, &generation, &e), 0);
	home_unlock(h);
	home_generation_path(h, generation, file);
	if (sql_open(s, file, 0, NULL, 0, &e) != 0)
		fail_msg("%s", e.msg);
}

const char *place_query(struct place *p, const char *text)
{
	static char value[4096];
	sqlite3_stmt *st = NULL;
	struct sql s;

	place_file(p, &s);
	if (sqlite3_prepare_v2(s.db, text, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(s.db));
	value[0] = 0;
	if (sqlite3_step(st) == SQLITE_ROW)
		snprintf(value, sizeof value, "%s", sqlite3_column_text(st, 0) ? (const char *)sqlite3_column_text(st, 0) : "NULL");
	sqlite3_finalize(st);
	sql_close(&s);
	return value;
}

void place_begin_account(struct place *p)
{
	place_must(p, "make", "start", "{\"minUsn\":0,\"lnewer\":true}", NO_GRAVES);
	assert_non_null(place_call(p, "make", "finish", "{}"));
	assert_string_equal(place_query(p, "SELECT usn FROM col"), "1");
}

void place_start_sync(struct place *p, const char *key, int64_t min_usn)
{
	char body[64];

	snprintf(body, sizeof body, "{\"minUsn\":%lld,\"lnewer\":true,\"graves\":null}", (long long)min_usn);
	if (!place_call(p, key, "start", body))
		fail_msg("start: kind %d", p->kind);
}
