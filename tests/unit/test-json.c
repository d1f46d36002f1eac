/* base/json: what is parsed, what is refused, and how values are read and printed. */
#include "base/json.h"

#include <math.h>

#include "tests/unit/test.h"

static int parse(const char *text, size_t len, struct json_object **o, struct err *e)
{
	return json_parse((struct slice){ text, len }, &JSON_LIMITS_PAYLOAD, o, e);
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "[1,]", "{\"a\":1,}", "01", "-", "1.", ".5", "1e", "+1", "NaN", "Infinity", "nul", "tru",
		"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "\"\\x\"", "\"a\nb\"", "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"",
		"\"\xed\xa0\x80\"", "1 2", "{} x", "\xef\xbb\xbf{}", "{\"a\" 1}", "{1:2}", "[1 2]", "1e400", "'a'",
		"{\"\\u0000\":1}", "\"abc", "// x\n1", "[1]/**/", "-1e400", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{,}", "[,]",
		"\"\\", "\"\\u", "\"\\u12", "\"\\u123g\"", "\"\\ud83d\\", "\"\\ud83d\\u", "\"\\ud83d\\ud83d\"", "-x", "1e+", "1.e5", "00", "-01",
		"True", "nulll", "1a", "\x00", "[\"\xe2\x82\"]", "\"\xf4\x90\x80\x80\"", "{\"\\u0001twice\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct json_object *o;
		struct err e = ERR_INIT;

		if (parse(bad[i], strlen(bad[i]), &o, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
	}
}

static void check_print(const char *in, const char *out)
{
	struct json_object *o;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT(BUF_UNBOUNDED);

	if (parse(in, strlen(in), &o, &e) != 0)
		fail_msg("%s: %s", in, e.msg);
	json_put_value(&b, o);
	assert_string_equal(buf_str(&b), out);
	json_object_put(o);
	buf_release(&b);
}

static void test_round_trip(void **state)
{
	static const char *const pairs[][2] = {
		{ "null", "null" },
		{ " [ 1 , -2 ] ", "[1,-2]" },
		{ "{\"b\":1,\"a\":{}}", "{\"a\":{},\"b\":1}" },
		{ "1.0", "1.0" },
		{ "-0", "-0.0" },
		{ "0", "0" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "9223372036854775808", "9223372036854775808" },
		{ "18446744073709551615", "18446744073709551615" },
		{ "18446744073709551616", "1.8446744073709552e19" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "-9223372036854775809", "-9.223372036854776e18" },
		{ "100000000000000000000", "1e20" },
		{ "1e15", "1000000000000000.0" },
		{ "1e16", "1e16" },
		{ "0.00001", "0.00001" },
		{ "0.000001", "1e-6" },
		{ "0.1", "0.1" },
		{ "123.456", "123.456" },
		{ "\"\\u00e9\\ud83d\\ude00\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80/\"" },
		{ "\"\\u0000\\u001f\\n\\u007f\"", "\"\\u0000\\u001f\\n\x7f\"" },
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}" },
		{ "{\"\\u00e4\":1,\"\":[null,true,false,[],\"\"]}", "{\"\":[null,true,false,[],\"\"],\"\xc3\xa4\":1}" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041x\\u0042\"", "\"\\\"\\\\/\\b\\f\\n\\r\\tAxB\"" },
		{ "1E+2", "100.0" },
		{ "1e-400", "0.0" },
		{ "-0.0", "-0.0" },
		{ "[-1e-7]", "[-1e-7]" },
		{ "5.960464477539063e-08", "5.960464477539063e-8" }, /* a power of two: its neighbours are not equally far */
		{ "1.7976931348623157e308", "1.7976931348623157e308" },
		{ "5e-324", "5e-324" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		check_print(pairs[i][0], pairs[i][1]);
}

static void test_floats(void **state)
{
	static const struct {
		float v;
		const char *text;
	} rows[] = {
		{ 0.9f, "0.9" }, { 2.5f, "2.5" }, { 1.0f, "1.0" }, { 0.0f, "0.0" }, { 1e12f, "1000000000000.0" },
		{ 1e13f, "1e13" }, { 1e-6f, "0.000001" }, { 1.5e-7f, "1.5e-7" }, { 16777216.0f, "16777216.0" },
		{ 1e20f, "1e20" }, { -3.25f, "-3.25" },
		{ -0.0f, "-0.0" }, { INFINITY, "null" }, { NAN, "null" }, { 1e-45f, "1e-45" }, { 3.4028235e38f, "3.4028235e38" },
		{ 16777217.0f, "16777216.0" }, { 1234.5678f, "1234.5677" }, { 1.17549435e-38f, "1.1754944e-38" },
		{ 0x1p-96f, "1.2621775e-29" }, { 0x1p87f, "1.5474251e26" }, /* powers of two, as above */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_INIT(BUF_UNBOUNDED);

		json_put_float(&b, rows[i].v);
		assert_string_equal(buf_str(&b), rows[i].text);
		buf_release(&b);
	}
}

static void test_doubled_keys(void **state)
{
	static const char text[] = "{\"a\":1,\"\\u0061\":{\"x\":1,\"x\":2,\"x\":3},\"b\":2,\"\\u0062b\":1,\"\\u0062b\":1,\"b\\u0062\":2}";
	struct json_object *o, *inner;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(parse(text, sizeof text - 1, &o, &e), 0);
	assert_true(json_twice(o, "a"));
	assert_false(json_twice(o, "b"));
	assert_true(json_twice(o, "bb"));
	assert_true(json_has(o, "a", &inner));
	assert_true(json_twice(inner, "x"));
	json_object_put(o);
}

static void check_limit(const char *text, struct json_limits l, bool fits)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	if ((json_parse(slice_of(text), &l, &o, &e) == 0) != fits)
		fail_msg("%s", text);
	if (!fits)
		assert_int_equal(e.kind, ERR_TOO_BIG);
	json_object_put(o);
}

static void test_each_limit(void **state)
{
	(void)state;
	check_limit("[1,{}]", (struct json_limits){ 6, 2, 3, 2 }, true);
	check_limit("[1,{}]", (struct json_limits){ 5, 2, 3, 2 }, false);
	check_limit("[1,{}]", (struct json_limits){ 6, 1, 3, 2 }, false);
	check_limit("[1,{}]", (struct json_limits){ 6, 2, 2, 2 }, false);
}

static void test_limits(void **state)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *o;
	struct err e = ERR_INIT;

	(void)state;
	for (int depth = 127; depth <= 128; depth++) {
		buf_reset(&b);
		for (int i = 0; i < depth; i++)
			buf_putc(&b, '[');
		for (int i = 0; i < depth; i++)
			buf_putc(&b, ']');
		assert_int_equal(parse(b.data, b.len, &o, &e), depth == 127 ? 0 : -1);
		json_object_put(o);
	}
	buf_reset(&b);
	buf_putc(&b, '[');
	for (int i = 0; i < 100001; i++)
		buf_puts(&b, i ? ",{}" : "{}");
	buf_putc(&b, ']');
	assert_int_equal(parse(b.data, b.len, &o, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_BIG);
	buf_release(&b);
}

static void test_many_keys(void **state)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *o;
	struct err e = ERR_INIT;

	(void)state;
	buf_putc(&b, '{');
	for (int i = 0; i < 50000; i++)
		buf_printf(&b, "%s\"k%d\":%d", i ? "," : "", i, i);
	buf_puts(&b, ",\"k77\":0}");
	assert_int_equal(parse(b.data, b.len, &o, &e), 0);
	assert_true(json_twice(o, "k77"));
	assert_false(json_twice(o, "k78"));
	json_object_put(o);
	buf_release(&b);
}

