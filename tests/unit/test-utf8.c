/* base/utf8: every code point, and what lossy decoding makes of bytes that are none. */
#include "base/utf8.h"

#include "tests/unit/test.h"

static void test_every_code_point(void **state)
{
	struct buf b = BUF_INIT(8);
	size_t used;

	(void)state;
	for (uint32_t code = 0; code <= 0x10FFFF; code++) {
		size_t want = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		buf_reset(&b);
		utf8_put(&b, code);
		if (b.len != want || utf8_sequence(b.data, b.len) != want || !utf8_valid(buf_slice(&b)) ||
		    utf8_decode(b.data, b.len, &used) != code || used != want)
			fail_msg("U+%04X", code);
		/* Cut off anywhere it is no character. */
		for (size_t n = 1; n < want; n++)
			if (utf8_sequence(b.data, n) != 0 || utf8_bad_part(b.data, n) != n)
				fail_msg("U+%04X cut to %zu", code, n);
	}
	buf_release(&b);
}

static void test_invalid_parts(void **state)
{
	static const struct {
		struct slice bytes;
		size_t parts; /* characters, each invalid part counting as one */
	} rows[] = {
		{ SLICE("\xff"), 1 },
		{ SLICE("\x80"), 1 },
		{ SLICE("\xe2\x82"), 1 },
		{ SLICE("\xe2\x82""a"), 2 },
		{ SLICE("\xc0\x80"), 2 },
		{ SLICE("\xc1\xbf"), 2 },
		{ SLICE("\xed\xa0\x80"), 3 },
		{ SLICE("\xe0\x9f\xbf"), 3 },
		{ SLICE("\xf0\x9f\x98"), 1 },
		{ SLICE("\xf0\x8f\xbf\xbf"), 4 },
		{ SLICE("\xf4\x90\x80\x80"), 4 },
		{ SLICE("\xf5\x80\x80\x80"), 4 },
		{ SLICE("\xf0\x9f\x98\xc3\xa4"), 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t parts = 0, used;

		assert_false(utf8_valid(rows[i].bytes));
		for (size_t at = 0; at < rows[i].bytes.len; at += used, parts++)
			if (utf8_decode(rows[i].bytes.p + at, rows[i].bytes.len - at, &used) == 0xFFFD)
				assert_int_equal(used, utf8_bad_part(rows[i].bytes.p + at, rows[i].bytes.len - at));
		if (parts != rows[i].parts)
			fail_msg("row %zu: %zu parts", i, parts);
		/* Wherever it stands in a text. */
		for (size_t before = 0; before < 18; before++) {
			struct buf b = BUF_INIT(64);

			for (size_t n = 0; n < before; n++)
				buf_put(&b, n % 9 == 8 ? "\xe2\x82\xac" : "a", n % 9 == 8 ? 3 : 1);
			assert_true(utf8_valid(buf_slice(&b)));
			buf_put(&b, rows[i].bytes.p, rows[i].bytes.len);
			assert_false(utf8_valid(buf_slice(&b)));
			buf_puts(&b, "a\xc3\xa4 and more");
			assert_false(utf8_valid(buf_slice(&b)));
			assert_int_equal(buf_check(&b, NULL), 0);
			buf_release(&b);
		}
	}
	assert_true(utf8_valid((struct slice){ NULL, 0 }));
	assert_true(utf8_valid(SLICE("a\0\xc3\xa4")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_invalid_parts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
