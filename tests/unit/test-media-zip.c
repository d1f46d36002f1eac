/* core/media_zip and core/media_pack: zips of strangers, and our own. */
#include "core/media_zip.h"

#include <dirent.h>
#include <fcntl.h>

#include "core/media_pack.h"
#include "storage/home.h"
#include "tests/unit/test.h"
#include "tests/unit/zips.h"

struct place {
	char base[64];
	struct homes *homes;
	struct home *home;
	struct buf zip;
	struct err e;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct homes_options o = { .base = p->base, .kept_generations = 3, .workers = 4, .lock_ms = 200 };

	snprintf(p->base, sizeof p->base, "/tmp/test-zip-XXXXXX");
	if (!mkdtemp(p->base))
		return -1;
	p->homes = homes_open(&o, &p->e);
	if (!p->homes || homes_create(p->homes, &p->home, &p->e) != 0)
		return -1;
	buf_init(&p->zip, BUF_UNBOUNDED);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	buf_release(&p->zip);
	homes_close(p->homes);
	snprintf(command, sizeof command, "rm -rf '%s'", p->base);
	if (system(command) != 0)
		return -1;
	free(p);
	return 0;
}

static const struct media_zip_limits limits = { 1 << 20, 3 << 20 };

/* Spool and read p->zip. On 0 *out tells what came, as "name=bytes,…" ("-" a deletion). */
static int read_zip(struct place *p, struct buf *out)
{
	struct media_upload up = MEDIA_UPLOAD_INIT;
	struct contents_put *put = contents_put_new(p->home, &p->e);
	struct spool spool = SPOOL_INIT;
	struct mem_source body;
	int rc;

	assert_non_null(put);
	mem_source_init(&body, buf_slice(&p->zip));
	assert_int_equal(spool_receive(&spool, p->home, &body.source, 1 << 30, &p->e), 0);
	assert_int_equal(spool.bytes, p->zip.len);
	rc = media_zip_read(&spool, &limits, put, &up, &p->e);
	if (out)
		buf_reset(out);
	for (size_t i = 0; rc == 0 && out && i < up.n; i++) {
		const struct media_change *c = &up.changes[i];

		buf_printf(out, "%s%.*s=", i ? "," : "", (int)c->name.len, c->name.p);
		if (c->content < 0)
			buf_puts(out, "-");
		else
			buf_printf(out, "%lld", (long long)contents_put_content(put, (size_t)c->content)->bytes);
	}
	media_upload_release(&up);
	contents_put_free(put);
	spool_release(&spool);
	return rc;
}

static void assert_no_files(struct place *p)
{
	char path[PATH_MAX];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof path, "%s/media", home_path(p->home));
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			fail_msg("%s was left", d->d_name);
	closedir(dir);
}

static void expect(struct place *p, const char *want)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	p->e = (struct err)ERR_INIT;
	if (read_zip(p, &out) != 0)
		fail_msg("%s: %s", want, p->e.msg);
	assert_string_equal(buf_str(&out), want);
	buf_release(&out);
	assert_no_files(p);
}

static void refuse(struct place *p, const char *what)
{
	p->e = (struct err)ERR_INIT;
	if (read_zip(p, NULL) == 0)
		fail_msg("%s: accepted", what);
	if (p->e.kind != ERR_BAD_REQUEST)
		fail_msg("%s: kind %d, %s", what, p->e.kind, p->e.msg);
	assert_no_files(p);
}

