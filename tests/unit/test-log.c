/* base/log: what a line looks like, and that nobody can forge one or flood the disk. */
#include "base/log.h"

#include <fcntl.h>
#include <syslog.h>

#include "base/buf.h"
#include "base/clock.h"
#include "tests/unit/test.h"

static char path[] = "/tmp/ankisync-log-XXXXXX";

/* What was logged since the last call, each "[pid]" as [1]. */
static const char *logged(void)
{
	static struct buf text = BUF_INIT(BUF_UNBOUNDED);
	char line[4096], pid[32];
	FILE *f = fopen(path, "r");
	int dropped;

	assert_non_null(f);
	buf_reset(&text);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	while (fgets(line, sizeof line, f)) {
		char *at = strstr(line, pid);

		assert_non_null(at);
		buf_put(&text, line, (size_t)(at - line));
		buf_putc(&text, '1');
		buf_puts(&text, at + strlen(pid));
	}
	fclose(f);
	dropped = truncate(path, 0);
	assert_int_equal(dropped, 0);
	return buf_str(&text);
}

static void open_log(const char *format, enum log_level least)
{
	struct err e = ERR_INIT;

	if (log_open(path, format, least, &e) != 0)
		fail_msg("%s", e.msg);
}

static void test_text(void **state)
{
	(void)state;
	open_log("text", LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_INFO, "sync", "user", "abc", "client", "anki,26.9 (x)", "none", NULL, "empty", "", NULL);
	log_event(LOG_LEVEL_DEBUG, "unseen", NULL);
	log_line(LOG_LEVEL_INFO, "%d workers", 4);
	assert_string_equal(logged(), "2025-06-01T12:00:00.042Z info [1] sync user=abc client=\"anki,26.9 (x)\" empty=\"\"\n"
				      "2025-06-01T12:00:00.042Z info [1] 4 workers\n");
}

static void test_numbers(void **state)
{
	(void)state;
	open_log("text", LOG_LEVEL_INFO);
	for (int i = 0; i < 2; i++) {
		assert_true(log_begin(LOG_LEVEL_INFO, "sync"));
		log_put("user", SLICE("a b"));
		log_put_int("ms", 0);
		log_put_count("cards_in", 0);
		log_put_count("cards_out", 7);
		log_end();
		if (i == 0) {
			assert_string_equal(logged(), "2025-06-01T12:00:00.042Z info [1] sync user=\"a b\" ms=0 cards_out=7\n");
			open_log("json", LOG_LEVEL_INFO);
		}
	}
	assert_string_equal(logged(),
			    "{\"time\":\"2025-06-01T12:00:00.042Z\",\"level\":\"info\",\"pid\":1,\"event\":\"sync\","
			    "\"user\":\"a b\",\"ms\":0,\"cards_in\":0,\"cards_out\":7}\n");
	assert_false(log_begin(LOG_LEVEL_DEBUG, "unseen"));
	log_put("user", SLICE("x"));
	log_put_int("ms", 1);
	log_end();
	assert_string_equal(logged(), "");
}

/* In place of the C library's, also as _FORTIFY_SOURCE calls it. */
static struct {
	int priority;
	char text[256];
} sent;

static void take(int priority, const char *fmt, va_list ap)
{
	sent.priority = priority;
	vsnprintf(sent.text, sizeof sent.text, fmt, ap);
}

void syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	take(priority, fmt, ap);
	va_end(ap);
}

void __syslog_chk(int priority, int flag, const char *fmt, ...);
void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	take(priority, fmt, ap);
	va_end(ap);
}

static void test_syslog(void **state)
{
	(void)state;
	assert_int_equal(log_open("syslog", "text", LOG_LEVEL_INFO, NULL), 0);
	log_event(LOG_LEVEL_WARN, "failed", "error", "%s %n\nfoo", NULL);
	assert_int_equal(sent.priority, LOG_WARNING);
	assert_string_equal(sent.text, "failed error=\"%s %n\\nfoo\"");
	assert_int_equal(log_open("syslog", "json", LOG_LEVEL_INFO, NULL), 0);
	log_event(LOG_LEVEL_ERROR, "failed", NULL);
	assert_int_equal(sent.priority, LOG_ERR);
	assert_non_null(strstr(sent.text, "\"event\":\"failed\"}"));
	assert_string_equal(logged(), "");
}

