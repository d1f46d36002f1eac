/*
 * What a media upload leaves behind when something fails in the middle of it. test_media_faults.py runs this program:
 *
 *   media-faults prepare BASE SCENARIO
 *   media-faults run BASE SCENARIO count | kill N | once N ERRNO | ever N ERRNO | record FILE
 *        prints `acked`, `refused` (in words) or `failed` and the number of calls; or dies
 *   media-faults verify BASE SCENARIO
 *        prints `old` or `new`: the state that it found, all of it; and then does it once more, to the end
 *
 * Exit status 3: what must hold does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/digest.h"
#include "core/media_check.h"
#include "core/media_sync.h"
#include "storage/accounts.h"
#include "storage/home.h"
#include "storage/media.h"
#include "tests/faults/watch.h"
#include "tests/unit/zips.h"

uint64_t server_max_payload(const struct server *s)
{
	(void)s;
	return 300 << 20;
}

int call_key_again(struct server *s, struct home *h, struct call *c, struct err *e)
{
	(void)s;
	(void)h;
	(void)c;
	(void)e;
	return 0;
}

static int __attribute__((format(printf, 1, 2), noreturn)) wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	puts("");
	exit(3);
}

/* --- scenarios: what is there, and what is sent --- */

struct file {
	const char *name, *data; /* data NULL: deleted */
};
enum { FILES_MAX = 16 };

static char large[3 << 20];

static const struct scenario {
	const char *name;
	int quiet, in_rows; /* in_rows: contents so short that they are no files */
	struct file before[FILES_MAX], sent[FILES_MAX], after[FILES_MAX];
	int64_t usn_before, usn_after;
} scenarios[] = {
	{ "first", 0, 0, { { 0 } },
	  { { "a", "1" }, { "b", "22" }, { "c", "333" } },
	  { { "a", "1" }, { "b", "22" }, { "c", "333" } }, 0, 3 },
	{ "few", 0, 0, { { "a", "1" }, { "b", "22" }, { "c", "333" } },
	  { { "a", "new" }, { "b", NULL }, { "d", "4" } },
	  { { "a", "new" }, { "b", NULL }, { "c", "333" }, { "d", "4" } }, 3, 6 },
	{ "many", 0, 0, { { "a", "1" }, { "b", "22" }, { "c", "333" } },
	  { { "a", "new" }, { "b", NULL }, { "c", "333" }, { "d", "4" }, { "e", "5" }, { "f", "6" }, { "g", "22" } },
	  { { "a", "new" }, { "b", NULL }, { "c", "333" }, { "d", "4" }, { "e", "5" }, { "f", "6" }, { "g", "22" } }, 3, 9 },
	{ "bulk", 1, 0, { { "a", "1" }, { "b", "22" }, { "c", "333" } },
	  { { "a", "new" }, { "b", NULL }, { "c", "333" }, { "d", "4" }, { "e", "5" }, { "f", "6" }, { "g", "22" } },
	  { { "a", "new" }, { "b", NULL }, { "c", "333" }, { "d", "4" }, { "e", "5" }, { "f", "6" }, { "g", "22" } }, 3, 9 },
	{ "short", 0, 1, { { "a", "1" }, { "b", "22" }, { "c", "333" } },
	  { { "a", "new" }, { "b", NULL }, { "d", "4" } },
	  { { "a", "new" }, { "b", NULL }, { "c", "333" }, { "d", "4" } }, 3, 6 },
	{ "mixed", 0, 1, { { "a", large } },
	  { { "a", "new" }, { "b", large }, { "c", "333" } },
	  { { "a", "new" }, { "b", large }, { "c", "333" } }, 1, 4 },
	{ "large", 0, 0, { { "a", "1" } },
	  { { "a", large }, { "b", "22" } },
	  { { "a", large }, { "b", "22" } }, 1, 3 },
	{ "deletion", 0, 0, { { "a", "1" }, { "b", "22" } },
	  { { "a", NULL } },
	  { { "a", NULL }, { "b", "22" } }, 2, 3 },
};

static const struct scenario *scenario_named(const char *name)
{
	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		if (strcmp(scenarios[i].name, name) == 0) {
			media_assume_short(scenarios[i].in_rows ? MEDIA_SHORT_BYTES : 0);
			return &scenarios[i];
		}
	wrong("no scenario %s", name);
}

/* --- the server, as far as it is needed --- */

struct place {
	struct config config;
	struct server server;
	struct home *home;
};