static void test_good(void **state)
{
	struct place *p = *state;

	ZIP_MAKE(&p->zip, { "0", "hello" }, { "1", "wonderful world" }, { "_meta", "[[\"a.jpg\",\"0\"],[\"b\",\"1\"],[\"c\",null]]" });
	expect(p, "a.jpg=5,b=15,c=-");
	/* Older clients: deflated, "" for null, _meta first or in the middle. */
	ZIP_MAKE(&p->zip, { "0", "aaaaaaaaaaaaaaaa", .deflated = true },
		 { "_meta", "[[\"x\", \"\"], [\"a\", \"0\"]]", .deflated = true }, { "5", "later" });
	expect(p, "x=-,a=16");
	ZIP_MAKE(&p->zip, { "_meta", "[[\"n\",\"17\"]]" }, { "17", "x" });
	expect(p, "n=1");
	/* A member for two names, one name twice, members that nobody names, among them an empty one. */
	ZIP_MAKE(&p->zip, { "0", "x" }, { "1", "yy" }, { "7", "spare" }, { "8", "" },
		 { "_meta", "[[\"u1\",\"0\"],[\"u2\",\"0\"],[\"u1\",\"1\"]]" });
	expect(p, "u1=1,u2=1,u1=2");
	ZIP_MAKE(&p->zip, { "_meta", "[]" });
	expect(p, "");
	/* Python's zipfile writes no file type. */
	ZIP_MAKE(&p->zip, { "0", "x", .mode = 0600 }, { "_meta", "[[\"a\",\"0\"]]", .mode = 0600 });
	expect(p, "a=1");
}

static void test_larger_than_memory(void **state)
{
	struct place *p = *state;
	char *data = malloc(1 << 20);

	for (size_t i = 0; i < 1 << 20; i++)
		data[i] = (char)((i * 2654435761u) >> 13);
	ZIP_MAKE(&p->zip, { "0", data, .len = 1 << 20 }, { "1", data, .len = 900000, .deflated = true },
		 { "_meta", "[[\"a\",\"0\"],[\"b\",\"1\"]]" });
	assert_true(p->zip.len > SPOOL_MEMORY_BYTES);
	expect(p, "a=1048576,b=900000");
	free(data);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} cases[] = {
		{ "plain.jpg", true }, { "with space", true }, { "\\\"quoted\\\"", true }, { "a:b*?<>|.txt", true }, { "CON", true },
		{ "...", true }, { ".hidden", true }, { "\\u0001control", true }, { "\xc3\xbcn\xc3\xaf", true }, /* NFC */
		{ "\xe6\x97\xa5\xe6\x9c\xac", true }, { "\xd7\xa2\xd7\x91", true }, { "\xf0\x9f\xa7\xa0", true },
		{ "", false }, { ".", false }, { "..", false }, { "a/b", false }, { "/etc/passwd", false }, { "../x", false },
		{ "a\\\\b", false }, { "nul\\u0000", false }, { "u\xcc\x88n", false }, /* NFD */
	};
	struct place *p = *state;
	char meta[512], longest[260];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(meta, sizeof meta, "[[\"%s\",\"0\"]]", cases[i].name);
		ZIP_MAKE(&p->zip, { "0", "x" }, { "_meta", meta });
		p->e = (struct err)ERR_INIT;
		if ((read_zip(p, NULL) == 0) != cases[i].good)
			fail_msg("%s: %s", cases[i].name, p->e.msg);
		/* Deletions are held to the same. */
		snprintf(meta, sizeof meta, "[[\"%s\",null]]", cases[i].name);
		ZIP_MAKE(&p->zip, { "_meta", meta });
		assert_int_equal(read_zip(p, NULL) == 0, cases[i].good);
	}
	memset(longest, 'n', sizeof longest);
	for (int n = 255; n <= 256; n++) {
		snprintf(meta, sizeof meta, "[[\"%.*s\",\"0\"]]", n, longest);
		ZIP_MAKE(&p->zip, { "0", "x" }, { "_meta", meta });
		assert_int_equal(read_zip(p, NULL), n == 255 ? 0 : -1);
	}
}

