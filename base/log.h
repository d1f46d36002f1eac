/* The log: one line per event, text or JSON, to stderr, syslog or a file. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The level of this name ("info"); LOG_LEVEL_INFO when there is none. */
enum log_level log_level_named(const char *name);
/* target: "stderr", "syslog", or an absolute path. format: "text" or "json". 0, or -1 (nothing changed). */
int log_open(const char *target, const char *format, enum log_level least, struct err *e);
/* A file is opened anew (after rotation). */
void log_reopen(void);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Lines of level warn and error are limited to 10 a second (200 at once): what is left out is counted in a line of its own.
 *
 * One event with fields: log_event(LOG_LEVEL_INFO, "sync", "user", name, "client", client, NULL): pairs of key and value,
 * ended by NULL. A NULL value leaves the pair out. Control characters in values are escaped, long values are cut. Never a key or a password.
 */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/*
 * The same piece by piece. log_begin returns false when the line is not to be written; then the others do nothing. No other
 * line may be written before log_end. Numbers are numbers in JSON; a count of 0 is left out of text, which people read.
 */
bool log_begin(enum log_level level, const char *event);
void log_put(const char *key, struct slice value);
void log_put_int(const char *key, int64_t value);
void log_put_count(const char *key, int64_t n);
void log_end(void);

#endif