static void test_stderr(void **state)
{
	int kept = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_APPEND);

	(void)state;
	assert_true(kept >= 0 && file >= 0);
	assert_int_equal(log_open("stderr", "text", LOG_LEVEL_INFO, NULL), 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	log_line(LOG_LEVEL_INFO, "here");
	log_reopen(); /* nothing to open anew */
	log_line(LOG_LEVEL_INFO, "again");
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(file);
	assert_string_equal(logged(), "2025-06-01T12:00:00.042Z info [1] here\n2025-06-01T12:00:00.042Z info [1] again\n");
}

static void test_nobody_forges_a_line(void **state)
{
	(void)state;
	open_log("text", LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_INFO, "x", "c", "a\nb\"\\\x1b[1m\xff\xc2\x9b \xc3\xa9=", NULL);
	log_line(LOG_LEVEL_INFO, "%s", "a\n2025 b");
	assert_string_equal(logged(), "2025-06-01T12:00:00.042Z info [1] x c=\"a\\nb\\\"\\\\\\x1b[1m\\xff\\x9b \xc3\xa9=\"\n"
				      "2025-06-01T12:00:00.042Z info [1] a\\n2025 b\n");
	open_log("json", LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_INFO, "x", "c", "a\n\"\xff\x7f\xc2\x9b\xc2\xa0", NULL);
	log_line(LOG_LEVEL_INFO, "%s", "a\n");
	assert_string_equal(logged(),
			    "{\"time\":\"2025-06-01T12:00:00.042Z\",\"level\":\"info\",\"pid\":1,\"event\":\"x\","
			    "\"c\":\"a\\n\\\"\xef\xbf\xbd\\u007f\\u009b\xc2\xa0\"}\n"
			    "{\"time\":\"2025-06-01T12:00:00.042Z\",\"level\":\"info\",\"pid\":1,\"msg\":\"a\\n\"}\n");
}

static void test_long_values_are_cut_between_characters(void **state)
{
	char value[3000];
	const char *text;

	(void)state;
	for (size_t i = 0; i + 3 < sizeof value; i += 3)
		memcpy(value + i, "\xe2\x82\xac", 4);
	open_log("text", LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_INFO, "x", "c", value, "d", "e", NULL);
	text = logged();
	assert_in_range(strlen(text), 500, 600);
	assert_non_null(strstr(text, "\xe2\x82\xac\" d=e\n"));
	assert_null(strstr(text, "\\x"));
}

static void test_reopen(void **state)
{
	char moved[sizeof path + 2];

	(void)state;
	open_log("text", LOG_LEVEL_INFO);
	snprintf(moved, sizeof moved, "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	log_line(LOG_LEVEL_INFO, "old file");
	log_reopen();
	log_line(LOG_LEVEL_INFO, "new file");
	assert_non_null(strstr(logged(), "new file"));
	unlink(moved);
}

static void test_refuses(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(log_open("somewhere", "text", LOG_LEVEL_INFO, &e), -1);
	assert_int_equal(log_open("stderr", "xml", LOG_LEVEL_INFO, &e), -1);
	assert_int_equal(log_open("/nonexistent/log", "text", LOG_LEVEL_INFO, &e), -1);
	assert_int_equal(log_level_named("warn"), LOG_LEVEL_WARN);
}

/* Last: it uses up what may be written. */
static void test_flood(void **state)
{
	const char *at;
	int lines = 0;

	(void)state;
	open_log("text", LOG_LEVEL_INFO);
	for (int i = 0; i < 5000; i++)
		log_event(LOG_LEVEL_WARN, "failed", NULL);
	log_event(LOG_LEVEL_INFO, "sync", NULL); /* the good news is not limited */
	at = logged();
	assert_non_null(strstr(at, "sync"));
	for (; *at; at++)
		lines += *at == '\n';
	assert_in_range(lines, 190, 1000); /* 10 more for each second that this takes */
	for (int i = 0; i < 6000; i++) { /* until one is let through again */
		usleep(10000);
		log_event(LOG_LEVEL_WARN, "failed", NULL);
		at = logged();
		if (*at)
			break;
	}
	assert_non_null(strstr(at, "lines were left out here"));
	assert_non_null(strstr(at, "failed"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_stderr),
		cmocka_unit_test(test_nobody_forges_a_line),
		cmocka_unit_test(test_long_values_are_cut_between_characters),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_flood),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	clock_freeze_ms(1748779200042);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
