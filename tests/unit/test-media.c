/* storage/media and storage/contents: usns, contents on the disk, what is lost, what is swept. */
#include "storage/media.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "storage/contents_sync.h"
#include "storage/sql.h"
#include "tests/unit/test.h"

struct place {
	char base[64];
	struct homes *homes;
	struct home *home;
	struct err e;
};

static struct homes *open_homes(const char *base, bool shared)
{
	const struct homes_options o = { .base = base, .kept_generations = 3, .workers = 4, .lock_ms = 200, .shared = shared };
	struct err e = ERR_INIT;
	struct homes *hs = homes_open(&o, &e);

	if (!hs)
		fail_msg("%s", e.msg);
	return hs;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->base, sizeof p->base, "/tmp/test-media-XXXXXX");
	if (!p || !mkdtemp(p->base))
		return -1;
	p->homes = open_homes(p->base, false);
	assert_int_equal(homes_create(p->homes, &p->home, NULL), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	clock_freeze_ms(0);
	homes_close(p->homes);
	snprintf(command, sizeof command, "rm -rf '%s'", p->base);
	if (system(command) != 0)
		return -1;
	free(p);
	return 0;
}

static void ok(struct place *p, int rc)
{
	if (rc < 0)
		fail_msg("%s", p->e.msg);
}

static struct media *index_of(struct place *p, struct home *h)
{
	struct media *m;

	ok(p, home_media(h, true, &m, &p->e));
	return m;
}

/* One file of a batch: data NULL is a deletion. */
struct file {
	const char *name, *data;
};

static int add(struct contents_put *put, const char *data)
{
	size_t n = strlen(data);

	assert_int_equal(contents_put_begin(put, NULL), 0);
	/* in pieces */
	assert_int_equal(contents_put_write(put, data, n / 2, NULL), 0);
	assert_int_equal(contents_put_write(put, data + n / 2, n - n / 2, NULL), 0);
	assert_int_equal(contents_put_end(put, NULL), 0);
	return (int)contents_put_count(put) - 1;
}

static int room_for(void *arg, int64_t before, int64_t after, struct err *e)
{
	int64_t max = *(const int64_t *)arg;

	return after > before && after > max ? err_set(e, ERR_REFUSED, "full") : 0;
}

/* Upload a batch as the handler does. max < 0: no limit. Returns what media_apply said; *usn on success. */
static int upload_to(struct place *p, struct home *h, const struct file *files, size_t n, int64_t max, int64_t *usn)
{
	struct media_change changes[64];
	struct contents_put *put = contents_put_new(h, &p->e);
	int rc;

	assert_non_null(put);
	for (size_t i = 0; i < n; i++)
		changes[i] = (struct media_change){ slice_of(files[i].name), files[i].data ? add(put, files[i].data) : -1 };
	assert_int_equal(contents_put_sync(put, &p->e), 0);
	assert_int_equal(home_lock(h, &p->e), 0);
	rc = media_apply(index_of(p, h), put, changes, n, max < 0 ? NULL : room_for, &max, usn, &p->e);
	home_unlock(h);
	contents_put_free(put);
	return rc;
}

#define UPLOAD(p, ...) upload(p, (const struct file[]){ __VA_ARGS__ }, sizeof((const struct file[]){ __VA_ARGS__ }) / sizeof(struct file))
static int64_t upload(struct place *p, const struct file *files, size_t n)
{
	int64_t usn = -1;

	ok(p, upload_to(p, p->home, files, n, -1, &usn));
	return usn;
}

/* All rows above `after`, as "name=usn:bytes,…", deleted ones as "name=usn:-". */
static int print_row(void *arg, const struct media_row *row, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	buf_printf(out, "%s%.*s=%lld:", out->len ? "," : "", (int)row->name.len, row->name.p, (long long)row->usn);
	if (row->deleted)
		buf_puts(out, "-");
	else
		buf_printf(out, "%lld", (long long)row->content.bytes);
	return 0;
}

