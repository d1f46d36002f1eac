/*
 * The parser of json.h. It makes json-c's objects but does not use json-c's own parser, which accepts more than JSON and
 * loses what we need to know (hardening.md §4), so that a text had to be checked first anyway: as strict as official, with
 * limits that are checked before memory is taken, and doubled keys noted.
 */
#include "base/json.h"

#include <math.h>

#include "base/utf8.h"

/* The member that holds an object's doubled keys, as an object. No key that means something has a U+0001. */
#define MARK "\001twice"

struct reader {
	const char *p, *end, *start;
	const struct json_limits *limits;
	struct err *e;
	size_t containers, values;
	struct buf decoded; /* a string that had escapes */
	struct buf keys;    /* keys of the open objects, each with a NUL */
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_BAD_REQUEST, "JSON: %s at byte %zu", what, (size_t)(r->p - r->start));
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static int read_hex4(struct reader *r, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++, r->p++) {
		char c = r->p < r->end ? *r->p : 0;

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (uint32_t)(c - 'A' + 10);
		else
			return bad(r, "bad \\u escape");
	}
	*out = v;
	return 0;
}

/* Behind the backslash. *code is the code point that the escape means. */
static int read_escape(struct reader *r, uint32_t *code)
{
	static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *hit;
	uint32_t low;
	char c;

	if (r->p == r->end)
		return bad(r, "text ends in a string");
	c = *r->p++;
	hit = c ? strchr(plain, c) : NULL;
	if (hit) {
		*code = (unsigned char)means[hit - plain];
		return 0;
	}
	if (c != 'u')
		return bad(r, "unknown escape");
	if (read_hex4(r, code) != 0)
		return -1;
	if (*code >= 0xDC00 && *code <= 0xDFFF)
		return bad(r, "lone surrogate");
	if (*code >= 0xD800 && *code <= 0xDBFF) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return bad(r, "lone surrogate");
		r->p += 2;
		if (read_hex4(r, &low) != 0)
			return -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return bad(r, "lone surrogate");
		*code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
	}
	return 0;
}

/* Over characters that stand for themselves, up to a quote or a backslash. */
static int skip_plain(struct reader *r)
{
	const char *p = r->p;

	for (;;) {
		size_t n = 1;

		while (p < r->end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
			p++;
		r->p = p;
		if (p == r->end)
			return bad(r, "text ends in a string");
		if (*p == '"' || *p == '\\')
			return 0;
		if ((unsigned char)*p < 0x20)
			return bad(r, "raw control character in a string");
		n = utf8_sequence(p, (size_t)(r->end - p));
		if (n == 0)
			return bad(r, "bad UTF-8");
		p += n;
	}
}

/* At the opening quote; leaves behind the closing one. *out points into the text or to r->decoded. */
static int read_string(struct reader *r, struct slice *out)
{
	const char *from = ++r->p;
	uint32_t code;

	if (skip_plain(r) != 0)
		return -1;
	if (*r->p == '"') {
		*out = (struct slice){ from, (size_t)(r->p++ - from) };
		return 0;
	}
	buf_reset(&r->decoded);
	while (*r->p == '\\') {
		buf_put(&r->decoded, from, (size_t)(r->p - from));
		r->p++;
		if (read_escape(r, &code) != 0)
			return -1;
		utf8_put(&r->decoded, code);
		from = r->p;
		if (skip_plain(r) != 0)
			return -1;
	}
	buf_put(&r->decoded, from, (size_t)(r->p - from));
	r->p++;
	*out = buf_slice(&r->decoded);
	return 0;
}

static size_t skip_digits(struct reader *r)
{
	const char *begin = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return (size_t)(r->p - begin);
}

static int read_double(struct reader *r, const char *begin, struct json_object **out)
{
	size_t len = (size_t)(r->p - begin);
	char text[400];
	double v;

	if (len >= sizeof text)
		return bad(r, "number with too many digits");
	memcpy(text, begin, len);
	text[len] = 0;
	v = strtod(text, NULL);
	if (isinf(v))
		return bad(r, "number out of range");
	*out = json_object_new_double(v);
	return 0;
}

/* false: beyond 64 bits, or -0, which official reads as a float too. */
static bool make_integer(const char *digits, size_t n, bool minus, struct json_object **out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[i] - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (minus && (v == 0 || v > (uint64_t)INT64_MAX + 1))
		return false;
	if (minus)
		*out = json_object_new_int64((int64_t)(0 - v));
	else
		*out = v > INT64_MAX ? json_object_new_uint64(v) : json_object_new_int64((int64_t)v);
	return true;
}

static int read_number(struct reader *r, struct json_object **out)
{
	const char *begin = r->p, *digits;
	bool fraction = false;
	size_t n;

	if (*r->p == '-')
		r->p++;
	digits = r->p;
	n = skip_digits(r);
	if (n == 0)
		return bad(r, "bad number");
	if (n > 1 && *digits == '0')
		return bad(r, "number with a leading zero");
	if (r->p < r->end && *r->p == '.') {
		fraction = true;
		r->p++;
		if (!skip_digits(r))
			return bad(r, "bad number");
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		fraction = true;
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (!skip_digits(r))
			return bad(r, "bad number");
	}
	if (!fraction && make_integer(digits, n, digits > begin, out))
		return 0;
	return read_double(r, begin, out);
}

static int read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return bad(r, "unknown word");
	r->p += n;
	return 0;
}

static int read_value(struct reader *r, int depth, struct json_object **out);

static int count_container(struct reader *r, int depth)
{
	if (depth > r->limits->depth)
		return bad(r, "nesting too deep");
	if (++r->containers > r->limits->containers)
		return err_set(r->e, ERR_TOO_BIG, "JSON: more than %zu objects and arrays", r->limits->containers);
	return 0;
}

