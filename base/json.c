/* See json.h. */
#include "base/json.h"

#include <math.h>

#include "base/json_guard.h"
#include "base/utf8.h"

int json_parse(struct slice text, const struct json_limits *limits, struct json_object **out, struct err *e)
{
	struct buf rewritten = BUF_INIT(BUF_UNBOUNDED);
	struct json_tokener *tok;
	int rc = -1;

	*out = NULL;
	if (json_guard(text, limits, &rewritten, e) != 0)
		goto out;
	if (rewritten.len)
		text = buf_slice(&rewritten);
	tok = json_tokener_new_ex(limits->depth + 2);
	/* Not JSON_TOKENER_STRICT: the guard was stricter, and json-c 0.18 (Debian 13) takes UTF-8 for control characters then. */
	*out = json_tokener_parse_ex(tok, text.p, (int)text.len);
	/* A bare number at the very end of the text is "unfinished" to json-c: one space ends it. */
	if (json_tokener_get_error(tok) == json_tokener_continue)
		*out = json_tokener_parse_ex(tok, " ", 1);
	if (json_tokener_get_error(tok) == json_tokener_success)
		rc = 0;
	else
		err_set(e, ERR_BAD_REQUEST, "JSON: %s", json_tokener_error_desc(json_tokener_get_error(tok)));
	json_tokener_free(tok);
out:
	buf_release(&rewritten);
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
	return strcmp(key, JSON_MARK) == 0;
}

bool json_twice(struct json_object *o, const char *key)
{
	struct json_object *list;

	if (!json_object_object_get_ex(o, JSON_MARK, &list) || !json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), key) == 0)
			return true;
	return false;
}

bool json_has(struct json_object *o, const char *key, struct json_object **v)
{
	return json_object_object_get_ex(o, key, v);
}

bool json_is_int(struct json_object *v, int64_t lo, int64_t hi, int64_t *out)
{
	int64_t n;

	if (!json_object_is_type(v, json_type_int))
		return false;
	n = json_object_get_int64(v);
	if (n == INT64_MAX && json_object_get_uint64(v) > INT64_MAX)
		return false;
	if (n < lo || n > hi)
		return false;
	*out = n;
	return true;
}

