/* Golden data of tests/vectors ($VECTORS) for unit tests. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include "base/json.h"
#include "tests/unit/test.h"

/* The parsed file, to be released with json_object_put. Fails the test if there is none. */
static inline struct json_object *vectors_load(const char *name)
{
	const char *dir = getenv("VECTORS");
	char path[4096], piece[65536];
	struct buf text = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *o = NULL;
	struct err e = ERR_INIT;
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "%s/%s", dir ? dir : "tests/vectors", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: cannot be opened; VECTORS names the folder", path);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		buf_put(&text, piece, n);
	fclose(f);
	if (json_parse(buf_slice(&text), &JSON_LIMITS_PAYLOAD, &o, &e) != 0)
		fail_msg("%s: %s", path, e.msg);
	buf_release(&text);
	return o;
}

/* Members of a case that must be there. */
static inline struct json_object *vectors_get(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_has(o, key, &v))
		fail_msg("no %s in a case", key);
	return v;
}

static inline struct slice vectors_slice(struct json_object *v)
{
	struct slice s = { NULL, 0 };

	if (!json_is_str(v, &s))
		fail_msg("not a string in a case");
	return s;
}

static inline struct slice vectors_str(struct json_object *o, const char *key)
{
	return vectors_slice(vectors_get(o, key));
}

static inline int64_t vectors_int(struct json_object *o, const char *key)
{
	int64_t v = 0;

	if (!json_is_int(vectors_get(o, key), INT64_MIN, INT64_MAX, &v))
		fail_msg("%s is not an integer in a case", key);
	return v;
}

/* Fails with the text of the case `o` unless both are equal. */
static inline void vectors_same(struct json_object *o, struct slice got, struct slice want)
{
	if (!slice_eq(got, want))
		fail_msg("got \"%.*s\", want \"%.*s\" in %s", (int)got.len, got.len ? got.p : "", (int)want.len,
			 want.len ? want.p : "", json_object_to_json_string(o));
}

#endif
