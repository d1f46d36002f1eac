/* format/note_text: sort field and checksum against the official library, tag soup against the reference, and its speed. */
#include "format/note_text.h"

#include "tests/unit/vectors.h"

/* What SQLite made of the text in a column of numbers is compared as a number. */
static void check_sort_field(struct json_object *o, struct slice got)
{
	struct slice type = vectors_str(o, "type");
	struct json_object *sfld = vectors_get(o, "sfld");
	struct buf text = BUF_INIT(BUF_UNBOUNDED);

	buf_set(&text, got.p, got.len);
	if (slice_eq_str(type, "text")) {
		vectors_same(o, got, vectors_slice(sfld));
	} else if (slice_eq_str(type, "integer")) {
		/* "1e3" is an integer there, too. */
		if (strtod(buf_str(&text), NULL) != (double)json_object_get_int64(sfld))
			fail_msg("%s: %s", buf_str(&text), json_object_to_json_string(o));
	} else {
		assert_true(slice_eq_str(type, "real"));
		if (strtof(buf_str(&text), NULL) != strtof(json_object_get_string(sfld), NULL))
			fail_msg("%s: %s", buf_str(&text), json_object_to_json_string(o));
	}
	buf_release(&text);
}

static void test_official_fields(void **state)
{
	struct json_object *file = vectors_load("fields.json"), *stored;
	struct buf sfld = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	assert_true(json_object_array_length(file) > 500);
	for (size_t i = 0; i < json_object_array_length(file); i++) {
		struct json_object *o = json_at(file, i);
		uint32_t csum = 0;

		if (!json_has(o, "stored", &stored))
			stored = vectors_get(o, "flds");
		note_text(vectors_slice(stored), (uint32_t)vectors_int(o, "sortf"), &sfld, &csum);
		check_sort_field(o, buf_slice(&sfld));
		if (csum != vectors_int(o, "csum"))
			fail_msg("csum %u: %s", csum, json_object_to_json_string(o));
	}
	buf_release(&sfld);
	json_object_put(file);
}

static void test_entities(void **state)
{
	struct json_object *file = vectors_load("entities.json");
	struct buf in = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	int n = 0;

	(void)state;
	json_object_object_foreach(file, name, value)
	{
		struct slice want = vectors_slice(value);

		buf_reset(&in);
		buf_printf(&in, "a&%s;b", name);
		note_text_strip(buf_slice(&in), &out);
		buf_reset(&in);
		buf_putc(&in, 'a');
		if (strcmp(name, "nbsp") == 0)
			buf_putc(&in, ' ');
		else
			buf_put(&in, want.p, want.len);
		buf_putc(&in, 'b');
		vectors_same(value, buf_slice(&out), buf_slice(&in));
		n++;
	}
	assert_int_equal(n, 252);
	buf_release(&in);
	buf_release(&out);
	json_object_put(file);
}

static void test_soup(void **state)
{
	struct json_object *file = vectors_load("soup.json");
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	assert_int_equal(json_object_array_length(file), 2000);
	for (size_t i = 0; i < json_object_array_length(file); i++) {
		struct json_object *o = json_at(file, i);

		note_text_strip(vectors_slice(json_at(o, 0)), &out);
		vectors_same(o, buf_slice(&out), vectors_slice(json_at(o, 1)));
	}
	buf_release(&out);
	json_object_put(file);
}

static void test_missing_fields(void **state)
{
	static const struct {
		const char *flds;
		uint32_t sort_field, csum;
		const char *sfld;
	} rows[] = {
		{ "", 0, 3661210606, "" },          { "", 1, 3661210606, "" },
		{ "a\x1f" "b\x1f", 1, 2264392759, "b" }, { "a\x1f" "b\x1f", 2, 2264392759, "" },
		{ "a\x1f" "b\x1f", 3, 2264392759, "" },  { "a\x1f" "b", UINT32_MAX, 2264392759, "" },
		{ "\x1f" "b", 0, 3661210606, "" },
	};
	struct buf sfld = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	buf_puts(&sfld, "left over");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t csum = 0;

		note_text(slice_of(rows[i].flds), rows[i].sort_field, &sfld, &csum);
		assert_string_equal(buf_str(&sfld), rows[i].sfld);
		assert_int_equal(csum, rows[i].csum);
	}
	buf_release(&sfld);
}

