/* base/config: the file's rules, the environment above it, and that the shipped file says what is true. */
#include "base/config.h"

#include <sys/stat.h>

#include "base/buf.h"
#include "tests/unit/test.h"

static char path[] = "/tmp/ankisync-config-XXXXXX";

static void write_file(const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void test_values(void **state)
{
	static const char text[] = "\xef\xbb\xbf# comment\n\nWORKERS=8\r\n  ZSTD_LEVEL = -3\n\tLOGIN_THROTTLE = off\n"
				   "SYNC_BASE = /a path/with = in it\nJOURNAL: rollback\nLOG=syslog";
	struct config c;
	struct err e = ERR_INIT;

	(void)state;
	write_file(text, sizeof text - 1);
	if (config_load(&c, path, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(c.workers, 8);
	assert_int_equal(c.zstd_level, -3);
	assert_false(c.login_throttle);
	assert_string_equal(c.sync_base, "/a path/with = in it");
	assert_string_equal(c.journal, "rollback");
	assert_string_equal(c.log_target, "syslog");
	assert_int_equal(c.max_payload_megs, 100);
	config_release(&c);
	config_release(&c);
}

static void test_complaints(void **state)
{
	static const struct {
		const char *text, *line, *word;
	} cases[] = {
		{ "WORKERS = 2\n\nNO_SUCH_KEY = 1\nWORKERS = x\n", "line 3:", "NO_SUCH_KEY" },
		{ "WORKERS = 0\n", "line 1:", "0" },
		{ "WORKERS = 12x\n", "line 1:", "12x" },
		{ "WORKERS = 99999999999999999999\n", "line 1:", "99999999999999999999" },
		{ "WORKERS =\n", "line 1:", "WORKERS" },
		{ "# x\nWORKERS = 1\nWORKERS = 2\n", "line 3:", "twice" },
		{ "SHARED = maybe\n", "line 1:", "maybe" },
		{ "JOURNAL = delete\n", "line 1:", "delete" },
		{ "JOURNAL = wal rollback\n", "line 1:", "wal rollback" },
		{ "SYNC_BASE = relative/path\n", "line 1:", "relative/path" },
		{ "LOG = here\n", "line 1:", "here" },
		{ "LOG_LEVEL = loud\n", "line 1:", "loud" },
		{ "WORKERS = 2\nnonsense\n", "line 2:", "KEY = value" },
		{ "WORKERS = 2\n  nonsense\nX=1\n", "line 2:", "KEY = value" },
		{ "WORKERS = 2\n[ankisync]\nZSTD_LEVEL = 1\n", "line 2:", "section" },
		{ "WORKERS = 2\nSYNC_USER1 = a:b\n", "line 2:", "environment" },
		{ "PASSWORDS_HASHED = 1\n", "line 1:", "environment" },
	};
	struct config c;
	char longer[400];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = ERR_INIT;

		write_file(cases[i].text, strlen(cases[i].text));
		if (config_load(&c, path, &e) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		if (!strstr(e.msg, path) || !strstr(e.msg, cases[i].line) || !strstr(e.msg, cases[i].word))
			fail_msg("%s\nsays: %s", cases[i].text, e.msg);
	}
	/* what inih would cut in two */
	memset(longer, 'x', sizeof longer);
	memcpy(longer, "\nLOG = /", 8);
	memcpy(longer + 250, "\nWORKERS = 1\n", 13);
	write_file(longer, 263);
	for (int i = 0; i < 2; i++) {
		struct err e = ERR_INIT;

		assert_int_equal(config_load(&c, path, &e), -1);
		assert_non_null(strstr(e.msg, "line 2:"));
		write_file("# a\nWORK\0ERS = 2\n", 17);
	}
}

static void test_environment_wins(void **state)
{
	struct config c;
	struct err e = ERR_INIT;

	(void)state;
	write_file("WORKERS = 8\nZSTD_LEVEL = 1\n", 27);
	setenv("WORKERS", "3", 1);
	setenv("ZSTD_LEVEL", "", 1);
	assert_int_equal(config_load(&c, path, &e), 0);
	assert_int_equal(c.workers, 3);
	assert_int_equal(c.zstd_level, 1);
	config_release(&c);
	setenv("WORKERS", "many", 1);
	assert_int_equal(config_load(&c, path, &e), -1);
	assert_non_null(strstr(e.msg, "environment: WORKERS = many"));
	unsetenv("WORKERS");
	unsetenv("ZSTD_LEVEL");
}

static void test_the_file_itself(void **state)
{
	struct config c;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(config_load(&c, "/nonexistent/ankisync.conf", &e), -1);
	assert_non_null(strstr(e.msg, "/nonexistent/ankisync.conf"));
	write_file("", 0);
	assert_int_equal(chmod(path, 0646), 0);
	assert_int_equal(config_load(&c, path, &e), -1);
	assert_non_null(strstr(e.msg, "chmod"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(config_load(&c, path, &e), 0);
	config_release(&c);
	assert_int_equal(config_load(&c, "/", &e), -1);
}

/* Each key stands in the shipped file, commented, with its default. */
static void test_shipped_file(void **state)
{
	struct config c;
	struct buf out = BUF_INIT(BUF_UNBOUNDED), shipped = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	char line[256], *at, *end;
	FILE *f;

	(void)state;
	if (config_load(&c, SHIPPED, &e) != 0)
		fail_msg("%s", e.msg);
	f = fopen(SHIPPED, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z')
			buf_puts(&shipped, line + 1);
	}
	fclose(f);
	write_file(buf_str(&shipped), shipped.len);
	config_release(&c);
	if (config_load(&c, path, &e) != 0)
		fail_msg("%s", e.msg);
	/* The default of this one depends on how the build was configured. */
	assert_string_equal(c.sync_base, "/var/lib/ankisync");
	config_print(&c, &out);
	assert_string_equal(buf_str(&out), buf_str(&shipped));
	config_release(&c);
	write_file("", 0);
	assert_int_equal(config_load(&c, path, &e), 0);
	buf_reset(&out);
	config_print(&c, &out);
	at = strchr(out.data, '\n');
	end = strchr(shipped.data, '\n');
	assert_non_null(strstr(out.data, "/lib/ankisync\n"));
	assert_string_equal(at, end);
	config_release(&c);
	buf_release(&out);
	buf_release(&shipped);
}

/* The keys of the program, one a line, as config_print has them. */
static void put_keys(struct buf *out)
{
	struct buf all = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct config c;

	write_file("", 0);
	assert_int_equal(config_load(&c, path, &e), 0);
	config_print(&c, &all);
	config_release(&c);
	for (char *line = all.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*strchr(line, ' ') = 0;
		buf_printf(out, "%s\n", line);
	}
	buf_release(&all);
}

/* Where a text explains a key, it says `before` KEY `after`; in the order of the program. */
static void test_every_key_is_explained(void **state)
{
	static const struct {
		const char *path, *before, after;
	} texts[] = { { MANUAL, ".It Cm ", '\n' }, { SETUP, "| `", '`' } };
	struct buf keys = BUF_INIT(BUF_UNBOUNDED), found = BUF_INIT(BUF_UNBOUNDED);
	char line[512];

	(void)state;
	put_keys(&keys);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		FILE *f = fopen(texts[i].path, "r");

		assert_non_null(f);
		buf_reset(&found);
		while (fgets(line, sizeof line, f)) {
			char *key = line + strlen(texts[i].before);

			if (strncmp(line, texts[i].before, strlen(texts[i].before)) != 0 || *key < 'A' || *key > 'Z' || !strchr(key, texts[i].after))
				continue;
			*strchr(key, texts[i].after) = 0;
			buf_printf(&found, "%s\n", key);
		}
		fclose(f);
		assert_string_equal(buf_str(&found), buf_str(&keys));
	}
	buf_release(&keys);
	buf_release(&found);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_environment_wins),
		cmocka_unit_test(test_the_file_itself),
		cmocka_unit_test(test_shipped_file),
		cmocka_unit_test(test_every_key_is_explained),
	};
	int fd, failed;

	/* What the caller has set is not to be tested here. */
	clearenv();
	fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
