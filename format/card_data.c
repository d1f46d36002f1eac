/*
 * See card_data.h. Clients write this text themselves before they send it, so nearly always it is in the right form
 * already: a scan that allocates nothing finds that out. The rest goes through the JSON parser.
 *
 * Numbers are rounded in single precision, as clients do: whoever rounds in double stores other last digits.
 */
#include "format/card_data.h"

#include <math.h>

#include "base/json.h"

enum kind { POSITION, ROUNDED, SECONDS, CUSTOM };

static const struct member {
	const char *key;
	enum kind kind;
	int decimals;
} members[] = {
	{ "pos", POSITION, 0 }, { "s", ROUNDED, 4 },     { "d", ROUNDED, 3 },  { "dr", ROUNDED, 2 },
	{ "decay", ROUNDED, 3 }, { "lrt", SECONDS, 0 }, { "cd", CUSTOM, 0 },
};

enum { POS, STABILITY, DIFFICULTY, N_MEMBERS = sizeof members / sizeof *members };

static float power(int decimals)
{
	static const float powers[] = { 1, 10, 100, 1000, 10000 };

	return powers[decimals];
}

static float rounded(float v, int decimals)
{
	return roundf(v * power(decimals)) / power(decimals);
}

static size_t count_digits(struct slice s, size_t from)
{
	size_t i = from;

	while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i - from;
}

/* Digits without leading zeros: their number, 0 if there are none. */
static size_t count_integer(struct slice s, size_t from)
{
	size_t n = count_digits(s, from);

	return n > 1 && s.p[from] == '0' ? 0 : n;
}