static void test_getters(void **state)
{
	static const struct {
		const char *text;
		bool is_int, is_int_or_str, is_anybool;
		int64_t value;
		bool flag;
	} rows[] = {
		{ "5", true, true, false, 5, false },
		{ "5.0", false, false, false, 0, false },
		{ "1e3", false, false, false, 0, false },
		{ "9223372036854775808", false, false, false, 0, false },
		{ "\"05\"", false, true, false, 5, false },
		{ "\"+5\"", false, true, false, 5, false },
		{ "\"-9223372036854775808\"", false, true, false, INT64_MIN, false },
		{ "\"9223372036854775808\"", false, false, false, 0, false },
		{ "\" 5\"", false, false, false, 0, false },
		{ "\"\"", false, false, false, 0, false },
		{ "\"+\"", false, false, false, 0, false },
		{ "1", true, true, true, 1, true },
		{ "1.0", false, false, true, 0, true },
		{ "\"tRue\"", false, false, true, 0, true },
		{ "\"01\"", false, true, true, 1, true },
		{ "\"1.0\"", false, false, true, 0, true },
		{ "\"0\"", false, true, true, 0, false },
		{ "\" 1\"", false, false, false, 0, false },
		{ "2", true, true, false, 2, false },
		{ "true", false, false, true, 0, true },
		{ "null", false, false, false, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_object *o;
		struct err e = ERR_INIT;
		int64_t n = 0, m = 0;
		bool flag = false;

		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &o, &e), 0);
		if (json_is_int(o, INT64_MIN, INT64_MAX, &n) != rows[i].is_int || (rows[i].is_int && n != rows[i].value))
			fail_msg("int: %s", rows[i].text);
		if (json_is_int_or_str(o, &m) != rows[i].is_int_or_str || (rows[i].is_int_or_str && m != rows[i].value))
			fail_msg("int/str: %s", rows[i].text);
		if (json_is_anybool(o, &flag) != rows[i].is_anybool || (rows[i].is_anybool && flag != rows[i].flag))
			fail_msg("anybool: %s", rows[i].text);
		json_object_put(o);
	}
}

