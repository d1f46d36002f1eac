/* The printer of json.h. */
#include "base/json.h"

#include <float.h>
#include <math.h>

#include "base/utf8.h"

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
	if (from < s.len) /* an empty text may be NULL */
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

/* One up in the last digit of "d.ddde±xx". false when that would need another digit. */
static bool next_decimal(char *text)
{
	char *p = strchr(text, 'e');

	while (p-- > text) {
		if (*p == '.')
			continue;
		if (*p != '9') {
			++*p;
			return true;
		}
		*p = '0';
	}
	return false;
}

static bool reads_back(const char *text, double v, bool single)
{
	return single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/*
 * The shortest digits that read back as v > 0, and of those the nearest. Six digits of a float, fifteen of a double
 * always survive, so there is no need to try fewer: the zeros at the end are cut off. That does not hold for denormal
 * numbers. A power of two has its lower neighbour half as far away as the upper one: there the nearest decimal of some
 * length may lie below and not read back while the next one above does.
 */
static void shortest(char *text, size_t size, double v, bool single)
{
	bool denormal = v < (single ? FLT_MIN : DBL_MIN);
	int exponent;

	for (int precision = denormal ? 0 : single ? 5 : 14; precision < 17; precision++) {
		snprintf(text, size, "%.*e", precision, v);
		if (reads_back(text, v, single))
			return;
		if (frexp(v, &exponent) == 0.5 && next_decimal(text) && reads_back(text, v, single))
			return;
	}
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
	shortest(text, sizeof text, fabs(v), single);
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