static void test_bad_meta(void **state)
{
	static const char *const metas[] = {
		"", "x", "{}", "null", "[[\"a\"]]", "[[\"a\",\"0\",\"0\"]]", "[[\"a\",0]]", "[[1,\"0\"]]", "[\"a\",\"0\"]", "[[\"a\",\"9\"]]",
		"[[\"a\",\"_meta\"]]", "[[\"a\",\"1\"]]", "[[\"a\",[]]]", "[[\"a\",false]]", "[[\"good\",\"0\"],[\"a/b\",\"0\"]]",
		"[[\"a\",\"0\"]", "[[\"a\",\"0\"]]x", "[[\"\\ud800\",\"0\"]]", "[[\"a\xff\",\"0\"]]",
	};
	struct place *p = *state;
	struct buf meta = BUF_INIT(BUF_UNBOUNDED);

	for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
		ZIP_MAKE(&p->zip, { "0", "x" }, { "1", "" }, { "_meta", metas[i] });
		refuse(p, metas[i]);
	}
	ZIP_MAKE(&p->zip, { "0", "x" });
	refuse(p, "no _meta");
	ZIP_MAKE(&p->zip, { "_meta", "[]" }, { "_meta", "[]" });
	refuse(p, "two");
	for (int n = 25; n <= 26; n++) {
		buf_reset(&meta);
		for (int i = 0; i < n; i++)
			buf_printf(&meta, "%s[\"n%d\",\"0\"]", i ? "," : "[", i);
		buf_puts(&meta, "]");
		ZIP_MAKE(&p->zip, { "0", "x" }, { "_meta", buf_str(&meta) });
		assert_int_equal(read_zip(p, NULL), n == 25 ? 0 : -1);
	}
	buf_reset(&meta);
	buf_puts(&meta, "[]");
	while (meta.len < (50 << 10))
		buf_putc(&meta, ' ');
	ZIP_MAKE(&p->zip, { "_meta", buf_str(&meta) });
	expect(p, "");
	buf_putc(&meta, ' ');
	ZIP_MAKE(&p->zip, { "_meta", buf_str(&meta), .deflated = true });
	refuse(p, "_meta of more than 50 KiB");
	buf_release(&meta);
}

#define META { "_meta", "[[\"a\",\"0\"]]" }

static void test_hostile(void **state)
{
	struct place *p = *state;
	struct zip_part many[66];
	char names[66][8];

	ZIP_MAKE(&p->zip, { "0", "x" }, { "../../../../tmp/evil", "x" }, META);
	refuse(p, "a name that climbs");
	ZIP_MAKE(&p->zip, { "0", "x" }, { "/etc/cron.d/x", "x" }, META);
	refuse(p, "an absolute name");
	ZIP_MAKE(&p->zip, { "0", "x" }, { "", "x" }, META);
	refuse(p, "no name");
	ZIP_MAKE(&p->zip, { "0", "/etc/passwd", .mode = 0120777 }, META);
	refuse(p, "a symbolic link");
	ZIP_MAKE(&p->zip, { "0/", "", .mode = 040755 }, { "0", "x" }, META);
	refuse(p, "a folder");
	ZIP_MAKE(&p->zip, { "0", "0123456789abcx", .flags = 1 }, META);
	refuse(p, "an encrypted member");
	ZIP_MAKE(&p->zip, { "0", "x", .wrong_crc = true }, META);
	refuse(p, "a wrong checksum");
	ZIP_MAKE(&p->zip, { "0", "xxxxxxxxxxxxxxxxxxxxx", .deflated = true, .wrong_crc = true }, META);
	refuse(p, "a wrong checksum, deflated");
	ZIP_MAKE(&p->zip, { "0", "xxxxxxxxxxxxxxxxxxxxx", .method = 12 }, META);
	refuse(p, "bzip2");
	ZIP_MAKE(&p->zip, { "0", "not deflated at all", .method = 8 }, META);
	refuse(p, "a broken deflate stream");
	ZIP_MAKE(&p->zip, { "0", "x" }, { "0", "y" }, META);
	refuse(p, "one name twice");
	ZIP_MAKE(&p->zip, { "0", "xxxxxxxxxxxx", .deflated = true, .claims = 3 }, META);
	refuse(p, "more than it claims");
	ZIP_MAKE(&p->zip, { "0", "xxxxxxxxxxxx", .deflated = true, .claims = 300 }, META);
	refuse(p, "less than it claims");
	for (int n = 64; n <= 65; n++) {
		for (int i = 0; i < n - 1; i++) {
			snprintf(names[i], sizeof names[i], "%d", i);
			many[i] = (struct zip_part){ names[i], "x" };
		}
		many[n - 1] = (struct zip_part)META;
		zip_make(&p->zip, many, (size_t)n);
		if (n == 64)
			expect(p, "a=1");
		else
			refuse(p, "65 members");
	}
}

