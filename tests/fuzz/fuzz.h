/* What the fuzz targets share. A property that does not hold is a failed assert. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <assert.h>

#include "base/buf.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cut the text up to the next `end` (or all of it) off *rest. */
static inline struct slice fuzz_cut(struct slice *rest, char end)
{
	const char *hit = rest->len ? memchr(rest->p, end, rest->len) : NULL;
	struct slice text = { rest->p, hit ? (size_t)(hit - rest->p) : rest->len };
	size_t used = text.len + (hit != NULL);

	*rest = (struct slice){ rest->p + used, rest->len - used };
	return text;
}

/* What failed says why. */
static inline void fuzz_refused(const struct err *e)
{
	assert(e->kind != ERR_NONE && e->msg[0]);
}

/* What the server prints is JSON, also by the rules of its own parser. To be released. */
static inline struct json_object *fuzz_printed(struct slice text)
{
	struct err e = ERR_INIT;
	struct json_object *o;

	if (json_parse(text, &JSON_LIMITS_PAYLOAD, &o, &e) != 0) {
		fprintf(stderr, "printed, but %s: %.*s\n", e.msg, (int)text.len, text.len ? text.p : "");
		abort();
	}
	return o;
}

/* Fails with both texts. */
static inline void fuzz_same(const char *what, struct slice a, struct slice b)
{
	if (slice_eq(a, b))
		return;
	fprintf(stderr, "%s differ:\n%.*s\n%.*s\n", what, (int)a.len, a.len ? a.p : "", (int)b.len, b.len ? b.p : "");
	abort();
}

#endif
