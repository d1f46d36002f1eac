/*
 * Byte buffers with a ceiling, and slices (borrowed bytes).
 *
 * Sizes that we choose: xmalloc and friends, which end the process when memory is short. Sizes that a client chooses: a
 * buffer whose `max` makes it fail instead.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct slice {
	const char *p; /* not NUL-terminated; may hold NUL. NULL only when len is 0 */
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
struct slice slice_of(const char *s);
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_str(struct slice a, const char *s);

/*
 * data[len] is always 0 once data is not NULL; len never passes max. A buffer that had to refuse bytes has `overflow`
 * set and holds what came before; the void functions below set it too, so that a printer checks once at its end.
 */
struct buf {
	char *data;
	size_t len, cap, max;
	bool overflow;
};

#define BUF_INIT(max_bytes) { .max = (max_bytes) }
#define BUF_UNBOUNDED ((size_t)1 << 40)

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);               /* frees; the buffer is as after buf_init. Accepts a never-used one */
void buf_reset(struct buf *b);                 /* len = 0, memory kept, overflow cleared */
void buf_truncate(struct buf *b, size_t len);

/* Append. buf_append returns -1 with ERR_TOO_BIG ("more than N bytes"); the void forms only set overflow. */
int buf_append(struct buf *b, const void *p, size_t n, struct err *e);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes at data + len, or NULL with overflow set. The caller raises len. */
char *buf_room(struct buf *b, size_t n);
/* 0, or -1 with ERR_TOO_BIG when something did not fit. */
int buf_check(const struct buf *b, struct err *e);
/* Replace the content. */
void buf_set(struct buf *b, const void *p, size_t n);
struct slice buf_slice(const struct buf *b);
/* The content as C string ("" for a never-used buffer). */
const char *buf_str(const struct buf *b);

/* Says so, and ends the process: also for libraries that could not get what they need. */
void out_of_memory(void) __attribute__((noreturn));
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

#endif