static void test_bombs(void **state)
{
	struct place *p = *state;
	size_t n = (size_t)limits.file_bytes;
	char *zeros = calloc(1, n + 1);

	ZIP_MAKE(&p->zip, { "0", zeros, .len = n, .deflated = true }, META);
	assert_true(p->zip.len < 3000);
	expect(p, "a=1048576");
	ZIP_MAKE(&p->zip, { "0", zeros, .len = n + 1, .deflated = true }, META);
	refuse(p, "a file that is too large");
	ZIP_MAKE(&p->zip, { "0", zeros, .len = n + 1, .deflated = true, .claims = 10 }, META);
	refuse(p, "a file that is too large and says it is not");
	ZIP_MAKE(&p->zip, { "0", zeros, .len = n, .deflated = true }, { "1", zeros, .len = n, .deflated = true },
		 { "2", zeros, .len = n, .deflated = true }, META);
	refuse(p, "three that are too large together");
	free(zeros);
}

/* A directory of many entries that all lead to one member costs memory before the first of them is read. */
static void test_large_directory(void **state)
{
	struct place *p = *state;
	struct buf zip = BUF_INIT(BUF_UNBOUNDED);
	size_t member, line;

	ZIP_MAKE(&zip, { "_meta", "[]" });
	member = 30 + 5 + 2;
	line = 46 + 5;
	for (int honest = 0; honest < 2; honest++) {
		uint32_t size = (uint32_t)(line * 100000);

		buf_set(&p->zip, zip.data, member);
		for (int i = 0; i < 100000; i++)
			buf_put(&p->zip, zip.data + member, line);
		buf_put(&p->zip, zip.data + member + line, 22);
		if (honest)
			memcpy(p->zip.data + p->zip.len - 10, &size, 4);
		refuse(p, "a directory of 100,000 lines");
	}
	buf_release(&zip);
}

static void test_cut_everywhere(void **state)
{
	struct place *p = *state;
	struct buf whole = BUF_INIT(BUF_UNBOUNDED);

	ZIP_MAKE(&whole, { "0", "hello hello hello hello", .deflated = true }, { "1", "stored" },
		 { "_meta", "[[\"a\",\"0\"],[\"b\",\"1\"]]" });
	for (size_t n = 0; n < whole.len; n++) {
		buf_set(&p->zip, whole.data, n);
		refuse(p, "cut off");
		/* The beginning missing, too. */
		buf_set(&p->zip, whole.data + whole.len - n, n);
		refuse(p, "the beginning missing");
	}
	buf_set(&p->zip, whole.data, whole.len);
	expect(p, "a=23,b=6");
	buf_putc(&p->zip, 0);
	refuse(p, "something behind it");
	buf_release(&whole);
}

/* One byte changed, at every place: refused, or the same as before; never a crash, never another content. */
static void test_flipped_bytes(void **state)
{
	struct place *p = *state;
	struct buf whole = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	size_t accepted = 0;

	ZIP_MAKE(&whole, { "0", "hello hello hello hello", .deflated = true }, { "1", "stored" },
		 { "_meta", "[[\"a\",\"0\"],[\"b\",\"1\"]]" });
	for (size_t i = 0; i < whole.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			buf_set(&p->zip, whole.data, whole.len);
			p->zip.data[i] = (char)(p->zip.data[i] ^ 1 << bit);
			p->e = (struct err)ERR_INIT;
			if (read_zip(p, &out) != 0) {
				assert_int_equal(p->e.kind, ERR_BAD_REQUEST);
				continue;
			}
			accepted++;
			assert_string_equal(buf_str(&out), "a=23,b=6");
		}
	assert_no_files(p);
	assert_true(accepted > 0 && accepted < whole.len * 4);
	buf_release(&whole);
	buf_release(&out);
}