/* Optional sign, digits, nothing else; within int64. */
static bool int_of_text(struct slice s, int64_t *out)
{
	bool minus = s.len && s.p[0] == '-';
	size_t i = s.len && (s.p[0] == '-' || s.p[0] == '+');
	uint64_t limit = minus ? (uint64_t)INT64_MAX + 1 : INT64_MAX, v = 0;

	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9 || v > (limit - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool json_is_int_or_str(struct json_object *v, int64_t *out)
{
	struct slice s;

	if (json_is_str(v, &s))
		return int_of_text(s, out);
	return json_is_int(v, INT64_MIN, INT64_MAX, out);
}

bool json_is_bool(struct json_object *v, bool *out)
{
	if (!json_object_is_type(v, json_type_boolean))
		return false;
	*out = json_object_get_boolean(v);
	return true;
}

/* A text that reads as the number 0 or 1, written as JSON would or with leading zeros ("01", "1.0"). */
static bool zero_or_one(struct slice s, bool *out)
{
	char text[32], *end;
	double d;

	if (s.len == 0 || s.len >= sizeof text || strspn(memcpy(memset(text, 0, sizeof text), s.p, s.len), "0123456789+-.eE") != s.len)
		return false;
	d = strtod(text, &end);
	if (*end || (d != 0 && d != 1))
		return false;
	*out = d == 1;
	return true;
}

bool json_is_anybool(struct json_object *v, bool *out)
{
	struct slice s;
	double d;

	if (json_is_bool(v, out))
		return true;
	if (json_is_str(v, &s)) {
		if (s.len == 4 && strncasecmp(s.p, "true", 4) == 0)
			return *out = true;
		if (s.len == 5 && strncasecmp(s.p, "false", 5) == 0) {
			*out = false;
			return true;
		}
		return zero_or_one(s, out);
	}
	if (!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double))
		return false;
	d = json_object_get_double(v);
	if (d != 0 && d != 1)
		return false;
	*out = d == 1;
	return true;
}

bool json_is_float(struct json_object *v, float *out)
{
	if (json_object_is_type(v, json_type_int)) {
		int64_t n = json_object_get_int64(v);

		*out = n == INT64_MAX ? (float)json_object_get_uint64(v) : (float)n;
		return true;
	}
	if (!json_object_is_type(v, json_type_double))
		return false;
	*out = (float)json_object_get_double(v);
	return true;
}

bool json_is_str(struct json_object *v, struct slice *out)
{
	if (!json_object_is_type(v, json_type_string))
		return false;
	*out = (struct slice){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
	return true;
}

bool json_is_array(struct json_object *v, size_t *len)
{
	if (!json_object_is_type(v, json_type_array))
		return false;
	*len = json_object_array_length(v);
	return true;
}

bool json_is_object(struct json_object *v)
{
	return v && json_object_is_type(v, json_type_object);
}

bool json_is_truncated(struct json_object *v, int64_t *out)
{
	double d;

	if (json_object_is_type(v, json_type_int)) {
		*out = json_object_get_int64(v); /* INT64_MAX for what is above */
		return true;
	}
	if (!json_object_is_type(v, json_type_double))
		return false;
	d = json_object_get_double(v);
	if (d >= 9223372036854775807.0)
		*out = INT64_MAX;
	else if (d <= -9223372036854775808.0)
		*out = INT64_MIN;
	else
		*out = (int64_t)d;
	return true;
}

struct json_object *json_at(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static int need(struct json_object *o, const char *key, struct json_object **v, struct err *e)
{
	if (!json_has(o, key, v))
		return err_set(e, ERR_BAD_REQUEST, "key %s is missing", key);
	return 0;
}

int json_need_int(struct json_object *o, const char *key, int64_t lo, int64_t hi, int64_t *out, struct err *e)
{
	struct json_object *v;

	if (need(o, key, &v, e) != 0)
		return -1;
	if (!json_is_int(v, lo, hi, out))
		return err_set(e, ERR_BAD_REQUEST, "%s is not an integer in %lld..%lld", key, (long long)lo, (long long)hi);
	return 0;
}

int json_need_bool(struct json_object *o, const char *key, bool *out, struct err *e)
{
	struct json_object *v;

	if (need(o, key, &v, e) != 0)
		return -1;
	if (!json_is_bool(v, out))
		return err_set(e, ERR_BAD_REQUEST, "%s is neither true nor false", key);
	return 0;
}

int json_need_str(struct json_object *o, const char *key, struct slice *out, struct err *e)
{
	struct json_object *v;

	if (need(o, key, &v, e) != 0)
		return -1;
	if (!json_is_str(v, out))
		return err_set(e, ERR_BAD_REQUEST, "%s is not a string", key);
	return 0;
}

int json_need_array(struct json_object *o, const char *key, struct json_object **out, size_t *len, struct err *e)
{
	if (need(o, key, out, e) != 0)
		return -1;
	if (!json_is_array(*out, len))
		return err_set(e, ERR_BAD_REQUEST, "%s is not a list", key);
	return 0;
}

int json_need_object(struct json_object *o, const char *key, struct json_object **out, struct err *e)
{
	if (need(o, key, out, e) != 0)
		return -1;
	if (!json_is_object(*out))
		return err_set(e, ERR_BAD_REQUEST, "%s is not an object", key);
	return 0;
}

void json_put_str(struct buf *b, struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	size_t from = 0, i = 0;

	buf_putc(b, '"');
	while (i < s.len) {
		unsigned char c = (unsigned char)s.p[i];
		const char *short_form = NULL;
		char esc[7] = "\\u00";
		size_t n = 1;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		if (c >= 0x80) {
			n = utf8_sequence(s.p + i, s.len - i);
			if (n) {
				i += n;
				continue;
			}
			n = utf8_bad_part(s.p + i, s.len - i);
			short_form = "\xEF\xBF\xBD";
		} else if (c == '"') {
			short_form = "\\\"";
		} else if (c == '\\') {
			short_form = "\\\\";
		} else if (c == '\b') {
			short_form = "\\b";
		} else if (c == '\f') {
			short_form = "\\f";
		} else if (c == '\n') {
			short_form = "\\n";
		} else if (c == '\r') {
			short_form = "\\r";
		} else if (c == '\t') {
			short_form = "\\t";
		} else {
			esc[4] = hex[c >> 4];
			esc[5] = hex[c & 15];
			short_form = esc;
		}
		buf_put(b, s.p + from, i - from);
		buf_puts(b, short_form);
		i += n;
		from = i;
	}
	buf_put(b, s.p + from, s.len - from);
	buf_putc(b, '"');
}

void json_put_int(struct buf *b, int64_t v)
{
	char text[24], *p = text + sizeof text;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--p = '-';
	buf_put(b, p, (size_t)(text + sizeof text - p));
}

void json_put_bool(struct buf *b, bool v)
{
	buf_puts(b, v ? "true" : "false");
}

/*
 * `digits` are the shortest significant digits, the value is 0.d1d2… × 10^point. Written plainly while the value is at
 * least 10^lo_exp and below 10^hi_exp, else with an exponent (collection-format.md §3.1).
 */
static void put_decimal(struct buf *b, bool minus, const char *digits, int point, int lo_exp, int hi_exp)
{
	int n = (int)strlen(digits), e10 = point - 1;

	if (minus)
		buf_putc(b, '-');
	if (e10 < lo_exp || e10 >= hi_exp) {
		buf_putc(b, digits[0]);
		if (n > 1)
			buf_printf(b, ".%s", digits + 1);
		buf_printf(b, "e%d", e10);
	} else if (point <= 0) {
		buf_puts(b, "0.");
		for (int i = point; i < 0; i++)
			buf_putc(b, '0');
		buf_puts(b, digits);
	} else if (n <= point) {
		buf_puts(b, digits);
		for (int i = n; i < point; i++)
			buf_putc(b, '0');
		buf_puts(b, ".0");
	} else {
		buf_printf(b, "%.*s.%s", point, digits, digits + point);
	}
}

/* "d.ddde±xx" of %.*e → digits without trailing zeros, and the position of the point. */
static int split_exponent_form(const char *text, char *digits)
{
	char *d = digits;
	int exponent;

	for (; *text && *text != 'e'; text++)
		if (*text >= '0' && *text <= '9')
			*d++ = *text;
	exponent = atoi(text + 1);
	while (d > digits + 1 && d[-1] == '0')
		d--;
	*d = 0;
	return exponent + 1;
}

static void put_number(struct buf *b, double v, bool single, int lo_exp, int hi_exp)
{
	char text[40], digits[40];

	if (isnan(v) || isinf(v)) {
		buf_puts(b, "null");
		return;
	}
	if (v == 0) {
		buf_puts(b, signbit(v) ? "-0.0" : "0.0");
		return;
	}
	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, fabs(v));
		if (single ? strtof(text, NULL) == (float)fabs(v) : strtod(text, NULL) == fabs(v))
			break;
	}
	put_decimal(b, v < 0, digits, split_exponent_form(text, digits), lo_exp, hi_exp);
}

void json_put_float(struct buf *b, float v)
{
	put_number(b, (double)v, true, -6, 13);
}

void json_put_double(struct buf *b, double v)
{
	put_number(b, v, false, -5, 16);
}

struct member {
	const char *key;
	struct json_object *value;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void put_object(struct buf *b, struct json_object *o)
{
	struct member *members = xcalloc((size_t)json_object_object_length(o), sizeof *members);
	size_t n = 0;

	json_object_object_foreach(o, key, value)
	{
		if (!json_is_mark(key))
			members[n++] = (struct member){ key, value };
	}
	qsort(members, n, sizeof *members, by_key);
	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		json_put_key(b, members[i].key);
		json_put_value(b, members[i].value);
	}
	buf_putc(b, '}');
	free(members);
}

void json_put_value(struct buf *b, struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		buf_puts(b, "null");
		break;
	case json_type_boolean:
		json_put_bool(b, json_object_get_boolean(v));
		break;
	case json_type_int:
		if (json_object_get_int64(v) == INT64_MAX)
			buf_printf(b, "%llu", (unsigned long long)json_object_get_uint64(v));
		else
			json_put_int(b, json_object_get_int64(v));
		break;
	case json_type_double:
		json_put_double(b, json_object_get_double(v));
		break;
	case json_type_string:
		json_put_str(b, (struct slice){ json_object_get_string(v), (size_t)json_object_get_string_len(v) });
		break;
	case json_type_array:
		buf_putc(b, '[');
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			if (i)
				buf_putc(b, ',');
			json_put_value(b, json_object_array_get_idx(v, i));
		}
		buf_putc(b, ']');
		break;
	case json_type_object:
		put_object(b, v);
		break;
	}
}

void json_put_key(struct buf *b, const char *key)
{
	if (b->len && b->data[b->len - 1] != '{')
		buf_putc(b, ',');
	json_put_str(b, slice_of(key));
	buf_putc(b, ':');
}
