/* See log.h. A line leaves in one write, so that lines of several workers do not mix. */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <syslog.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

enum {
	MESSAGE_MAX_BYTES = 1024,
	VALUE_MAX_BYTES = 512, /* clients choose some of the values */
	/* Failures may come as fast as anybody likes to send them: the disk must not pay for that. */
	FLOOD_BURST = 200,
	FLOOD_PER_S = 10,
};

static struct {
	struct buf line; /* between log_begin and log_end */
	bool open;
	enum log_level level; /* of that line */
	int fd;     /* -1: syslog */
	char *path; /* of a file, NULL else */
	bool json;
	enum log_level least;
	int64_t tokens_ms; /* of the flood limit: 1000 per line */
	int64_t filled_ms;
	unsigned long left_out;
} state = { .line = BUF_INIT(BUF_UNBOUNDED), .fd = STDERR_FILENO, .least = LOG_LEVEL_INFO, .tokens_ms = FLOOD_BURST * 1000 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

enum log_level log_level_named(const char *name)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(name, level_names[i]) == 0)
			return (enum log_level)i;
	}
	return LOG_LEVEL_INFO;
}

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

int log_open(const char *target, const char *format, enum log_level least, struct err *e)
{
	bool json = strcmp(format, "json") == 0;
	int fd = STDERR_FILENO;
	char *path = NULL;

	if (!json && strcmp(format, "text") != 0)
		return err_set(e, ERR_BAD_REQUEST, "log format \"%s\": text or json", format);
	if (strcmp(target, "syslog") == 0) {
		fd = -1;
	} else if (target[0] == '/') {
		fd = open_file(target);
		if (fd < 0)
			return err_errno(e, "log %s", target);
		path = xstrdup(target);
	} else if (strcmp(target, "stderr") != 0) {
		return err_set(e, ERR_BAD_REQUEST, "log \"%s\": stderr, syslog or an absolute path", target);
	}
	if (state.path) {
		close(state.fd);
		free(state.path);
	}
	if (fd < 0)
		openlog("ankisync", LOG_PID, LOG_DAEMON);
	state.fd = fd;
	state.path = path;
	state.json = json;
	state.least = least;
	return 0;
}

void log_reopen(void)
{
	int fd;

	if (!state.path)
		return;
	fd = open_file(state.path);
	if (fd < 0) {
		log_line(LOG_LEVEL_ERROR, "log %s: %s; the old file is kept", state.path, strerror(errno));
		return;
	}
	close(state.fd);
	state.fd = fd;
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return s.len > 0;
}

/* Everything a terminal or a line-oriented reader could take for its own becomes visible: controls, also those of C1. */
static void put_escaped(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		size_t used = utf8_sequence(s.p + i, s.len - i);
		uint32_t code = used ? utf8_decode(s.p + i, s.len - i, &used) : 0;

		if (!used) {
			buf_printf(b, "\\x%02x", (unsigned char)s.p[i++]);
			continue;
		}
		if (code == '"' || code == '\\')
			buf_printf(b, "\\%c", (int)code);
		else if (code == '\n')
			buf_puts(b, "\\n");
		else if (code < ' ' || (code >= 0x7f && code < 0xa0))
			buf_printf(b, "\\x%02x", (unsigned)code);
		else
			buf_put(b, s.p + i, used);
		i += used;
	}
}

/* As a JSON string: in there controls of C0 are escaped by themselves, DEL and those of C1 need not be, but here are. */
static void put_json(struct buf *b, struct slice s)
{
	struct buf quoted = BUF_INIT(BUF_UNBOUNDED);

	json_put_str(&quoted, s);
	for (size_t i = 0; i < quoted.len; i++) {
		unsigned char c = (unsigned char)quoted.data[i], next = (unsigned char)quoted.data[i + 1]; /* at its end: the NUL */

		if (c == 0x7f)
			buf_puts(b, "\\u007f");
		else if (c == 0xc2 && next < 0xa0)
			buf_printf(b, "\\u00%02x", (unsigned)quoted.data[++i] & 0xff);
		else
			buf_putc(b, (char)c);
	}
	buf_release(&quoted);
}