static void test_numbers_of_rows(void **state)
{
	static const struct {
		const char *text;
		bool is_number;
		int64_t truncated;
		float single;
	} rows[] = {
		{ "5", true, 5, 5 },
		{ "-5.9", true, -5, -5.9f },
		{ "9223372036854775807", true, INT64_MAX, 9223372036854775807.0f },
		{ "9223372036854775808", true, INT64_MAX, 9223372036854775808.0f },
		{ "18446744073709551615", true, INT64_MAX, 18446744073709551615.0f },
		{ "1e300", true, INT64_MAX, INFINITY },
		{ "-1e300", true, INT64_MIN, -INFINITY },
		{ "-9223372036854775809", true, INT64_MIN, -9223372036854775808.0f },
		{ "\"5\"", false, 0, 0 },
		{ "null", false, 0, 0 },
		{ "true", false, 0, 0 },
		{ "[5]", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_object *o;
		int64_t n = 0;
		float f = 0;

		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &o, NULL), 0);
		if (json_is_truncated(o, &n) != rows[i].is_number || n != rows[i].truncated)
			fail_msg("truncated: %s", rows[i].text);
		if (json_is_float(o, &f) != rows[i].is_number || f != rows[i].single)
			fail_msg("float: %s", rows[i].text);
		json_object_put(o);
	}
}

static void test_required_members(void **state)
{
	static const char text[] = "{\"i\":5,\"s\":\"x\\u0000y\",\"b\":true,\"l\":[1,null],\"o\":{},\"n\":null}";
	static const char *const keys[] = { "i", "s", "b", "l", "o", "n", "missing" };
	struct json_object *o, *v;
	struct slice s;
	size_t len;
	int64_t i;
	bool b;

	(void)state;
	assert_int_equal(json_parse_object(SLICE(text), &JSON_LIMITS_SMALL, &o, NULL), 0);
	for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
		struct err e = ERR_INIT;

		assert_int_equal(json_need_int(o, keys[k], 5, 5, &i, &e), k == 0 ? 0 : -1);
		assert_int_equal(json_need_str(o, keys[k], &s, &e), k == 1 ? 0 : -1);
		assert_int_equal(json_need_bool(o, keys[k], &b, &e), k == 2 ? 0 : -1);
		assert_int_equal(json_need_array(o, keys[k], &v, &len, &e), k == 3 ? 0 : -1);
		assert_int_equal(json_need_object(o, keys[k], &v, &e), k == 4 ? 0 : -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		assert_non_null(strstr(e.msg, keys[k]));
	}
	assert_int_equal(json_need_int(o, "i", 6, 9, &i, NULL), -1);
	assert_int_equal(json_need_int(o, "i", 0, 4, &i, NULL), -1);
	assert_int_equal(json_need_str(o, "s", &s, NULL), 0);
	assert_true(slice_eq(s, SLICE("x\0y")));
	assert_true(json_has(o, "n", &v));
	assert_null(v);
	assert_false(json_has(o, "missing", &v));
	assert_int_equal(json_need_array(o, "l", &v, &len, NULL), 0);
	assert_int_equal(len, 2);
	assert_non_null(json_at(v, 0));
	assert_null(json_at(v, 1));
	assert_null(json_at(v, 2));
	json_object_put(o);
	assert_int_equal(json_parse_object(SLICE("[]"), &JSON_LIMITS_SMALL, &o, NULL), -1);
	assert_null(o);
	assert_int_equal(json_parse_object(SLICE("null"), &JSON_LIMITS_SMALL, &o, NULL), -1);
}

static void test_printed_strings(void **state)
{
	static const struct {
		struct slice in;
		const char *out;
	} rows[] = {
		{ { NULL, 0 }, "\"\"" },
		{ SLICE("a\0\x1f\x7f/"), "\"a\\u0000\\u001f\x7f/\"" },
		{ SLICE("\xff""a\xe2\x82"), "\"\xEF\xBF\xBD""a\xEF\xBF\xBD\"" },
		{ SLICE("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
		{ SLICE("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
	};
	struct buf b = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_reset(&b);
		json_put_str(&b, rows[i].in);
		assert_string_equal(buf_str(&b), rows[i].out);
	}
	buf_reset(&b);
	json_put_key(&b, "a\"");
	json_put_int(&b, INT64_MIN);
	json_put_key(&b, "b");
	buf_putc(&b, '{');
	json_put_key(&b, "c");
	json_put_bool(&b, false);
	assert_string_equal(buf_str(&b), "\"a\\\"\":-9223372036854775808,\"b\":{\"c\":false");
	buf_release(&b);
}

/* A number of 399 digits is read, one of more is refused: there is no text without a limit. */
static void test_long_numbers(void **state)
{
	char text[500];
	struct json_object *o;

	(void)state;
	memset(text, '0', sizeof text);
	text[1] = '.';
	assert_int_equal(parse(text, 399, &o, NULL), 0);
	json_object_put(o);
	assert_int_equal(parse(text, 400, &o, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses),      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_floats),
		cmocka_unit_test(test_doubled_keys), cmocka_unit_test(test_limits),     cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_getters),      cmocka_unit_test(test_each_limit), cmocka_unit_test(test_numbers_of_rows),
		cmocka_unit_test(test_required_members),
		cmocka_unit_test(test_printed_strings),
		cmocka_unit_test(test_long_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
