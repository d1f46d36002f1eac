/* See client.h. */
#include "tests/faults/client.h"

#include <argon2.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "core/users.h"
#include "storage/home.h"
#include "storage/media.h"
#include "tests/faults/shim.h"
#include "tests/unit/zips.h"

#define SECRET "secretsecretsecretsecretsecret00"
/* "pw", by parameters that make it quick to check; the first login renews it. */
#define CHEAP_HASH "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"

static struct buf upload_body = BUF_INIT(BUF_UNBOUNDED);
static const char *journal = "wal";

void client_set_journal(const char *name)
{
	journal = name;
}

void client_load_upload(const char *path)
{
	FILE *f = fopen(path, "r");
	char piece[65536];
	size_t n;

	buf_reset(&upload_body);
	while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_put(&upload_body, piece, n);
	if (f)
		fclose(f);
}

int client_open(struct client *c, const char *base)
{
	*c = (struct client){ .reply = BUF_INIT(BUF_UNBOUNDED) };
	snprintf(c->base, sizeof c->base, "%s", base);
	c->config = (struct config){
		.sync_base = c->base, .max_payload_megs = 100, .media_file_megs = 100, .keep_free_megs = 1, .upload_seconds = 60,
		.lock_seconds = 2, .workers = 4, .kept_generations = 2, .zstd_level = 3, .journal = (char *)(uintptr_t)journal,
		.login_throttle = true, .shared_storage = strcmp(journal, "rollback") == 0,
	};
	for (int u = 0; u < 2; u++)
		snprintf(c->key[u], sizeof c->key[u], "%s." SECRET, shim->uid[u]);
	return server_open(&c->server, &c->config, &c->e);
}

void client_close(struct client *c)
{
	server_close(&c->server);
	buf_release(&c->reply);
}

/* --- one call --- */

static int call(struct client *c, int u, int version, const char *session_key, const char *method, struct slice body)
{
	const struct method *m = method_find(AREA_SYNC | AREA_MSYNC, slice_of(method));
	struct mem_source source;
	struct call call = { .version = version, .key = slice_of(u < 0 ? "" : c->key[u]), .session_key = slice_of(session_key),
			     .body = &source.source, .client = SLICE("test"), .address = SLICE("127.0.0.1") };
	struct reply r;
	int rc;

	c->e = (struct err)ERR_INIT;
	mem_source_init(&source, body);
	reply_init(&r);
	buf_reset(&c->reply);
	rc = call_run(&c->server, m, &call, &r, &c->e);
	if (rc == 0 && r.stream)
		rc = source_to_buf(r.stream, &c->reply, &c->e);
	else
		buf_set(&c->reply, r.body.data, r.body.len);
	reply_release(&r);
	server_rest(&c->server);
	return rc;
}

static int ask(struct client *c, int u, const char *session_key, const char *method, const char *body)
{
	return call(c, u, 11, session_key, method, slice_of(body));
}

/* What the reply says is the result, else the operation has failed. */
static int expect(struct client *c, const char *part)
{
	if (strstr(buf_str(&c->reply), part))
		return 0;
	return err_set(&c->e, ERR_REFUSED, "\"%s\" is not in the answer: %.150s", part, buf_str(&c->reply));
}