/* `s` cut to a length that lines can bear, not within a character. */
static struct slice cut(struct slice s)
{
	if (s.len <= VALUE_MAX_BYTES)
		return s;
	s.len = VALUE_MAX_BYTES;
	while (s.len > VALUE_MAX_BYTES - 4 && ((unsigned char)s.p[s.len] & 0xc0) == 0x80)
		s.len--;
	return s;
}

static void put_head(struct buf *b, enum log_level level)
{
	int64_t ms = clock_now_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm t;
	char day[32];

	gmtime_r(&s, &t);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &t);
	if (state.json)
		buf_printf(b, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"pid\":%d", day, (int)(ms % 1000),
			   level_names[level], (int)getpid());
	else if (state.fd >= 0)
		buf_printf(b, "%s.%03dZ %s [%d] ", day, (int)(ms % 1000), level_names[level], (int)getpid());
}

static void send_line(struct buf *b, enum log_level level)
{
	if (state.json)
		buf_putc(b, '}');
	if (state.fd < 0) {
		syslog(priorities[level], "%s", buf_str(b));
	} else {
		ssize_t put;

		buf_putc(b, '\n');
		put = write(state.fd, b->data, b->len);
		(void)put; /* nobody is left to tell */
	}
	buf_release(b);
}

static void put_message(struct buf *b, struct slice text)
{
	if (state.json) {
		json_put_key(b, "msg");
		put_json(b, cut(text));
	} else {
		put_escaped(b, cut(text));
	}
}

/* May a line of this level be written now? */
static bool pass(enum log_level level)
{
	int64_t now_ms = clock_mono_ms();

	if (level > state.least)
		return false;
	if (level > LOG_LEVEL_WARN)
		return true;
	if (state.filled_ms)
		state.tokens_ms += (now_ms - state.filled_ms) * FLOOD_PER_S;
	if (state.tokens_ms > FLOOD_BURST * 1000)
		state.tokens_ms = FLOOD_BURST * 1000;
	state.filled_ms = now_ms;
	if (state.tokens_ms < 1000) {
		state.left_out++;
		return false;
	}
	state.tokens_ms -= 1000;
	if (state.left_out) {
		struct buf b = BUF_INIT(BUF_UNBOUNDED);
		char text[80];

		snprintf(text, sizeof text, "%lu lines were left out here: too many in too short a time", state.left_out);
		state.left_out = 0;
		put_head(&b, LOG_LEVEL_WARN);
		put_message(&b, slice_of(text));
		send_line(&b, LOG_LEVEL_WARN);
	}
	return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	char text[MESSAGE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!pass(level))
		return;
	put_head(&b, level);
	put_message(&b, slice_of(text));
	send_line(&b, level);
}

bool log_begin(enum log_level level, const char *event)
{
	assert(!state.open);
	if (!pass(level))
		return false;
	state.open = true;
	state.level = level;
	put_head(&state.line, level);
	if (state.json) {
		json_put_key(&state.line, "event");
		json_put_str(&state.line, slice_of(event));
	} else {
		buf_puts(&state.line, event);
	}
	return true;
}

void log_put(const char *key, struct slice value)
{
	struct buf *b = &state.line;

	if (!state.open)
		return;
	value = cut(value);
	if (state.json) {
		json_put_key(b, key);
		put_json(b, value);
		return;
	}
	buf_printf(b, " %s=", key);
	if (is_plain(value)) {
		buf_put(b, value.p, value.len);
		return;
	}
	buf_putc(b, '"');
	put_escaped(b, value);
	buf_putc(b, '"');
}

void log_put_int(const char *key, int64_t value)
{
	if (!state.open)
		return;
	if (state.json) {
		json_put_key(&state.line, key);
		json_put_int(&state.line, value);
	} else {
		buf_printf(&state.line, " %s=%lld", key, (long long)value);
	}
}

void log_put_count(const char *key, int64_t n)
{
	if (n || state.json)
		log_put_int(key, n);
}

void log_end(void)
{
	if (!state.open)
		return;
	send_line(&state.line, state.level);
	state.open = false;
}

void log_event(enum log_level level, const char *event, ...)
{
	const char *key, *value;
	va_list ap;

	if (!log_begin(level, event))
		return;
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) != NULL) {
		value = va_arg(ap, const char *);
		if (value)
			log_put(key, slice_of(value));
	}
	va_end(ap);
	log_end();
}