static void test_strip(void **state)
{
	static const struct {
		struct slice in, out;
	} rows[] = {
		{ SLICE("&lt\0;"), SLICE("&lt\0;") },
		{ SLICE("a&#0;b"), SLICE("a\0b") },
		{ SLICE("\xC2\xA0&bad;"), SLICE("\xC2\xA0&bad;") },
		{ SLICE("\xC2\xA0&amp;\xC2\xA0"), SLICE(" & ") },
		{ SLICE("<img \xC3\xA4src=a src=b>"), SLICE(" b ") },
		{ SLICE("<img\xC5\xBF src=a>"), SLICE("") },       /* a word character behind the name */
		{ SLICE("<img\xE2\x82\xACsrc=a>x"), SLICE(" a x") }, /* U+20AC is none */
		{ SLICE("<img src=a b"), SLICE("<img src=a b") },
		{ SLICE("<img"), SLICE("<img") },
		{ SLICE("<"), SLICE("<") },
		{ SLICE("&"), SLICE("&") },
		{ SLICE("&#"), SLICE("&#") },
		{ SLICE("&#x"), SLICE("&#x") },
		{ SLICE("&#x10FFFF;"), SLICE("\xF4\x8F\xBF\xBF") },
		{ SLICE("&#99999999999999999999999999;"), SLICE("&#99999999999999999999999999;") },
	};
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		note_text_strip(rows[i].in, &out);
		if (!slice_eq(buf_slice(&out), rows[i].out))
			fail_msg("row %zu: %s", i, buf_str(&out));
	}
	buf_release(&out);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Ten megabytes of what makes a naive search quadratic. The allowance is for slow machines and sanitizers. */
static void test_linear_time(void **state)
{
	static const struct {
		const char *begin, *again, *end;
	} rows[] = {
		{ "", "<", "" },
		{ "", "<", ">" },
		{ "", "<img ", "" },
		{ "", "<img ", ">" },
		{ "", "<img src=\"", "" },
		{ "", "<img src=\"", ">" },
		{ "", "<img src=\"x' src='y", "" },
		{ "", "<img src=\"x' src='y", " >" },
		{ "<img ", "src=\"x", ">" },
		{ "<img ", "\"x", ">" },
		{ "<img ", "\"x'", ">" },
		{ "<img ", "'a>\"b>", "" },
		{ "<img ", "'a>\"b>'", ">" },
		{ "<img '", ">", "" },
		{ "<img \"", "<img '>", "" },
		{ "<img \"", "<img '>\"", "\"'" },
		{ "", "<img \">'", "" },
		{ "<img >", "\"'a<img ", "" },
		{ "<img ", "\xC3\xA4src=", ">" },
		{ "", "<!--", "" },
		{ "", "<!--", ">" },
		{ "", "<style>", "" },
		{ "", "<style><script>", "" },
		{ "<style>", "</style", ">" },
		{ "<script>", "</script >", "" },
		{ "", "&amp;", "" },
		{ "", "&amp;", "&" },
		{ "&#", "0", ";" },
		{ "&#", "9", ";" },
		{ "&", "x", ";" },
		{ "", "&#38", "" },
		{ "&amp;", "\xC2\xA0", "" },
	};
	struct buf in = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double begin;

		buf_reset(&in);
		buf_puts(&in, rows[i].begin);
		while (in.len < 10000000)
			buf_puts(&in, rows[i].again);
		buf_puts(&in, rows[i].end);
		begin = cpu_seconds();
		note_text_strip(buf_slice(&in), &out);
		if (cpu_seconds() - begin > 3)
			fail_msg("%.1f s: %s%s%s", cpu_seconds() - begin, rows[i].begin, rows[i].again, rows[i].end);
	}
	buf_release(&in);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_official_fields), cmocka_unit_test(test_entities), cmocka_unit_test(test_soup),
		cmocka_unit_test(test_missing_fields),  cmocka_unit_test(test_strip),    cmocka_unit_test(test_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
