/* format/unicase against the order of the official library, over all code points. */
#include "format/unicase.h"

#include "base/digest.h"
#include "base/utf8.h"
#include "tests/unit/vectors.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* Both ways round, and the folded texts must agree. */
static void check_pair(struct json_object *o, struct slice a, struct slice b, int want)
{
	struct buf x = BUF_INIT(BUF_UNBOUNDED), y = BUF_INIT(BUF_UNBOUNDED);
	size_t n;
	int c;

	if (unicase_compare(a, b) != want || unicase_compare(b, a) != -want || unicase_equal(a, b) != (want == 0))
		fail_msg("%d instead of %d: %s", unicase_compare(a, b), want, json_object_to_json_string(o));
	unicase_fold(a, &x);
	unicase_fold(b, &y);
	n = x.len < y.len ? x.len : y.len;
	c = n ? sign(memcmp(x.data, y.data, n)) : 0;
	if (c == 0)
		c = (x.len > y.len) - (x.len < y.len);
	if (c != want)
		fail_msg("folded: %d instead of %d: %s", c, want, json_object_to_json_string(o));
	buf_release(&x);
	buf_release(&y);
}

static void test_every_code_point(void **state)
{
	struct json_object *file = vectors_load("unicase.json"), *fold = vectors_get(file, "fold"), *v;
	struct buf one = BUF_INIT(16), want = BUF_INIT(64), got = BUF_INIT(64);
	size_t listed = 0;

	(void)state;
	for (uint32_t code = 0; code <= 0x10FFFF; code++) {
		char key[8];

		if (code >= 0xD800 && code <= 0xDFFF)
			continue;
		snprintf(key, sizeof key, "%04X", code);
		buf_reset(&want);
		buf_reset(&one);
		utf8_put(&one, code);
		if (json_has(fold, key, &v)) {
			char *p = (char *)json_object_get_string(v);

			for (listed++; *p; p += *p == ' ')
				utf8_put(&want, (uint32_t)strtoul(p, &p, 16));
		} else {
			utf8_put(&want, code);
		}
		unicase_fold(buf_slice(&one), &got);
		if (!slice_eq(buf_slice(&got), buf_slice(&want)) || !unicase_equal(buf_slice(&one), buf_slice(&want)))
			fail_msg("U+%04X", code);
	}
	assert_int_equal(listed, json_object_object_length(fold));
	buf_release(&one);
	buf_release(&want);
	buf_release(&got);
	json_object_put(file);
}

static void test_pairs(void **state)
{
	struct json_object *file = vectors_load("unicase.json"), *pairs = vectors_get(file, "pairs");

	(void)state;
	for (size_t i = 0; i < json_object_array_length(pairs); i++) {
		struct json_object *o = json_at(pairs, i);

		check_pair(o, vectors_str(o, "a"), vectors_str(o, "b"), (int)vectors_int(o, "cmp"));
	}
	json_object_put(file);
}

static struct slice bytes_of(struct slice hex, uint8_t *room)
{
	assert_int_equal(hex_parse(hex, room, hex.len / 2), 0);
	return (struct slice){ (char *)room, hex.len / 2 };
}

static void test_invalid_bytes(void **state)
{
	struct json_object *file = vectors_load("unicase.json"), *pairs = vectors_get(file, "bytes_hex");

	(void)state;
	for (size_t i = 0; i < json_object_array_length(pairs); i++) {
		struct json_object *o = json_at(pairs, i);
		uint8_t a[64], b[64];

		check_pair(o, bytes_of(vectors_str(o, "a"), a), bytes_of(vectors_str(o, "b"), b), (int)vectors_int(o, "cmp"));
	}
	json_object_put(file);
}

/* The list is in order: every earlier one is at most equal to every later one. */
static void test_sorted_list(void **state)
{
	struct json_object *file = vectors_load("unicase.json"), *list = vectors_get(file, "sorted");
	size_t n = json_object_array_length(list);

	(void)state;
	assert_true(n > 100);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			struct slice a = vectors_slice(json_at(list, i)), b = vectors_slice(json_at(list, k));

			if (unicase_compare(a, b) > 0 || unicase_compare(b, a) < 0)
				fail_msg("%s is not before %s", a.p, b.p);
		}
	}
	json_object_put(file);
}

/* What the vectors cannot say in JSON, and foldings that end inside each other. */
static void test_lengths_and_nul(void **state)
{
	static const struct {
		struct slice a, b;
		int want;
	} rows[] = {
		{ { NULL, 0 }, { NULL, 0 }, 0 },
		{ { NULL, 0 }, { "\0", 1 }, -1 },
		{ { "a\0b", 3 }, { "A\0B", 3 }, 0 },
		{ { "a\0b", 3 }, { "a\0c", 3 }, -1 },
		{ { "\xC3\x9F", 2 }, { "s", 1 }, 1 },                                /* ß, s */
		{ { "\xC3\x9F", 2 }, { "sS", 2 }, 0 },
		{ { "\xEF\xAC\x83x", 4 }, { "IFFy", 4 }, -1 },                       /* U+FB03 compares like iff */
		{ { "\xEF\xAC\x83", 3 }, { "i\xEF\xAC\x80", 4 }, 0 },                /* U+FB03 and i U+FB00 */
		{ { "\xEF\xAC\x80\xEF\xAC\x80", 6 }, { "f\xEF\xAC\x80""f", 5 }, 0 }, /* ff ff, f ff f */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_pair(NULL, rows[i].a, rows[i].b, rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_pairs),           cmocka_unit_test(test_invalid_bytes),
		cmocka_unit_test(test_sorted_list),      cmocka_unit_test(test_lengths_and_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
