/* storage/overlay: SQLite on top of a file that stays as it is, whatever its pages are. */
#include "storage/overlay.h"

#include <fcntl.h>

#include "base/stream.h"
#include "storage/sql.h"
#include "tests/unit/files.h"

static int base_fd;

static int read_base(void *base, void *p, size_t n, uint64_t at, struct err *e)
{
	(void)base;
	return pread(base_fd, p, n, (off_t)at) == (ssize_t)n ? 0 : err_set(e, ERR_CUT_OFF, "base");
}

static struct overlay *open_overlay(const char *path)
{
	int fd = open(files_path("changes"), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	base_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(base_fd >= 0 && fd >= 0);
	return overlay_new(read_base, NULL, files_size(path), fd);
}

/* The overlay as a file of its own, read in pieces of `step`. */
static const char *written_out(struct overlay *o, size_t step)
{
	const char *path = files_path("out");
	char *piece = malloc(step);
	struct err e = ERR_INIT;

	remove(path);
	for (uint64_t at = 0, n; at < overlay_bytes(o); at += n) {
		n = overlay_bytes(o) - at < step ? overlay_bytes(o) - at : step;
		if (overlay_read(o, piece, (size_t)n, at, &e) != 0)
			fail_msg("%s", e.msg);
		files_write(path, (size_t)at, piece, (size_t)n);
	}
	free(piece);
	return path;
}

static void read_file(const char *path, struct buf *b)
{
	struct fd_source from;
	struct err e = ERR_INIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	fd_source_init(&from, fd);
	assert_int_equal(source_to_buf(&from.source, b, &e), 0);
	close(fd);
}

#define FILL "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "

static void test_changes(void **state)
{
	static const char *const page_sizes[] = { "512", "1024", "4096", "65536" };
	static const struct {
		const char *sql, *ask, *want;
	} steps[] = {
		{ "UPDATE t SET a = 'changed' WHERE i % 1000 = 0", "SELECT count(*) FROM t WHERE a = 'changed'", "20" },
		{ "DROP INDEX t_a", "SELECT count(*) FROM sqlite_schema", "2" },
		{ "DROP TABLE u; CREATE TABLE u (x); INSERT INTO u VALUES (zeroblob(300000))", "SELECT length(x) FROM u", "300000" },
		{ "BEGIN; DELETE FROM t WHERE i > 0; ROLLBACK", "SELECT count(*) FROM t", "20000" },
		{ FILL "INSERT INTO t SELECT i + 20000, 'more' FROM n", "SELECT count(*) FROM t WHERE a = 'more'", "20000" },
		{ "CREATE TEMP TABLE x AS SELECT * FROM t; DELETE FROM t WHERE i % 2; DROP TABLE x", "SELECT count(*) FROM t", "20000" },
	};

	(void)state;
	for (size_t p = 0; p < sizeof page_sizes / sizeof *page_sizes; p++) {
		const char *path = files_path("base");
		struct buf before = BUF_INIT(BUF_UNBOUNDED), after = BUF_INIT(BUF_UNBOUNDED);
		char pragma[80];
		struct overlay *o;
		struct err e = ERR_INIT;

		remove(path);
		snprintf(pragma, sizeof pragma, "PRAGMA page_size=%s; PRAGMA journal_mode=WAL", page_sizes[p]);
		files_sql(path, pragma);
		files_sql(path, "CREATE TABLE t (i integer PRIMARY KEY, a text); CREATE TABLE u (x);" FILL
			  "INSERT INTO t SELECT i, 'text ' || i FROM n; CREATE INDEX t_a ON t (a); PRAGMA wal_checkpoint(TRUNCATE)");
		read_file(path, &before);
		assert_memory_equal(before.data + 18, "\2\2", 2);
		o = open_overlay(path);
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
			struct sql s;

			overlay_offer(o);
			if (sql_open(&s, "overlay", SQL_BUILD | SQL_OVERLAY, NULL, 0, &e) != 0 || sql_exec(&s, steps[i].sql, &e) != 0)
				fail_msg("page size %s, step %zu: %s", page_sizes[p], i, e.msg);
			sql_close(&s);
			written_out(o, i % 2 ? 1 << 20 : 777);
			assert_string_equal(files_ask(files_path("out"), steps[i].ask), steps[i].want);
			assert_string_equal(files_ask(files_path("out"), "PRAGMA integrity_check"), "ok");
		}
		buf_reset(&after);
		read_file(files_path("out"), &after);
		assert_memory_equal(after.data + 18, "\1\1", 2);
		buf_reset(&after);
		read_file(path, &after);
		assert_true(slice_eq(buf_slice(&before), buf_slice(&after)));
		overlay_free(o);
		close(base_fd);
		buf_release(&before);
		buf_release(&after);
	}
	overlay_free(NULL);
}

/* Only one connection gets it, and only the one that it was offered to. */
static void test_offered_once(void **state)
{
	const char *path = files_path("base");
	struct err e = ERR_INIT;
	struct overlay *o;
	struct sql s;

	(void)state;
	files_sql(path, "CREATE TABLE t (i integer PRIMARY KEY)");
	o = open_overlay(path);
	overlay_offer(o);
	assert_int_equal(sql_open(&s, "overlay", SQL_BUILD | SQL_OVERLAY, NULL, 0, &e), 0);
	sql_close(&s);
	assert_int_equal(sql_open(&s, "overlay", SQL_BUILD | SQL_OVERLAY, NULL, 0, &e), -1);
	overlay_free(o);
	close(base_fd);
}

/* A base that cannot be read is an error, and not an empty file. */
static void test_base_is_gone(void **state)
{
	const char *path = files_path("base");
	struct err e = ERR_INIT;
	struct overlay *o;
	struct sql s;
	char piece[100];

	(void)state;
	files_sql(path, "CREATE TABLE t (i integer PRIMARY KEY)");
	o = open_overlay(path);
	files_cut(path, 0);
	overlay_offer(o);
	assert_int_equal(sql_open(&s, "overlay", SQL_BUILD | SQL_OVERLAY, NULL, 0, &e), -1);
	assert_int_equal(e.kind, ERR_CUT_OFF);
	assert_int_equal(overlay_read(o, piece, sizeof piece, 0, &e), -1);
	assert_string_equal(e.msg, "base");
	overlay_free(o);
	close(base_fd);
}

#define TEST(name) cmocka_unit_test_setup(name, files_clear)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_changes), TEST(test_offered_once), TEST(test_base_is_gone) };

	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