static void place_open(struct place *p, const char *base, bool make)
{
	struct homes_options o = { .base = base, .kept_generations = 3, .workers = 4, .lock_ms = 200 };
	char path[PATH_MAX], uid[64] = "";
	struct account account = { .name = "somebody", .hash = "x" };
	struct err e = ERR_INIT;
	FILE *f;

	*p = (struct place){ .config = { .media_file_megs = 100 } };
	p->server = (struct server){ .config = &p->config, .homes = homes_open(&o, &e) };
	if (p->server.homes)
		p->server.accounts = accounts_open(base, false, false, &e);
	if (!p->server.accounts)
		wrong("open: %s", e.msg);
	snprintf(path, sizeof path, "%s/uid", base);
	if (make) {
		if (homes_create(p->server.homes, &p->home, &e) != 0)
			wrong("create: %s", e.msg);
		snprintf(account.uid, sizeof account.uid, "%s", home_uid(p->home));
		f = fopen(path, "w");
		if (!f || fputs(home_uid(p->home), f) < 0 || fclose(f) != 0 || accounts_add(p->server.accounts, &account, &e) != 0)
			wrong("create: %s", e.msg);
		return;
	}
	f = fopen(path, "r");
	if (!f || fscanf(f, "%63s", uid) != 1 || homes_get(p->server.homes, slice_of(uid), &p->home, &e) != 1)
		wrong("open: no home: %s", e.msg);
	fclose(f);
}

static void place_close(struct place *p)
{
	homes_close(p->server.homes);
	accounts_close(p->server.accounts);
}

static void make_zip(struct buf *zip, const struct file *files)
{
	struct zip_part parts[FILES_MAX + 1];
	struct buf meta = BUF_INIT(BUF_UNBOUNDED);
	char names[FILES_MAX][8];
	size_t n = 0;

	for (size_t i = 0; i < FILES_MAX && files[i].name; i++) {
		buf_puts(&meta, i ? "," : "[");
		if (files[i].data) {
			snprintf(names[n], sizeof names[n], "%zu", n);
			parts[n] = (struct zip_part){ names[n], files[i].data };
			buf_printf(&meta, "[\"%s\",\"%s\"]", files[i].name, names[n++]);
		} else {
			buf_printf(&meta, "[\"%s\",null]", files[i].name);
		}
	}
	buf_puts(&meta, meta.len ? "]" : "[]");
	parts[n++] = (struct zip_part){ "_meta", buf_str(&meta) };
	zip_make(zip, parts, n);
	buf_release(&meta);
}

/* As a request: "acked", "refused", or "failed" with *e. */
static const char *send_files(struct place *p, const struct file *files, struct err *e)
{
	struct buf zip = BUF_INIT(BUF_UNBOUNDED);
	struct reply r = { .body = BUF_INIT(BUF_UNBOUNDED) };
	struct mem_source body;
	struct call c = { .version = 11, .body = &body.source };
	const char *result;

	make_zip(&zip, files);
	mem_source_init(&body, buf_slice(&zip));
	if (media_upload(&p->server, p->home, &c, &r, e) != 0)
		result = "failed";
	else
		result = strncmp(buf_str(&r.body), "{\"data\":[", 9) == 0 ? "acked" : "refused";
	home_unlock(p->home);
	buf_release(&r.body);
	buf_release(&zip);
	return result;
}

/* --- run --- */

static int run(const char *base, const struct scenario *s, char **words)
{
	static const char *const names[] = { "count", "kill", "once", "ever", "record" };
	struct place p;
	struct err e = ERR_INIT;
	const char *result;
	size_t fault = 0;
	int record = -1;
	long calls;

	while (fault < 5 && strcmp(words[0], names[fault]) != 0)
		fault++;
	if (fault == 5)
		wrong("%s?", words[0]);
	place_open(&p, base, false);
	contents_put_assume_quiet(s->quiet);
	if (fault == 4) {
		record = open(words[1], O_CREAT | O_TRUNC | O_WRONLY, 0600);
		watch_begin(base, WATCH_ONLY, 0, 0, record);
	} else {
		watch_begin(base, (enum watch_fault)fault, fault ? atol(words[1]) : 0, fault > 1 ? atoi(words[2]) : 0, -1);
	}
	result = send_files(&p, s->sent, &e);
	if (strcmp(result, "acked") == 0)
		watch_note("acked");
	place_close(&p); /* which moves the journal into the database */
	calls = watch_end();
	printf("%s %ld %s\n", result, calls, e.msg);
	return 0;
}

/* --- verify --- */

struct looking {
	const struct file *want;
	size_t n;
};

static int look_at(void *arg, const struct media_row *row, struct err *e)
{
	struct looking *l = arg;
	uint8_t digest[SHA1_BYTES];

	(void)e;
	l->n++;
	for (size_t i = 0; i < FILES_MAX && l->want[i].name; i++) {
		if (!slice_eq_str(row->name, l->want[i].name))
			continue;
		if (!l->want[i].data)
			return !row->deleted;
		sha1(slice_of(l->want[i].data), digest);
		return row->deleted || memcmp(digest, row->content.sha1, SHA1_BYTES) != 0;
	}
	return 1;
}