static int read_array(struct reader *r, int depth, struct json_object **out)
{
	struct json_object *v;

	if (count_container(r, depth) != 0)
		return -1;
	*out = json_object_new_array_ext(18); /* a card; the wire's other rows are shorter */
	if (!*out)
		out_of_memory();
	r->p++;
	skip_space(r);
	if (r->p < r->end && *r->p == ']') {
		r->p++;
		return 0;
	}
	for (;;) {
		if (read_value(r, depth, &v) != 0)
			return -1;
		if (json_object_array_add(*out, v) != 0)
			out_of_memory();
		skip_space(r);
		if (r->p == r->end)
			return bad(r, "text ends in an array");
		if (*r->p == ']') {
			r->p++;
			return 0;
		}
		if (*r->p++ != ',')
			return bad(r, "neither , nor ] in an array");
	}
}

/* Takes v over. */
static void set_member(struct json_object *o, const char *key, struct json_object *v)
{
	struct json_object *twice;

	if (!json_object_object_get_ex(o, key, NULL)) {
		if (json_object_object_add_ex(o, key, v, JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0)
			out_of_memory();
		return;
	}
	json_object_object_add(o, key, v);
	if (!json_object_object_get_ex(o, MARK, &twice)) {
		twice = json_object_new_object();
		if (!twice || json_object_object_add(o, MARK, twice) != 0)
			out_of_memory();
	}
	if (json_object_object_add(twice, key, NULL) != 0)
		out_of_memory();
}

static int read_object(struct reader *r, int depth, struct json_object **out)
{
	size_t mark = r->keys.len;
	struct json_object *v;
	struct slice key;

	if (count_container(r, depth) != 0)
		return -1;
	*out = json_object_new_object();
	if (!*out)
		out_of_memory();
	r->p++;
	skip_space(r);
	if (r->p < r->end && *r->p == '}') {
		r->p++;
		return 0;
	}
	for (;;) {
		skip_space(r);
		if (r->p == r->end || *r->p != '"')
			return bad(r, "no key in an object");
		if (read_string(r, &key) != 0)
			return -1;
		if (key.len && memchr(key.p, 0, key.len))
			return bad(r, "NUL in a key");
		if (slice_eq_str(key, MARK))
			return bad(r, "a key that is reserved");
		buf_put(&r->keys, key.p, key.len);
		buf_putc(&r->keys, 0);
		skip_space(r);
		if (r->p == r->end || *r->p++ != ':')
			return bad(r, "no : behind a key");
		if (read_value(r, depth, &v) != 0)
			return -1;
		set_member(*out, r->keys.data + mark, v);
		buf_truncate(&r->keys, mark);
		skip_space(r);
		if (r->p == r->end)
			return bad(r, "text ends in an object");
		if (*r->p == '}') {
			r->p++;
			return 0;
		}
		if (*r->p++ != ',')
			return bad(r, "neither , nor } in an object");
	}
}

/* After -1 nothing is left in *out. */
static int read_value(struct reader *r, int depth, struct json_object **out)
{
	struct slice s;
	int rc = 0;

	*out = NULL;
	if (++r->values > r->limits->values)
		return err_set(r->e, ERR_TOO_BIG, "JSON: more than %zu values", r->limits->values);
	skip_space(r);
	if (r->p == r->end)
		return bad(r, "text ends where a value should be");
	switch (*r->p) {
	case '{':
		rc = read_object(r, depth + 1, out);
		break;
	case '[':
		rc = read_array(r, depth + 1, out);
		break;
	case '"':
		rc = read_string(r, &s);
		if (rc == 0)
			*out = json_object_new_string_len(s.len ? s.p : "", (int)s.len);
		break;
	case 't':
		rc = read_word(r, "true");
		*out = json_object_new_boolean(true);
		break;
	case 'f':
		rc = read_word(r, "false");
		*out = json_object_new_boolean(false);
		break;
	case 'n':
		return read_word(r, "null");
	default:
		rc = read_number(r, out);
	}
	if (rc != 0) {
		json_object_put(*out);
		*out = NULL;
	} else if (!*out) {
		out_of_memory();
	}
	return rc;
}

int json_parse(struct slice text, const struct json_limits *limits, struct json_object **out, struct err *e)
{
	const char *start = text.len ? text.p : ""; /* an empty slice may have no address to count from */
	struct reader r = { start, start + text.len, start, limits, e, 0, 0, BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED) };
	int rc = -1;

	*out = NULL;
	if (text.len > limits->bytes || text.len > INT32_MAX)
		return err_set(e, ERR_TOO_BIG, "JSON: %zu bytes; at most %zu", text.len, limits->bytes);
	if (read_value(&r, 0, out) != 0)
		goto out;
	skip_space(&r);
	if (r.p != r.end) {
		bad(&r, "more text behind the value");
		json_object_put(*out);
		*out = NULL;
		goto out;
	}
	rc = 0;
out:
	buf_release(&r.decoded);
	buf_release(&r.keys);
	return rc;
}

int json_parse_object(struct slice text, const struct json_limits *limits, struct json_object **out, struct err *e)
{
	if (json_parse(text, limits, out, e) != 0)
		return -1;
	if (json_is_object(*out))
		return 0;
	json_object_put(*out);
	*out = NULL;
	return err_set(e, ERR_BAD_REQUEST, "JSON: not an object");
}

bool json_is_mark(const char *key)
{
	return strcmp(key, MARK) == 0;
}

bool json_twice(struct json_object *o, const char *key)
{
	struct json_object *twice;

	return json_object_object_get_ex(o, MARK, &twice) && json_object_object_get_ex(twice, key, NULL);
}