static bool position_is_plain(struct slice s)
{
	uint64_t v = 0;

	if (s.len == 0 || s.len > 10 || count_integer(s, 0) != s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	return v <= UINT32_MAX;
}

static bool seconds_are_plain(struct slice s)
{
	size_t minus = s.len && s.p[0] == '-', n = count_integer(s, minus);

	return n && n <= 18 && minus + n == s.len && !(minus && s.p[1] == '0');
}

/*
 * Is the text of digits, a point and 1..`decimals` (at most 4) digits what printing its rounded value would give? All of
 * it is exact: an integer below 10¹⁰ over a power of ten is one division in double, which never lies so near to the middle
 * of two floats that rounding once more could go astray.
 *
 * A text with zeros to spare is not what printing gives, nor is one that a shorter text reads as: with one decimal less
 * only the two neighbours can. Whole numbers of six digits always come back. What is not decided here (larger numbers,
 * minus, exponents) goes through the parser.
 */
static bool number_is_plain(struct slice s, int decimals)
{
	size_t whole = count_integer(s, 0), fraction;
	int64_t units = 0;
	double scale, exact, shorter;
	float v;

	if (!whole || whole > 6 || whole == s.len || s.p[whole] != '.')
		return false;
	fraction = count_digits(s, whole + 1);
	if (!fraction || fraction > (size_t)decimals || whole + 1 + fraction != s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (i != whole)
			units = units * 10 + (s.p[i] - '0');
	scale = power((int)fraction);
	v = (float)((double)units / scale);
	if (rounded(v, decimals) != v)
		return false;
	if (s.p[s.len - 1] == '0')
		return fraction == 1;
	exact = (double)v * scale;
	shorter = floor(exact / 10);
	scale /= 10;
	return fabs(exact - (double)units) < 0.5 && (float)(shorter / scale) != v && (float)((shorter + 1) / scale) != v;
}

/* Behind the opening quote: the length of a string that is escaped as our printer would, 0 if it is not or has no end. */
static size_t count_custom(struct slice s, size_t from)
{
	size_t i = from;

	for (; i < s.len && s.p[i] != '"'; i++) {
		if ((unsigned char)s.p[i] < 0x20)
			return 0;
		if (s.p[i] == '\\' && (++i == s.len || !memchr("\"\\bfnrt", s.p[i], 7)))
			return 0;
	}
	if (i == s.len || (i - from == 2 && memcmp(s.p + from, "{}", 2) == 0))
		return 0;
	return i - from;
}

/* The end of a value that is written as it should be, 0 otherwise. */
static size_t skip_plain_value(struct slice s, size_t from, const struct member *m)
{
	struct slice value;
	size_t to = from;

	if (m->kind == CUSTOM) {
		size_t n = from < s.len && s.p[from] == '"' ? count_custom(s, from + 1) : 0;

		return n ? from + n + 2 : 0;
	}
	while (to < s.len && s.p[to] != ',' && s.p[to] != '}')
		to++;
	value = (struct slice){ s.p + from, to - from };
	if (m->kind == POSITION ? position_is_plain(value) : m->kind == SECONDS ? seconds_are_plain(value) :
		number_is_plain(value, m->decimals))
		return to;
	return 0;
}

static bool is_plain(struct slice s)
{
	bool seen[N_MEMBERS] = { false };
	size_t i = 1;

	if (slice_eq_str(s, "{}"))
		return true;
	if (s.len < 2 || s.p[0] != '{')
		return false;
	for (size_t m = 0; m < N_MEMBERS; m++) {
		size_t n = strlen(members[m].key);

		if (s.len - i < n + 4 || s.p[i] != '"' || memcmp(s.p + i + 1, members[m].key, n) != 0 ||
		    memcmp(s.p + i + 1 + n, "\":", 2) != 0)
			continue;
		seen[m] = true;
		i = skip_plain_value(s, i + n + 3, &members[m]);
		if (i == 0 || i == s.len)
			return false;
		if (s.p[i] == '}')
			return i + 1 == s.len && seen[STABILITY] == seen[DIFFICULTY];
		if (s.p[i++] != ',')
			return false;
	}
	return false;
}

struct values {
	bool has[N_MEMBERS];
	int64_t integer[N_MEMBERS];
	float number[N_MEMBERS];
	struct slice custom;
};

/* false: all of it is to be dropped. */
static bool read_members(struct json_object *o, struct values *v)
{
	struct json_object *value;

	for (size_t m = 0; m < N_MEMBERS; m++) {
		if (!json_has(o, members[m].key, &value))
			continue;
		if (json_twice(o, members[m].key))
			return false;
		switch (members[m].kind) {
		case POSITION:
			v->has[m] = json_is_int(value, 0, UINT32_MAX, &v->integer[m]);
			break;
		case SECONDS:
			v->has[m] = json_is_int(value, INT64_MIN, INT64_MAX, &v->integer[m]);
			break;
		case ROUNDED:
			v->has[m] = json_is_float(value, &v->number[m]);
			break;
		case CUSTOM:
			if (!json_is_str(value, &v->custom))
				return false;
			v->has[m] = v->custom.len && !slice_eq_str(v->custom, "{}");
			break;
		}
	}
	if (!v->has[STABILITY] || !v->has[DIFFICULTY])
		v->has[STABILITY] = v->has[DIFFICULTY] = false;
	return true;
}

static void print(struct buf *out, const struct values *v)
{
	const char *before = "{\"";

	for (size_t m = 0; m < N_MEMBERS; m++) {
		if (!v->has[m])
			continue;
		buf_puts(out, before);
		buf_puts(out, members[m].key);
		buf_puts(out, "\":");
		if (members[m].kind == ROUNDED)
			json_put_float(out, rounded(v->number[m], members[m].decimals)); /* infinite: null, as official */
		else if (members[m].kind == CUSTOM)
			json_put_str(out, v->custom);
		else
			json_put_int(out, v->integer[m]);
		before = ",\"";
	}
	buf_puts(out, *before == '{' ? "{}" : "}");
}

struct slice card_data_rewrite(struct slice data, struct buf *scratch)
{
	struct values v = { { false } };
	struct json_object *o = NULL;
	size_t mark = scratch->len;

	if (is_plain(data))
		return data;
	if (json_parse_object(data, &JSON_LIMITS_PAYLOAD, &o, NULL) != 0 || !read_members(o, &v))
		v = (struct values){ { false } };
	print(scratch, &v);
	json_object_put(o);
	return (struct slice){ scratch->data + mark, scratch->len - mark };
}