static int64_t number_in(struct client *c, const char *name)
{
	const char *at = strstr(buf_str(&c->reply), name);

	return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* --- the normal sync --- */

static void deck_json(struct buf *b, int id, const char *name, int mod)
{
	buf_printf(b,
		   "%s{\"id\":%d,\"mod\":%d,\"name\":\"%s\",\"usn\":0,\"lrnToday\":[0,0],\"revToday\":[0,0],\"newToday\":[0,0],"
		   "\"timeToday\":[0,0],\"collapsed\":false,\"desc\":\"\",\"dyn\":0,\"conf\":1}",
		   b->data[b->len - 1] == '}' ? "," : "", id, mod, name);
}

#define MODEL(name, mod)                                                                                                       \
	"{\"id\":1700000000001,\"name\":\"" name "\",\"type\":0,\"mod\":" mod ",\"usn\":0,\"sortf\":0,\"did\":null,\"tmpls\":[{\"name\":"  \
	"\"Card 1\",\"ord\":0,\"qfmt\":\"{{A}}\",\"afmt\":\"{{B}}\",\"bqfmt\":\"\",\"bafmt\":\"\",\"did\":null,\"bfont\":\"\",\"bsize\":"    \
	"0}],\"flds\":[{\"name\":\"A\",\"ord\":0,\"sticky\":false,\"rtl\":false,\"font\":\"Arial\",\"size\":20},{\"name\":\"B\",\"ord\":1,"  \
	"\"sticky\":false,\"rtl\":false,\"font\":\"Arial\",\"size\":20}],\"css\":\"\",\"latexPre\":\"\",\"latexPost\":\"\",\"req\":[[0,"     \
	"\"any\",[0]]]}"

/* Notes and cards `from` to `to`, with reviews. */
static void chunk_json(struct buf *b, int from, int to, int mod)
{
	buf_puts(b, "{\"chunk\":{\"done\":true,\"revlog\":[");
	for (int i = from; i <= to; i++)
		buf_printf(b, "%s[%d,%d,0,3,1,0,2500,9,1]", i > from ? "," : "", mod + i, i);
	buf_puts(b, "],\"cards\":[");
	for (int i = from; i <= to; i++)
		buf_printf(b, "%s[%d,%d,1,0,%d,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]", i > from ? "," : "", i, i, mod);
	buf_puts(b, "],\"notes\":[");
	for (int i = from; i <= to; i++)
		buf_printf(b, "%s[%d,\"guid%d\",1700000000001,%d,0,\" t%d \",\"front %d of %d\\u001fback\",\"\",\"\",0,\"\"]",
			   i > from ? "," : "", i, i, mod, i % 3, i, mod);
	buf_puts(b, "]}}");
}

struct sync {
	int u;
	const char *key, *graves, *changes;
	struct buf chunk;
	int64_t min_usn; /* -1: from meta */
	const char *counts;
};

static int run_sync(struct client *c, struct sync *s, bool with_ack)
{
	char body[256];
	int rc = -1;

	if (ask(c, s->u, s->key, "meta", "{\"v\":11,\"cv\":\"test\"}") != 0)
		goto out;
	if (s->min_usn < 0)
		s->min_usn = number_in(c, "\"usn\":");
	snprintf(body, sizeof body, "{\"minUsn\":%lld,\"lnewer\":true,\"graves\":null}", (long long)s->min_usn);
	if (ask(c, s->u, s->key, "start", body) != 0 || ask(c, s->u, s->key, "applyGraves", s->graves) != 0 ||
	    ask(c, s->u, s->key, "applyChanges", s->changes) != 0)
		goto out;
	for (int i = 0; i < 100; i++) {
		if (ask(c, s->u, s->key, "chunk", "{}") != 0)
			goto out;
		if (strstr(buf_str(&c->reply), "\"done\":true"))
			break;
	}
	if (ask(c, s->u, s->key, "applyChunk", buf_str(&s->chunk)) != 0)
		goto out;
	if (s->counts) {
		snprintf(body, sizeof body, "{\"client\":%s}", s->counts);
		if (ask(c, s->u, s->key, "sanityCheck2", body) != 0 || expect(c, "\"status\":\"ok\"") != 0)
			goto out;
		if (with_ack)
			shim_ack();
	}
	if (ask(c, s->u, s->key, "finish", "{}") != 0)
		goto out;
	if (with_ack && !s->counts)
		shim_ack();
	rc = 0;
out:
	buf_release(&s->chunk);
	return rc;
}

#define NO_GRAVES "{\"chunk\":{\"cards\":[],\"decks\":[],\"notes\":[]}}"
#define NO_CHANGES "{\"changes\":{\"models\":[],\"decks\":[[],[]],\"tags\":[]}}"

static void change_json(struct buf *b, bool first)
{
	buf_printf(b, "{\"changes\":{\"models\":[%s],\"decks\":[[", first ? MODEL("Type", "100") : MODEL("Type renamed", "200"));
	deck_json(b, 11, first ? "A" : "B", first ? 100 : 200); /* names change hands */
	deck_json(b, 12, first ? "B" : "A", first ? 100 : 200);
	deck_json(b, first ? 13 : 14, first ? "C" : "D::E", 100);
	buf_printf(b, "],[]],\"tags\":[\"tag%d\"],\"conf\":{\"curDeck\":1,\"own\":%d},\"crt\":1700000000}}", first, first);
}

static int sync_changes(struct client *c)
{
	struct buf changes = BUF_INIT(BUF_UNBOUNDED);
	struct sync s = { 0, "session", "{\"chunk\":{\"cards\":[3],\"decks\":[13],\"notes\":[3]}}", NULL, BUF_INIT(BUF_UNBOUNDED),
			  shim->client_usn, shim->counts };
	int rc;

	change_json(&changes, false);
	chunk_json(&s.chunk, 5, 12, 200000);
	s.changes = buf_str(&changes);
	rc = run_sync(c, &s, true);
	buf_release(&changes);
	return rc;
}

/* So much that the WAL is checkpointed after it. */
static int send_much(struct client *c, bool with_ack)
{
	struct sync s = { 0, "session", NO_GRAVES, NO_CHANGES, BUF_INIT(BUF_UNBOUNDED), shim->client_usn, NULL };

	char text[3300];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	buf_puts(&s.chunk, "{\"chunk\":{\"done\":true,\"notes\":[");
	for (int i = 100; i < 1200; i++)
		buf_printf(&s.chunk, "%s[%d,\"guid%d\",1700000000001,1,0,\"\",\"%s\\u001fback\",\"\",\"\",0,\"\"]", i > 100 ? "," : "", i, i, text);
	buf_puts(&s.chunk, "]}}");
	return run_sync(c, &s, with_ack);
}

static int sync_much(struct client *c)
{
	return send_much(c, true);
}

int client_next_sync(struct client *c, int u)
{
	struct sync s = { u, "nextsync", NO_GRAVES, NO_CHANGES, BUF_INIT(BUF_UNBOUNDED), -1, NULL };

	buf_puts(&s.chunk, "{\"chunk\":{\"done\":true,\"cards\":[[99,99,1,0,1,0,2,2,10,3,2500,1,0,0,0,0,0,\"\"]]}}");
	return run_sync(c, &s, false);
}

/* A commit to the WAL that begins anew after the checkpoint. */
static int sync_again(struct client *c)
{
	if (send_much(c, false) != 0 || client_next_sync(c, 0) != 0)
		return -1;
	shim_ack();
	return 0;
}

/* --- the others --- */

static int log_in(struct client *c)
{
	const char *at;

	if (ask(c, -1, "", "hostKey", "{\"u\":\"u1\",\"p\":\"pw\"}") != 0)
		return -1;
	at = strstr(buf_str(&c->reply), "\"key\":\"");
	if (!at)
		return -1;
	snprintf(shim->key, sizeof shim->key, "%.*s", (int)strcspn(at + 7, "\""), at + 7);
	shim_ack();
	return 0;
}

static int upload(struct client *c)
{
	if (call(c, 0, 11, "up", "upload", buf_slice(&upload_body)) != 0 || expect(c, "OK") != 0)
		return -1;
	shim_ack();
	return 0;
}

static int download_as(struct client *c, int version)
{
	if (call(c, 0, version, "down", "download", SLICE("{}")) != 0)
		return -1;
	if (c->reply.len < 4096 || memcmp(c->reply.data, "SQLite format 3", 16) != 0)
		return err_set(&c->e, ERR_INTERNAL, "a download of %zu bytes that is no database", c->reply.len);
	shim_ack();
	return 0;
}

static int download(struct client *c)
{
	return download_as(c, 11);
}

static int download_old(struct client *c)
{
	return download_as(c, 10);
}

/* Files `from` to `to`, the first of them under a name that is there already, and one deletion. */
static int send_media(struct client *c, int from, int to, bool with_ack)
{
	struct buf zip = BUF_INIT(BUF_UNBOUNDED), meta = BUF_INIT(BUF_UNBOUNDED);
	struct zip_part parts[32] = { { .name = "_meta" } };
	static char names[32][8], data[32][6000];
	size_t n = 1;
	int rc = -1;

	shim->paused = true;
	buf_puts(&meta, "[");
	for (int i = from; i <= to; i++, n++) {
		snprintf(names[n], sizeof names[n], "%zu", n);
		memset(data[n], 'a' + i, sizeof data[n]);
		parts[n] = (struct zip_part){ .name = names[n], .data = data[n], .len = (size_t)(i % 5 ? 1000 + 100 * i : 20 * i) };
		buf_printf(&meta, "[\"file%d.jpg\",\"%zu\"],", i == from && from > 1 ? 1 : i, n);
	}
	buf_puts(&meta, from > 1 ? "[\"file2.jpg\",null]]" : "[\"nothing.jpg\",null]]");
	parts[0].data = buf_str(&meta);
	zip_make(&zip, parts, n);
	shim->paused = false;
	if (ask(c, 0, "", "begin", "{\"v\":\"test\"}") == 0 && ask(c, 0, "", "mediaChanges", "{\"lastUsn\":0}") == 0 &&
	    call(c, 0, 11, "", "uploadChanges", buf_slice(&zip)) == 0 && expect(c, "\"err\":\"\"") == 0) {
		rc = 0;
		if (with_ack)
			shim_ack();
	}
	buf_release(&zip);
	buf_release(&meta);
	return rc;
}

static int media_few(struct client *c)
{
	return send_media(c, 10, 11, true);
}

static int media_many(struct client *c)
{
	return send_media(c, 10, 17, true);
}

/* So large that it waits in files. */
static int media_large(struct client *c)
{
	static char data[2][800000];
	static const char meta[] = "[[\"large1.jpg\",\"0\"],[\"large2.jpg\",\"1\"]]";
	struct buf zip = BUF_INIT(BUF_UNBOUNDED);
	struct zip_part parts[3] = { { .name = "_meta", .data = meta } };
	int rc;

	for (int i = 0; i < 2; i++) {
		memset(data[i], 'A' + i, sizeof data[i]);
		parts[i + 1] = (struct zip_part){ .name = i ? "1" : "0", .data = data[i], .len = sizeof data[i] };
	}
	shim->paused = true;
	zip_make(&zip, parts, 3);
	shim->paused = false;
	rc = call(c, 0, 11, "", "uploadChanges", buf_slice(&zip)) == 0 ? expect(c, "\"err\":\"\"") : -1;
	if (rc == 0)
		shim_ack();
	buf_release(&zip);
	return rc;
}

static int media_download(struct client *c)
{
	if (ask(c, 0, "", "downloadFiles", "{\"files\":[\"file1.jpg\",\"file3.jpg\",\"file4.jpg\"]}") != 0)
		return -1;
	/* An empty zip has 100 bytes; these files have more than 1000 each. */
	if (c->reply.len < 3000)
		return err_set(&c->e, ERR_INTERNAL, "a zip of %zu bytes", c->reply.len);
	shim_ack();
	return 0;
}

int client_sweep(struct client *c, int u)
{
	int64_t before = clock_now_ms();
	struct media_swept swept;
	struct media *m;
	struct home *h;
	int rc = homes_get(c->server.homes, slice_of(shim->uid[u]), &h, &c->e);

	clock_freeze_ms(before + 3 * 86400000LL);
	if (rc == 1 && (rc = home_lock(h, &c->e)) == 0) {
		rc = home_media(h, false, &m, &c->e);
		if (rc == 1)
			rc = media_sweep(m, 0, &swept, &c->e);
		home_unlock(h);
	}
	clock_freeze_ms(before);
	return rc < 0 ? -1 : 0;
}

static int sweep(struct client *c)
{
	if (send_media(c, 10, 11, false) != 0 || client_sweep(c, 0) != 0)
		return -1;
	shim_ack();
	return 0;
}

static int add_user(struct client *c)
{
	struct account a = { .name = "new", .hash = CHEAP_HASH };

	c->e = (struct err)ERR_INIT;
	if (users_create(&c->server, &a, 1, &c->e) != 0 && c->e.kind != ERR_CONFLICT)
		return -1;
	shim_ack();
	return 0;
}

static int set_password(struct client *c)
{
	c->e = (struct err)ERR_INIT;
	if (users_set_hash(&c->server, shim->uid[0], CHEAP_HASH "x", NULL, &c->e) != 0)
		return -1;
	shim_ack();
	return 0;
}

static int disable(struct client *c)
{
	c->e = (struct err)ERR_INIT;
	if (users_set_state(&c->server, shim->uid[0], ACCOUNT_DISABLED, &c->e) != 0)
		return -1;
	shim_ack();
	return 0;
}

static int delete_user(struct client *c)
{
	c->e = (struct err)ERR_INIT;
	if (users_remove(&c->server, shim->uid[0], &c->e) != 0 && c->e.kind != ERR_NOT_FOUND)
		return -1;
	shim_ack();
	return 0;
}

const struct operation operations[] = {
	{ "login", OPERATION_IN_STEPS, false, log_in }, /* first it renews the hash */
	{ "sync", 0, false, sync_changes },
	{ "sync-much", OPERATION_LARGE, false, sync_much },
	{ "sync-again", OPERATION_LARGE | OPERATION_IN_STEPS, false, sync_again },
	{ "upload", 0, false, upload },
	{ "download", OPERATION_NO_CHANGE, false, download },
	{ "download-old", OPERATION_NO_CHANGE, false, download_old },
	{ "media-few", 0, false, media_few },
	{ "media-many", 0, true, media_many },
	{ "media-busy", 0, false, media_many },
	{ "media-large", OPERATION_LARGE, false, media_large },
	{ "media-down", OPERATION_NO_CHANGE, false, media_download },
	{ "media-sweep", OPERATION_IN_STEPS, false, sweep },
	{ "user-add", 0, false, add_user },
	{ "user-passwd", OPERATION_IN_STEPS, false, set_password },
	{ "user-disable", OPERATION_IN_STEPS, false, disable },
	{ "user-del", OPERATION_IN_STEPS, false, delete_user },
};
const size_t operations_n = sizeof operations / sizeof *operations;

/* --- the template --- */

static void must(struct client *c, int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "template: %s\n", c->e.msg);
	exit(2);
}