static void assert_rows(struct place *p, struct home *h, int64_t after, int64_t max, const char *want)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	assert_int_equal(home_lock(h, &p->e), 0);
	ok(p, media_changed(index_of(p, h), after, max, print_row, &out, &p->e));
	home_unlock(h);
	assert_string_equal(buf_str(&out), want);
	buf_release(&out);
}

static void assert_totals(struct place *p, int64_t usn, int64_t files, int64_t bytes)
{
	struct media_totals t;

	assert_int_equal(home_lock(p->home, &p->e), 0);
	ok(p, media_totals(index_of(p, p->home), &t, &p->e));
	home_unlock(p->home);
	assert_int_equal(t.last_usn, usn);
	assert_int_equal(t.files, files);
	assert_int_equal(t.bytes, bytes);
}

static void path_of(struct place *p, const char *data, char path[PATH_MAX])
{
	uint8_t digest[SHA1_BYTES];
	char hex[2 * SHA1_BYTES + 1];

	sha1(slice_of(data), digest);
	hex_of(digest, SHA1_BYTES, hex);
	snprintf(path, PATH_MAX, "%s/media/%s", home_path(p->home), hex);
}

static bool is_stored(struct place *p, const char *data)
{
	char path[PATH_MAX], text[256];
	FILE *f;
	size_t n;

	path_of(p, data, path);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	assert_int_equal(n, strlen(data));
	assert_memory_equal(text, data, n);
	return true;
}