static void test_spool_limit(void **state)
{
	struct place *p = *state;
	char *data = calloc(1, SPOOL_MEMORY_BYTES + 2);

	for (size_t n = SPOOL_MEMORY_BYTES - 1; n <= SPOOL_MEMORY_BYTES + 1; n++)
		for (uint64_t max = SPOOL_MEMORY_BYTES - 1; max <= SPOOL_MEMORY_BYTES + 1; max++) {
			struct spool s = SPOOL_INIT;
			struct mem_source body;

			mem_source_init(&body, (struct slice){ data, n });
			assert_int_equal(spool_receive(&s, p->home, &body.source, max, &p->e), n <= max ? 0 : -1);
			if (n > max)
				assert_int_equal(p->e.kind, ERR_TOO_BIG);
			spool_release(&s);
		}
	free(data);
}

/* Our own zip, read back by the reader for those of strangers (but its _meta is an object). */
static void test_pack(void **state)
{
	struct place *p = *state;
	static const char *const contents[] = { "first", "second content", "3" };
	static const char *const names[] = { "a.jpg", "\xc3\xbc \"quoted\".png", "c" };

	for (size_t n = 0; n <= 3; n++)
		for (size_t piece = 1; piece < 300; piece += 7) {
			struct contents_put *put = contents_put_new(p->home, &p->e);
			struct media_pack *pack = media_pack_new();
			struct source *source;
			uint64_t bytes;
			ssize_t got;
			int pipe_fd[2];

			for (size_t i = 0; i < n; i++) {
				assert_int_equal(contents_put_begin(put, &p->e), 0);
				assert_int_equal(contents_put_write(put, contents[i], strlen(contents[i]), &p->e), 0);
				assert_int_equal(contents_put_end(put, &p->e), 0);
				assert_int_equal(pipe(pipe_fd), 0);
				assert_int_equal(write(pipe_fd[1], contents[i], strlen(contents[i])), strlen(contents[i]));
				close(pipe_fd[1]);
				media_pack_add(pack, slice_of(names[i]), contents_put_content(put, i), pipe_fd[0]);
			}
			bytes = media_pack_end(pack);
			source = media_pack_source(pack);
			buf_reset(&p->zip);
			while ((got = source->read(source, buf_room(&p->zip, piece), piece, &p->e)) > 0)
				p->zip.len += (size_t)got;
			assert_int_equal(got, 0);
			assert_int_equal(p->zip.len, bytes);
			media_pack_free(pack);
			contents_put_free(put);
			p->e = (struct err)ERR_INIT;
			assert_int_equal(read_zip(p, NULL), -1);
			assert_string_equal(p->e.msg, "zip: _meta is no list of at most 25");
		}
	assert_non_null(memmem(p->zip.data, p->zip.len, "{\"0\":\"a.jpg\",\"1\":\"\xc3\xbc \\\"quoted\\\".png\",\"2\":\"c\"}", 40));
}

static void test_pack_of_a_file_that_shrank(void **state)
{
	struct place *p = *state;
	const struct content content = { .bytes = 100 };
	struct media_pack *pack = media_pack_new();
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	media_pack_add(pack, SLICE("a"), &content, open("/dev/null", O_RDONLY));
	media_pack_end(pack);
	assert_int_equal(source_to_buf(media_pack_source(pack), &out, &p->e), -1);
	assert_int_equal(p->e.kind, ERR_DAMAGED);
	media_pack_free(pack);
	media_pack_free(NULL);
	buf_release(&out);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_good),
		CASE(test_larger_than_memory),
		CASE(test_names),
		CASE(test_bad_meta),
		CASE(test_hostile),
		CASE(test_bombs),
		CASE(test_large_directory),
		CASE(test_cut_everywhere),
		CASE(test_flipped_bytes),
		CASE(test_spool_limit),
		CASE(test_pack),
		CASE(test_pack_of_a_file_that_shrank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