static void make_user(struct client *c, int u)
{
	struct account a = { .state = ACCOUNT_ENABLED };
	uint8_t hash[HOME_KEY_HASH_BYTES];
	struct home *h;

	snprintf(a.name, sizeof a.name, "u%d", u + 1);
	if (argon2id_hash_encoded(1, 8, 1, "pw", 2, "somesaltsomesalt", 16, 32, a.hash, sizeof a.hash) != 0)
		exit(2);
	must(c, users_create(&c->server, &a, 1, &c->e));
	snprintf(shim->uid[u], sizeof shim->uid[u], "%s", a.uid);
	snprintf(c->key[u], sizeof c->key[u], "%s." SECRET, a.uid);
	sha256(SLICE(SECRET), hash);
	if (homes_get(c->server.homes, slice_of(a.uid), &h, &c->e) != 1 || home_lock(h, &c->e) != 0)
		must(c, -1);
	must(c, home_key_add(h, hash, SLICE("test"), 1, &c->e));
	home_unlock(h);
}

static void fill_collection(struct client *c, int u)
{
	struct buf changes = BUF_INIT(BUF_UNBOUNDED);
	struct sync s = { u, "first", NO_GRAVES, NULL, BUF_INIT(BUF_UNBOUNDED), 0, NULL };

	change_json(&changes, true);
	s.changes = buf_str(&changes);
	chunk_json(&s.chunk, 1, u ? 60 : 8, 100000 + u);
	must(c, run_sync(c, &s, false));
	/* The first `start` of a day has a transaction of its own. */
	must(c, ask(c, u, "day", "start", "{\"minUsn\":0,\"lnewer\":true}"));
	must(c, ask(c, u, "day", "abort", "{}"));
	buf_release(&changes);
}

void client_make_template(struct client *c, const char *base, const char *upload_path)
{
	FILE *f;

	must(c, client_open(c, base));
	make_user(c, 0);
	make_user(c, 1);
	fill_collection(c, 0);
	fill_collection(c, 1);
	must(c, call(c, 1, 11, "down", "download", SLICE("{}")));
	f = fopen(upload_path, "w");
	if (!f || fwrite(c->reply.data, 1, c->reply.len, f) != c->reply.len || fclose(f) != 0)
		exit(2);
	must(c, send_media(c, 1, 6, false));
	must(c, ask(c, 0, "m", "meta", "{\"v\":11,\"cv\":\"test\"}"));
	shim->client_usn = number_in(c, "\"usn\":");
	client_close(c);
}
