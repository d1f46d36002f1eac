/*
 * libFuzzer: our JSON parser against json-c's, and our printer against the parser.
 *
 * The input is the text. What we accept json-c accepts too, and finds the same value in it; what json-c alone accepts is one
 * of the things named in base/json.h. What is printed reads back as what it was, and prints the same again.
 */
#include <math.h>

#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

static bool theirs(struct slice text, struct json_object **out)
{
	struct json_tokener *t = json_tokener_new_ex(300);
	bool good;

	while (text.len && strchr(" \t\r\n", text.p[text.len - 1]) && text.p[text.len - 1])
		text.len--;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*out = json_tokener_parse_ex(t, text.p, (int)text.len + 1); /* with the NUL, which ends a number */
	good = json_tokener_get_error(t) == json_tokener_success && json_tokener_get_parse_end(t) >= text.len;
	json_tokener_free(t);
	if (!good) {
		json_object_put(*out);
		*out = NULL;
	}
	return good;
}

static bool contains(struct slice text, const char *word)
{
	return text.len && memmem(text.p, text.len, word, strlen(word)) != NULL;
}

/* A point that has no digit on one side, at `at`? */
static bool lonely_point(struct slice text, size_t at)
{
	bool digit = at < text.len && text.p[at] >= '0' && text.p[at] <= '9';

	return (at < text.len && text.p[at] == '.') || (at && at <= text.len && text.p[at - 1] == '.' && !digit);
}

/* May json-c take this text for JSON when we do not? */
static bool stricter(struct slice text, const struct err *e)
{
	static const char *const reasons[] = {
		"raw control character", "lone surrogate", "NUL in a key", "reserved", "nesting too deep", "out of range",
		"too many digits", "leading zero",
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strstr(e->msg, reasons[i]))
			return true;
	if (strstr(e->msg, "bad UTF-8"))
		return !utf8_valid(text);
	if (strstr(e->msg, "bad number at byte ") && lonely_point(text, strtoul(strstr(e->msg, "byte ") + 5, NULL, 10)))
		return true;
	return e->kind == ERR_TOO_BIG || contains(text, "NaN") || contains(text, "Infinity");
}

static bool same(struct json_object *a, struct json_object *b);

static bool same_objects(struct json_object *a, struct json_object *b)
{
	int n = 0;

	json_object_object_foreach(a, key, value)
	{
		struct json_object *other;

		if (json_is_mark(key))
			continue;
		n++;
		if (!json_has(b, key, &other) || !same(value, other))
			return false;
	}
	return n == json_object_object_length(b);
}

static bool same_arrays(struct json_object *a, struct json_object *b)
{
	size_t n = json_object_array_length(a);

	if (json_object_array_length(b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!same(json_at(a, i), json_at(b, i)))
			return false;
	return true;
}

/* a is ours. Integers beyond 64 bits and -0 are floats there; json-c saturates them, and knows no -0. */
static bool same(struct json_object *a, struct json_object *b)
{
	enum json_type type = json_object_get_type(a);
	struct slice x, y;
	double d;

	if (type == json_type_double && json_object_is_type(b, json_type_int)) {
		d = json_object_get_double(a);
		return d == 0 || d >= 0x1p64 || d < -0x1p63 || fabs(d) >= 0x1p63;
	}
	if (!json_object_is_type(b, type))
		return false;
	switch (type) {
	case json_type_null:
		return true;
	case json_type_boolean:
		return json_object_get_boolean(a) == json_object_get_boolean(b);
	case json_type_double:
		return json_object_get_double(a) == json_object_get_double(b);
	case json_type_int:
		return json_object_get_int64(a) == json_object_get_int64(b) && json_object_get_uint64(a) == json_object_get_uint64(b);
	case json_type_string:
		return json_is_str(a, &x) && json_is_str(b, &y) && slice_eq(x, y);
	case json_type_array:
		return same_arrays(a, b);
	case json_type_object:
		return same_objects(a, b);
	}
	return false;
}

/* What the getters say about one value must fit together. */
static void probe(struct json_object *v)
{
	int64_t n, cut;
	struct slice s;
	float f;
	bool b;

	if (json_is_int(v, -5, 70000, &n))
		assert(n >= -5 && n <= 70000 && json_is_truncated(v, &cut) && cut == n && json_is_int_or_str(v, &cut) && cut == n);
	if (json_is_float(v, &f))
		assert(json_is_truncated(v, &cut));
	if (json_is_str(v, &s))
		assert(utf8_valid(s) && !json_is_float(v, &f) && !json_is_truncated(v, &cut));
	if (json_is_bool(v, &b))
		assert(json_is_anybool(v, &b));
	json_is_anybool(v, &b);
	json_is_int_or_str(v, &n);
	if (json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < json_object_array_length(v); i++)
			probe(json_at(v, i));
	if (!json_is_object(v))
		return;
	json_object_object_foreach(v, key, value)
	{
		if (!json_is_mark(key))
			probe(value);
	}
}

static void print_and_read(struct json_object *o)
{
	struct buf once = BUF_INIT(BUF_UNBOUNDED), twice = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *back;

	json_put_value(&once, o);
	back = fuzz_printed(buf_slice(&once));
	assert(same(o, back));
	json_put_value(&twice, back);
	fuzz_same("prints", buf_slice(&once), buf_slice(&twice));
	json_object_put(back);
	buf_release(&once);
	buf_release(&twice);
}

/* The first bytes as numbers: what is printed reads back. */
static void numbers(const uint8_t *data, size_t size)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	double d;
	float f;

	if (size < sizeof d)
		return;
	memcpy(&d, data, sizeof d);
	memcpy(&f, data, sizeof f);
	json_put_double(&b, d);
	assert(isfinite(d) ? strtod(buf_str(&b), NULL) == d : strcmp(buf_str(&b), "null") == 0);
	buf_reset(&b);
	json_put_float(&b, f);
	assert(isfinite(f) ? strtof(buf_str(&b), NULL) == f : strcmp(buf_str(&b), "null") == 0);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf copy = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *ours, *other;
	struct err e = ERR_INIT;
	struct slice text;
	bool good;

	numbers(data, size);
	buf_set(&copy, data, size);
	text = buf_slice(&copy);
	good = theirs(text, &other);
	if (json_parse(text, &JSON_LIMITS_PAYLOAD, &ours, &e) != 0) {
		fuzz_refused(&e);
		assert((e.kind == ERR_BAD_REQUEST || e.kind == ERR_TOO_BIG) && utf8_valid(slice_of(e.msg)));
		if (good && !stricter(text, &e)) {
			fprintf(stderr, "json-c accepts, we say %s\n", e.msg);
			abort();
		}
	} else {
		assert(good && same(ours, other));
		probe(ours);
		print_and_read(ours);
	}
	json_object_put(ours);
	json_object_put(other);
	buf_release(&copy);
	return 0;
}