static bool is_state(struct place *p, const struct file *want, int64_t usn)
{
	struct looking l = { .want = want };
	struct media_totals t = { 0 };
	struct err e = ERR_INIT;
	struct media *m;
	size_t n = 0;
	int rc;

	while (n < FILES_MAX && want[n].name)
		n++;
	if (home_lock(p->home, &e) != 0)
		wrong("lock: %s", e.msg);
	rc = home_media(p->home, false, &m, &e);
	if (rc == 1)
		rc = media_totals(m, &t, &e) != 0 ? -1 : media_each(m, -1, look_at, &l, &e);
	home_unlock(p->home);
	if (rc < 0)
		wrong("reading: %s", e.msg);
	return rc == 0 && l.n == n && t.last_usn == usn;
}

static void finding(void *arg, enum media_finding_kind kind, struct slice name)
{
	(void)arg;
	printf("finding %d: %.*s\n", (int)kind, (int)name.len, name.p);
}

static void check(struct place *p)
{
	struct media_check c = { .found = finding };
	struct err e = ERR_INIT;

	if (media_check_run(p->home, &c, &e) != 0)
		wrong("check: %s", e.msg);
	if (c.findings)
		wrong("%lld findings", (long long)c.findings);
}

static int count(void *arg, const struct contents_entry *entry, struct err *e)
{
	(void)e;
	if (!entry->is_content)
		wrong("%s was not swept", entry->name);
	++*(size_t *)arg;
	return 0;
}

/* Two days later nothing is left but what is needed. */
static void check_sweep(struct place *p, const struct file *want, bool in_rows)
{
	struct contents c = CONTENTS_INIT;
	struct media_swept swept;
	struct err e = ERR_INIT;
	size_t there = 0, needed = 0;
	struct media *m;

	clock_freeze_ms(clock_now_ms() + 2LL * MEDIA_STRAY_S * 1000);
	if (home_lock(p->home, &e) != 0 || home_media(p->home, false, &m, &e) != 1 ||
	    media_sweep(m, MEDIA_STRAY_S, &swept, &e) != 0 || contents_open(&c, p->home, &e) != 1 ||
	    contents_list(&c, count, &there, &e) != 0)
		wrong("sweep: %s", e.msg);
	home_unlock(p->home);
	contents_close(&c);
	for (size_t i = 0; i < FILES_MAX && want[i].name; i++)
		needed += want[i].data && (!in_rows || strlen(want[i].data) > MEDIA_SHORT_BYTES);
	if (there != needed)
		wrong("%zu contents are left, %zu are needed", there, needed);
	check(p);
}

static int verify(const char *base, const struct scenario *s)
{
	struct place p;
	struct err e = ERR_INIT;
	bool is_old, is_new;
	const char *again;

	place_open(&p, base, false);
	is_old = is_state(&p, s->before, s->usn_before);
	is_new = is_state(&p, s->after, s->usn_after);
	if (is_old == is_new)
		wrong("neither the old state nor the new one");
	check(&p);
	contents_put_assume_quiet(s->quiet);
	again = send_files(&p, s->sent, &e);
	if (strcmp(again, "acked") != 0)
		wrong("once more: %s: %s", again, e.msg);
	if (!is_state(&p, s->after, s->usn_after))
		wrong("once more: not the new state");
	check(&p);
	check_sweep(&p, s->after, s->in_rows);
	place_close(&p);
	puts(is_new ? "new" : "old");
	return 0;
}

static int prepare(const char *base, const struct scenario *s)
{
	struct place p;
	struct err e = ERR_INIT;

	place_open(&p, base, true);
	if (s->before[0].name && strcmp(send_files(&p, s->before, &e), "acked") != 0)
		wrong("prepare: %s", e.msg);
	if (!is_state(&p, s->before, s->usn_before))
		wrong("prepare: another state");
	place_close(&p);
	return 0;
}

int main(int argc, char **argv)
{
	memset(large, 'x', sizeof large - 1);
	umask(077);
	if (argc == 4 && strcmp(argv[1], "prepare") == 0)
		return prepare(argv[2], scenario_named(argv[3]));
	if (argc > 4 && strcmp(argv[1], "run") == 0)
		return run(argv[2], scenario_named(argv[3]), argv + 4);
	if (argc == 4 && strcmp(argv[1], "verify") == 0)
		return verify(argv[2], scenario_named(argv[3]));
	wrong("see the top of media-faults.c");
}