static size_t files_in_folder(struct place *p)
{
	char path[PATH_MAX];
	struct dirent *d;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/media", home_path(p->home));
	dir = opendir(path);
	while (dir && (d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static void test_statements(void **state)
{
	struct place *p = *state;

	assert_int_equal(home_lock(p->home, &p->e), 0);
	ok(p, media_prepare_all(index_of(p, p->home), &p->e));
	home_unlock(p->home);
}

static void test_nothing_yet(void **state)
{
	struct place *p = *state;
	char path[PATH_MAX];
	struct media *m;
	int64_t usn = -1;

	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(home_media(p->home, false, &m, &p->e), 0);
	assert_int_equal(media_usn(p->home, &usn, &p->e), 0);
	home_unlock(p->home);
	assert_int_equal(usn, 0);
	/* Asking makes no files. */
	snprintf(path, sizeof path, "%s/media.db", home_path(p->home));
	assert_int_not_equal(access(path, F_OK), 0);
}

static void test_usns(void **state)
{
	struct place *p = *state;
	int64_t usn;

	assert_int_equal(UPLOAD(p, { "a", "1" }, { "b", "22" }, { "c", "333" }), 3);
	assert_rows(p, p->home, 0, 100, "a=1:1,b=2:2,c=3:3");
	/* The same again (a lost reply): nothing is used up. */
	assert_int_equal(UPLOAD(p, { "a", "1" }, { "b", "22" }, { "c", "333" }), 3);
	/* Replaced, deleted, unchanged, deleted what is not there. */
	assert_int_equal(UPLOAD(p, { "a", "new" }, { "b", NULL }, { "c", "333" }, { "nobody", NULL }), 5);
	assert_rows(p, p->home, 0, 100, "c=3:3,a=4:3,b=5:-");
	assert_totals(p, 5, 2, 6);
	assert_int_equal(UPLOAD(p, { "b", NULL }), 5);
	/* The same name twice are two changes; the row holds the second. */
	assert_int_equal(UPLOAD(p, { "e", "x" }, { "e", "y" }), 7);
	assert_rows(p, p->home, 3, 100, "a=4:3,b=5:-,e=7:1");
	assert_int_equal(UPLOAD(p, { "e", "z" }, { "e", NULL }, { "e", "z" }), 10);
	assert_rows(p, p->home, 5, 100, "e=10:1");
	/* Back from the dead. */
	assert_int_equal(UPLOAD(p, { "b", "again" }), 11);
	assert_totals(p, 11, 4, 12);
	assert_rows(p, p->home, 0, 2, "c=3:3,a=4:3");
	assert_rows(p, p->home, 11, 2, "");
	assert_rows(p, p->home, -5, 1, "c=3:3");
	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(media_usn(p->home, &usn, &p->e), 0);
	home_unlock(p->home);
	assert_int_equal(usn, 11);
}

static void test_names_are_bytes(void **state)
{
	struct place *p = *state;
	char longest[256];
	struct media_row row;

	memset(longest, 'n', 255);
	longest[255] = 0;
	assert_int_equal(UPLOAD(p, { "Case", "1" }, { "case", "2" }, { longest, "3" }, { "\xf0\x9f\x98\x80", "4" }), 4);
	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(media_find(index_of(p, p->home), slice_of(longest), &row, &p->e), 1);
	assert_int_equal(row.usn, 3);
	assert_int_equal(media_find(index_of(p, p->home), slice_of("CASE"), &row, &p->e), 0);
	home_unlock(p->home);
}

static void test_contents(void **state)
{
	struct place *p = *state;
	struct media_row row;
	char got[8] = "";
	int fd;

	UPLOAD(p, { "a", "hello" }, { "b", "hello" }, { "c", "other" });
	assert_true(is_stored(p, "hello"));
	assert_true(is_stored(p, "other"));
	assert_int_equal(files_in_folder(p), 2);
	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(media_find(index_of(p, p->home), SLICE("b"), &row, &p->e), 1);
	assert_int_equal(row.content.bytes, 5);
	assert_int_equal(row.content.crc32, 0x3610a686);
	assert_int_equal(media_open(index_of(p, p->home), &row, &fd, &p->e), 1);
	home_unlock(p->home);
	/* A name that is lost does not take the content away from the other one, nor from whoever reads it. */
	UPLOAD(p, { "a", NULL });
	assert_true(is_stored(p, "hello"));
	assert_int_equal(read(fd, got, sizeof got), 5);
	close(fd);
	assert_string_equal(got, "hello");
}

static void many_at_once(struct place *p)
{
	struct file files[25];
	char names[25][8], data[25][16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 25; i++) {
			snprintf(names[i], sizeof names[i], "n%d", i);
			snprintf(data[i], sizeof data[i], "data %d %d", i, i % 2 ? round : 0);
			files[i] = (struct file){ names[i], data[i] };
		}
		assert_int_equal(upload(p, files, 25), round ? 37 : 25);
		for (int i = 0; i < 25; i++)
			assert_true(is_stored(p, data[i]));
	}
	assert_int_equal(files_in_folder(p), 37);
}

static void test_many_while_others_write(void **state)
{
	contents_put_assume_quiet(0);
	many_at_once(*state);
	contents_put_assume_quiet(-1);
}

static void test_many_while_nobody_writes(void **state)
{
	contents_put_assume_quiet(1);
	many_at_once(*state);
	contents_put_assume_quiet(-1);
}

static void test_refused(void **state)
{
	struct place *p = *state;
	int64_t usn = -1;

	assert_int_equal(upload_to(p, p->home, (const struct file[]){ { "a", "12345" } }, 1, 10, &usn), 0);
	assert_int_equal(upload_to(p, p->home, (const struct file[]){ { "a", NULL }, { "b", "12345678901" } }, 2, 10, &usn), -1);
	assert_int_equal(p->e.kind, ERR_REFUSED);
	/* Nothing happened, and nothing is left. */
	assert_rows(p, p->home, 0, 10, "a=1:5");
	assert_totals(p, 1, 1, 5);
	assert_int_equal(files_in_folder(p), 1);
	/* What makes it smaller is welcome. */
	assert_int_equal(upload_to(p, p->home, (const struct file[]){ { "a", "1234" } }, 1, 1, &usn), 0);
	assert_int_equal(usn, 2);
}

static void test_lost_content(void **state)
{
	struct place *p = *state;
	const struct slice gone[] = { SLICE("a"), SLICE("never there") };
	struct media_row row;
	char path[PATH_MAX];
	int fd;

	UPLOAD(p, { "a", "first" }, { "b", "second" }, { "c", "third" });
	path_of(p, "first", path);
	assert_int_equal(unlink(path), 0);
	path_of(p, "second", path);
	assert_int_equal(truncate(path, 3), 0);
	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(media_find(index_of(p, p->home), SLICE("a"), &row, &p->e), 1);
	assert_int_equal(media_open(index_of(p, p->home), &row, &fd, &p->e), 0);
	assert_int_equal(media_find(index_of(p, p->home), SLICE("b"), &row, &p->e), 1);
	assert_int_equal(media_open(index_of(p, p->home), &row, &fd, &p->e), 0);
	assert_int_equal(media_forget(index_of(p, p->home), gone, 2, false, &p->e), 0);
	home_unlock(p->home);
	assert_rows(p, p->home, 0, 10, "b=2:6,c=3:5");
	assert_totals(p, 3, 2, 11);
	/* The same content once more heals the cut one without a usn; the forgotten one is new. */
	assert_int_equal(UPLOAD(p, { "b", "second" }, { "a", "first" }), 4);
	assert_true(is_stored(p, "second"));
	assert_rows(p, p->home, 0, 10, "b=2:6,c=3:5,a=4:5");
}

static void age(const char *path, int64_t by_s)
{
	struct timespec t[2] = { { .tv_sec = clock_now_s() - by_s }, { .tv_sec = clock_now_s() - by_s } };

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void test_sweep(void **state)
{
	struct place *p = *state;
	struct media_swept swept;
	char stray[PATH_MAX], young[PATH_MAX], needed[PATH_MAX], temporary[PATH_MAX], foreign[PATH_MAX];

	UPLOAD(p, { "a", "needed" }, { "b", "replaced" }, { "c", "deleted" });
	path_of(p, "needed", needed);
	age(needed, 10 * MEDIA_STRAY_S);
	path_of(p, "replaced", stray);
	age(stray, 10 * MEDIA_STRAY_S);
	/* Its day begins when it loses its name. */
	UPLOAD(p, { "b", "now this" }, { "c", NULL });
	path_of(p, "nobody's", stray);
	make_file(stray);
	age(stray, MEDIA_STRAY_S + 5);
	path_of(p, "nobody's yet", young);
	make_file(young);
	age(young, MEDIA_STRAY_S - 50);
	snprintf(temporary, sizeof temporary, "%s/media/tmp-0123456789abcdef-3", home_path(p->home));
	make_file(temporary);
	age(temporary, MEDIA_STRAY_S + 5);
	snprintf(foreign, sizeof foreign, "%s/media/README", home_path(p->home));
	make_file(foreign);
	age(foreign, MEDIA_STRAY_S + 5);

	assert_int_equal(home_lock(p->home, &p->e), 0);
	ok(p, media_sweep(index_of(p, p->home), MEDIA_STRAY_S, &swept, &p->e));
	home_unlock(p->home);
	assert_int_equal(swept.files, 2);
	assert_int_equal(swept.kept, 3);
	assert_int_not_equal(access(stray, F_OK), 0);
	assert_int_not_equal(access(temporary, F_OK), 0);
	assert_int_equal(access(young, F_OK), 0);
	assert_int_equal(access(foreign, F_OK), 0);
	assert_true(is_stored(p, "needed"));
	assert_true(is_stored(p, "now this"));
	assert_true(is_stored(p, "replaced"));
	assert_true(is_stored(p, "deleted"));
}

static void test_sweep_once_a_day(void **state)
{
	struct place *p = *state;
	char stray[PATH_MAX];

	for (int shared = 0; shared < 2; shared++) {
		char uid[64];

		snprintf(uid, sizeof uid, "%s", home_uid(p->home));
		homes_close(p->homes);
		p->homes = open_homes(p->base, shared);
		assert_int_equal(homes_get(p->homes, slice_of(uid), &p->home, &p->e), 1);
		clock_freeze_ms(0);
		UPLOAD(p, { "a", shared ? "x" : "needed" });
		path_of(p, "nobody's", stray);
		make_file(stray);
		age(stray, 20);
		homes_rest(p->homes, 60000);
		assert_int_equal(access(stray, F_OK), 0);
		clock_freeze_ms(clock_now_ms() + (MEDIA_STRAY_S + 10 * (shared + 1)) * 1000LL * (shared + 1));
		/* Not while somebody has the lock. */
		struct homes *other = open_homes(p->base, false);
		struct home *busy;
		assert_int_equal(homes_get(other, slice_of(home_uid(p->home)), &busy, &p->e), 1);
		assert_int_equal(home_lock(busy, &p->e), 0);
		homes_rest(p->homes, 60000);
		assert_int_equal(access(stray, F_OK), 0);
		home_unlock(busy);
		homes_close(other);
		homes_rest(p->homes, 60000);
		assert_int_not_equal(access(stray, F_OK), 0);
		/* And not at once again. */
		make_file(stray);
		age(stray, 2 * MEDIA_STRAY_S);
		homes_rest(p->homes, 60000);
		assert_int_equal(access(stray, F_OK), 0);
		unlink(stray);
	}
	assert_true(is_stored(p, "x"));
}

/* A clock that was ahead for a while neither stops the sweep for as long nor lets it take what is young. */
static void test_sweep_after_a_wrong_clock(void **state)
{
	struct place *p = *state;
	int64_t now_ms = clock_now_ms();
	char stray[PATH_MAX], young[PATH_MAX];

	UPLOAD(p, { "a", "needed" });
	clock_freeze_ms(now_ms + 400 * 86400000LL);
	homes_rest(p->homes, 60000);
	clock_freeze_ms(now_ms);
	path_of(p, "nobody's", stray);
	make_file(stray);
	age(stray, MEDIA_STRAY_S + 5);
	path_of(p, "nobody's yet", young);
	make_file(young);
	homes_rest(p->homes, 60000);
	assert_int_not_equal(access(stray, F_OK), 0);
	assert_int_equal(access(young, F_OK), 0);
	assert_true(is_stored(p, "needed"));
}

static void test_lost_index(void **state)
{
	struct place *p = *state;
	char command[PATH_MAX + 32];
	int64_t usn;

	UPLOAD(p, { "a", "1" }, { "b", "2" });
	snprintf(command, sizeof command, "rm '%s'/media.db*", home_path(p->home));
	assert_int_equal(system(command), 0);
	/* Numbers that devices know must not come again. */
	usn = UPLOAD(p, { "a", "1" });
	assert_true(usn > 100000000 && usn < INT32_MAX / 2);
	assert_totals(p, usn, 1, 1);
}

static void test_renumber(void **state)
{
	struct place *p = *state;
	struct media_totals t;
	char want[128];

	UPLOAD(p, { "a", "1" }, { "b", "2" }, { "c", "3" });
	UPLOAD(p, { "a", NULL });
	for (int round = 0; round < 2; round++) {
		int64_t before;

		assert_int_equal(home_lock(p->home, &p->e), 0);
		ok(p, media_totals(index_of(p, p->home), &t, &p->e));
		before = t.last_usn;
		ok(p, media_renumber(index_of(p, p->home), &p->e));
		ok(p, media_totals(index_of(p, p->home), &t, &p->e));
		home_unlock(p->home);
		assert_true(t.last_usn > before + 2);
		snprintf(want, sizeof want, "b=%lld:1,c=%lld:1,a=%lld:-", (long long)t.last_usn - 2, (long long)t.last_usn - 1,
			 (long long)t.last_usn);
		assert_rows(p, p->home, before, 10, want);
	}
	assert_int_equal(UPLOAD(p, { "d", "4" }), t.last_usn + 1);
}

static void test_two_workers(void **state)
{
	struct place *p = *state;
	struct homes *others = open_homes(p->base, false);
	struct home *other;
	int64_t usn;

	assert_int_equal(homes_get(others, slice_of(home_uid(p->home)), &other, &p->e), 1);
	for (int i = 0; i < 4; i++) {
		char data[8];

		snprintf(data, sizeof data, "%d", i);
		ok(p, upload_to(p, i % 2 ? other : p->home, (const struct file[]){ { "a", data } }, 1, -1, &usn));
		assert_int_equal(usn, i + 1);
	}
	assert_rows(p, p->home, 0, 10, "a=4:1");
	assert_rows(p, other, 0, 10, "a=4:1");
	homes_close(others);
}

static void test_another_index_under_the_name(void **state)
{
	struct place *p = *state;
	char command[4 * PATH_MAX], uid[64];
	const char *path;

	UPLOAD(p, { "a", "1" });
	/* As a restored backup: copied while nobody has it open. */
	snprintf(uid, sizeof uid, "%s", home_uid(p->home));
	homes_rest(p->homes, 0);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &p->home, &p->e), 1);
	path = home_path(p->home);
	snprintf(command, sizeof command, "cp '%s/media.db' '%s/old'", path, path);
	assert_int_equal(system(command), 0);
	UPLOAD(p, { "b", "2" });
	snprintf(command, sizeof command, "rm '%s'/media.db*; mv '%s/old' '%s/media.db'", path, path, path);
	assert_int_equal(system(command), 0);
	assert_rows(p, p->home, 0, 10, "a=1:1");
}

static void test_unfinished_put(void **state)
{
	struct place *p = *state;
	struct contents_put *put = contents_put_new(p->home, &p->e);
	char *large = calloc(1, 2 << 20);
	uint8_t want[SHA1_BYTES];

	assert_non_null(put);
	add(put, "one");
	sha1(SLICE("one"), want);
	assert_memory_equal(contents_put_content(put, 0)->sha1, want, SHA1_BYTES);
	assert_int_equal(files_in_folder(p), 0);
	assert_int_equal(contents_put_begin(put, &p->e), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(contents_put_write(put, large, 500000, &p->e), 0);
	assert_int_equal(files_in_folder(p), 1);
	contents_put_free(put);
	assert_int_equal(files_in_folder(p), 0);
	contents_put_free(NULL);
	free(large);
}

/* Contents of all sizes, in pieces, also such that are there already: what lies on the disk is what came. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 4096, 1 << 19, (1 << 19) + 1, 1 << 20, (1 << 20) + 1, 3 << 20 };
	enum { N = sizeof sizes / sizeof *sizes };
	struct place *p = *state;
	char *data = malloc(3 << 20), *back = malloc(3 << 20);

	for (size_t i = 0; i < 3 << 20; i++)
		data[i] = (char)((i * 2654435761u) >> 15);
	for (int round = 0; round < 3; round++) {
		struct contents_put *put = contents_put_new(p->home, &p->e);
		struct media_change changes[N];
		char names[N][16];
		int64_t usn;

		contents_put_assume_quiet(round == 1);
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(contents_put_begin(put, &p->e), 0);
			for (size_t at = 0; at < sizes[i]; at += 300000)
				assert_int_equal(contents_put_write(put, data + at, sizes[i] - at < 300000 ? sizes[i] - at : 300000, &p->e), 0);
			assert_int_equal(contents_put_end(put, &p->e), 0);
			snprintf(names[i], sizeof names[i], "%d-%zu", round, i);
			changes[i] = (struct media_change){ slice_of(names[i]), (int)i };
		}
		assert_int_equal(contents_put_sync(put, &p->e), 0);
		assert_int_equal(home_lock(p->home, &p->e), 0);
		ok(p, media_apply(index_of(p, p->home), put, changes, N, NULL, NULL, &usn, &p->e));
		for (size_t i = 0; i < N; i++) {
			struct media_row row;
			int fd;

			assert_int_equal(media_find(index_of(p, p->home), slice_of(names[i]), &row, &p->e), 1);
			assert_int_equal(row.content.bytes, sizes[i]);
			assert_int_equal(media_open(index_of(p, p->home), &row, &fd, &p->e), 1);
			assert_int_equal(read(fd, back, 3 << 20), sizes[i]);
			assert_memory_equal(back, data, sizes[i]);
			close(fd);
		}
		home_unlock(p->home);
		contents_put_free(put);
		assert_int_equal(files_in_folder(p), N);
	}
	contents_put_assume_quiet(-1);
	free(data);
	free(back);
}

/* What `name` holds, if it lies in its row; "" when it is a file. */
static const char *in_row(struct place *p, const char *name)
{
	static char text[MEDIA_SHORT_BYTES + 1];
	struct media_row row;

	assert_int_equal(home_lock(p->home, &p->e), 0);
	assert_int_equal(media_find(index_of(p, p->home), slice_of(name), &row, &p->e), 1);
	memcpy(text, row.data.len ? row.data.p : "", row.data.len);
	text[row.data.len] = 0;
	home_unlock(p->home);
	return text;
}

static void test_short_contents(void **state)
{
	struct place *p = *state;
	char at_most[MEDIA_SHORT_BYTES + 1], more[MEDIA_SHORT_BYTES + 2];
	struct media_swept swept;
	int64_t usn = -1;

	memset(at_most, 'x', sizeof at_most);
	at_most[MEDIA_SHORT_BYTES] = 0;
	memset(more, 'x', sizeof more);
	more[MEDIA_SHORT_BYTES + 1] = 0;
	media_assume_short(MEDIA_SHORT_BYTES);
	assert_int_equal(UPLOAD(p, { "a", "1" }, { "b", "1" }, { "c", at_most }, { "d", more }), 4);
	assert_string_equal(in_row(p, "a"), "1");
	assert_string_equal(in_row(p, "b"), "1");
	assert_string_equal(in_row(p, "c"), at_most);
	assert_string_equal(in_row(p, "d"), "");
	assert_int_equal(files_in_folder(p), 1);
	assert_totals(p, 4, 4, 3 + 2 * MEDIA_SHORT_BYTES);
	/* The same again, another, shorter and longer than before, deleted. */
	assert_int_equal(UPLOAD(p, { "a", "1" }, { "d", more }), 4);
	assert_int_equal(UPLOAD(p, { "a", "22" }, { "b", NULL }, { "c", "long enough to be a file, if it were longer" }), 7);
	assert_string_equal(in_row(p, "a"), "22");
	assert_rows(p, p->home, 4, 10, "a=5:2,b=6:-,c=7:43");
	more[0] = 'y';
	assert_int_equal(UPLOAD(p, { "a", more }, { "d", "short" }), 9);
	assert_string_equal(in_row(p, "a"), "");
	assert_string_equal(in_row(p, "d"), "short");
	assert_int_equal(files_in_folder(p), 2);
	assert_int_equal(upload_to(p, p->home, (const struct file[]){ { "e", "12345" } }, 1, 10, &usn), -1);
	assert_int_equal(p->e.kind, ERR_REFUSED);
	/* The file that nobody needs is swept, and only that. */
	assert_int_equal(home_lock(p->home, &p->e), 0);
	ok(p, media_sweep(index_of(p, p->home), -10, &swept, &p->e));
	home_unlock(p->home);
	assert_int_equal(swept.files, 1);
	assert_true(files_in_folder(p) == 1);
	/* What became a file before, for whatever reason, stays one. */
	media_assume_short(0);
	assert_int_equal(UPLOAD(p, { "f", "a file" }), 10);
	media_assume_short(MEDIA_SHORT_BYTES);
	assert_int_equal(UPLOAD(p, { "f", "a file" }), 10);
	assert_string_equal(in_row(p, "f"), "");
	media_assume_short(0);
}

static void test_index_of_earlier_versions(void **state)
{
	struct place *p = *state;
	struct homes *others;
	struct home *other;
	char path[PATH_MAX], uid[64];
	struct sql s;

	UPLOAD(p, { "a", "1" });
	snprintf(uid, sizeof uid, "%s", home_uid(p->home));
	snprintf(path, sizeof path, "%s/media.db", home_path(p->home));
	homes_close(p->homes);
	p->homes = open_homes(p->base, true);
	if (sql_open(&s, path, 0, NULL, 0, &p->e) != 0 || sql_exec(&s, "ALTER TABLE media DROP COLUMN data", &p->e) != 0)
		fail_msg("%s", p->e.msg);
	sql_close(&s);
	others = open_homes(p->base, false);
	assert_int_equal(homes_get(p->homes, slice_of(uid), &p->home, &p->e), 1);
	assert_int_equal(homes_get(others, slice_of(uid), &other, &p->e), 1);
	media_assume_short(MEDIA_SHORT_BYTES);
	assert_int_equal(UPLOAD(p, { "b", "22" }), 2);
	media_assume_short(0);
	assert_rows(p, other, 0, 10, "a=1:1,b=2:2");
	assert_string_equal(in_row(p, "b"), "22");
	homes_close(others);
}

/* One that cannot be synced is an error wherever it stands, and nothing of it is left for the next time. */
static void test_sync_at_once(void **state)
{
	struct place *p = *state;
	int fds[CONTENTS_PUT_MAX], folder = open(p->base, O_RDONLY | O_DIRECTORY), good, pipe_fd[2];

	assert_true(folder >= 0);
	assert_int_equal(pipe(pipe_fd), 0);
	for (size_t i = 0; i < CONTENTS_PUT_MAX; i++) {
		char path[128];

		snprintf(path, sizeof path, "%s/%zu", p->base, i);
		fds[i] = open(path, O_CREAT | O_WRONLY, 0600);
		assert_int_equal(write(fds[i], path, 10), 10);
	}
	for (size_t i = 0; i < CONTENTS_PUT_MAX; i += 21) {
		assert_int_equal(sync_at_once(fds, CONTENTS_PUT_MAX, folder), 0);
		good = fds[i];
		fds[i] = 9999;
		assert_int_equal(sync_at_once(fds, CONTENTS_PUT_MAX, folder), EBADF);
		fds[i] = pipe_fd[0];
		assert_int_equal(sync_at_once(fds, CONTENTS_PUT_MAX, -1), EINVAL);
		fds[i] = good;
	}
	assert_int_equal(sync_at_once(fds, 1, -1), 0);
	assert_int_equal(sync_at_once(fds, 0, folder), 0);
	assert_int_equal(sync_at_once(fds, 1, 9999), EBADF);
	for (size_t i = 0; i < CONTENTS_PUT_MAX; i++)
		close(fds[i]);
	close(folder);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_statements),
		CASE(test_nothing_yet),
		CASE(test_usns),
		CASE(test_names_are_bytes),
		CASE(test_contents),
		CASE(test_many_while_others_write),
		CASE(test_many_while_nobody_writes),
		CASE(test_refused),
		CASE(test_lost_content),
		CASE(test_sweep),
		CASE(test_sweep_once_a_day),
		CASE(test_sweep_after_a_wrong_clock),
		CASE(test_lost_index),
		CASE(test_renumber),
		CASE(test_two_workers),
		CASE(test_another_index_under_the_name),
		CASE(test_unfinished_put),
		CASE(test_sizes),
		CASE(test_sync_at_once),
		CASE(test_short_contents),
		CASE(test_index_of_earlier_versions),
	};

	media_assume_short(0); /* few bytes make a file, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
