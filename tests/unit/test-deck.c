/* format/deck against what official makes of the same input, and against damaged blobs. */
#include "format/deck.h"

#include "tests/unit/objects.h"

static void test_vectors(void **state)
{
	struct json_object *cases = vectors_load("decks.json");
	size_t n = json_object_array_length(cases);

	(void)state;
	assert_true(n > 300);
	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_at(cases, i), *in = objects_input(c), *row, *out;
		struct buf printed = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		struct deck d;

		deck_init(&d);
		if ((deck_from_json(&d, in, &e) == 0) != objects_accepted(c))
			fail_msg("%s: %s", vectors_str(c, "case").p, e.msg);
		if (!objects_accepted(c)) {
			assert_int_equal(e.kind, ERR_BAD_REQUEST);
		} else {
			row = vectors_get(c, "row");
			objects_same_int(c, d.id, json_at(row, 0));
			objects_same_text(c, &d.name, json_at(row, 1));
			objects_same_int(c, d.mod_s, json_at(row, 2));
			objects_same_int(c, d.usn, json_at(row, 3));
			objects_same_blob(c, &d.common, json_at(row, 4));
			objects_same_blob(c, &d.kind, json_at(row, 5));
			assert_int_equal(deck_check(&d, &e), 0);
			assert_int_equal(deck_print(&printed, &d, &e), 0);
			if (json_has(c, "out", &out) && out)
				objects_same_out(c, &printed);
		}
		deck_release(&d);
		buf_release(&printed);
		json_object_put(in);
	}
	json_object_put(cases);
}

static void read_deck(struct deck *d, const char *text)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	assert_int_equal(json_parse(slice_of(text), &JSON_LIMITS_PAYLOAD, &o, &e), 0);
	if (deck_from_json(d, o, &e) != 0)
		fail_msg("%s", e.msg);
	json_object_put(o);
}

static void check_printed(const struct deck *d, const char *want)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	if (deck_print(&out, d, &e) != 0)
		fail_msg("%s", e.msg);
	assert_string_equal(buf_str(&out), want);
	buf_release(&out);
}

static void check_error(const char *text, enum err_kind kind, const char *msg)
{
	struct json_object *o;
	struct err e = ERR_INIT;
	struct deck d;

	deck_init(&d);
	assert_int_equal(json_parse(slice_of(text), &JSON_LIMITS_PAYLOAD, &o, &e), 0);
	assert_int_equal(deck_from_json(&d, o, &e), -1);
	assert_int_equal(e.kind, kind);
	assert_string_equal(e.msg, msg);
	json_object_put(o);
	deck_release(&d);
}

static void test_errors(void **state)
{
	(void)state;
	check_error("{\"id\":7,\"usn\":0}", ERR_BAD_REQUEST, "deck 7: key name is missing");
	check_error("{\"id\":7,\"name\":7}", ERR_BAD_REQUEST, "deck 7: name is not a string");
	check_error("{\"id\":\"0\"}", ERR_BAD_REQUEST, "deck 0: id is not an integer other than 0");
	check_error("[]", ERR_BAD_REQUEST, "deck 0: key id is missing");
}

#define HEAD(name) "{\"id\":2,\"mod\":3,\"name\":\"" name "\",\"usn\":4,\"lrnToday\":[0,0],\"revToday\":[0,0],\"newToday\":[0,0]," \
	"\"timeToday\":[0,0],\"collapsed\":false,\"browserCollapsed\":false"
#define NORMAL ",\"conf\":1,\"extendNew\":0,\"extendRev\":0,\"reviewLimit\":null,\"newLimit\":null,\"reviewLimitToday\":null," \
	"\"newLimitToday\":null,\"desiredRetention\":null}"
#define FILTERED ",\"resched\":true,\"terms\":[],\"separate\":true,\"delays\":null,\"previewDelay\":0,\"previewAgainSecs\":0," \
	"\"previewHardSecs\":0,\"previewGoodSecs\":0}"

/* What an older client kept as unknown comes out again, but no key comes twice. */
static void test_reserved(void **state)
{
	static const char common[] = "\xfa\x0f\x24{\"conf\":5,\"md\":7,\"terms\":1,\"desc\":0}";
	struct deck d;

	(void)state;
	deck_init(&d);
	read_deck(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":0" NORMAL);
	buf_set(&d.common, common, sizeof common - 1);
	check_printed(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":0,\"md\":7,\"terms\":1" NORMAL);
	read_deck(&d, HEAD("x") ",\"desc\":\"\",\"md\":true,\"dyn\":0" NORMAL);
	buf_set(&d.common, common, sizeof common - 1);
	check_printed(&d, HEAD("x") ",\"desc\":\"\",\"md\":true,\"dyn\":0,\"terms\":1" NORMAL);
	read_deck(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":1" FILTERED);
	buf_set(&d.common, common, sizeof common - 1);
	check_printed(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":1,\"md\":7" FILTERED);
	buf_set(&d.common, "\xfa\x0f\x02[]", 5);
	check_printed(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":1" FILTERED);
	deck_release(&d);
}

/* Of a doubled key the last one counts, at every level. */
static void test_doubled_keys(void **state)
{
	struct deck d;

	(void)state;
	deck_init(&d);
	read_deck(&d, HEAD("x") ",\"desc\":5,\"desc\":\"\",\"dyn\":1,\"previewDelay\":7,\"terms\":[{\"search\":1,\"limit\":\"9\",\"order\":2,"
				"\"search\":\"s\"}],\"resched\":true,\"previewDelay\":0}");
	check_printed(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":1,\"resched\":true,\"terms\":[[\"s\",9,2]],\"separate\":true,\"delays\":null,"
				    "\"previewDelay\":0,\"previewAgainSecs\":0,\"previewHardSecs\":0,\"previewGoodSecs\":0}");
	deck_release(&d);
}

/* A blob may hold numbers that the wire has no room for; clients would refuse the whole reply. */
static void test_wide_numbers(void **state)
{
	struct deck d;

	(void)state;
	deck_init(&d);
	read_deck(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":1" FILTERED);
	buf_set(&d.kind, "\x12\x08\x12\x06\x10\xff\xff\xff\xff\x0f", 10);
	check_printed(&d, HEAD("x") ",\"desc\":\"\",\"dyn\":1,\"resched\":false,\"terms\":[[\"\",-1,0]],\"separate\":true,\"delays\":null,"
				    "\"previewDelay\":0,\"previewAgainSecs\":0,\"previewHardSecs\":0,\"previewGoodSecs\":0}");
	deck_release(&d);
}

static void test_default(void **state)
{
	struct deck d;

	(void)state;
	deck_init(&d);
	deck_default(&d);
	assert_int_equal(d.id, 1);
	assert_string_equal(buf_str(&d.name), "Default");
	assert_true(slice_eq(buf_slice(&d.common), SLICE("\x08\x01\x10\x01")));
	assert_true(slice_eq(buf_slice(&d.kind), SLICE("\x0a\x02\x08\x01")));
	deck_release(&d);
}

static void test_kinds(void **state)
{
	static const struct {
		struct slice kind;
		bool good;
	} rows[] = {
		{ SLICE(""), false },
		{ SLICE("\x0a\x00"), true },
		{ SLICE("\x12\x00"), true },
		{ SLICE("\x0a\x02\x08\x01\x12\x00"), true },
		{ SLICE("\x1a\x00"), false },             /* neither member, something unknown */
		{ SLICE("\x0a\x00\x1a\x00"), true },
		{ SLICE("\x0a\x03\x08\x01"), false },     /* cut */
		{ SLICE("\x0a\x02\x0d\x01"), false },     /* a float where an integer belongs */
		{ SLICE("\x0a\x03\x22\x01\x00"), true },  /* NUL in a text */
		{ SLICE("\x0a\x03\x22\x01\xff"), false }, /* not UTF-8 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;
		struct deck d;

		deck_init(&d);
		buf_set(&d.kind, rows[i].kind.p, rows[i].kind.len);
		if ((deck_check(&d, &e) == 0) != rows[i].good)
			fail_msg("row %zu: %s", i, e.msg);
		assert_int_equal(e.kind, rows[i].good ? ERR_NONE : ERR_DAMAGED);
		deck_release(&d);
	}
}

/* A blob that costs much more than its size, and one that is too long. */
static void test_bombs(void **state)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct deck d;

	(void)state;
	deck_init(&d);
	buf_puts(&d.kind, "\x12\x80\x80\xc0\x07");
	for (int i = 0; i < 0xf00000; i += 2)
		buf_put(&d.kind, "\x12", 2);
	assert_int_equal(deck_print(&out, &d, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	buf_release(&d.kind);
	d.kind.max = BUF_UNBOUNDED;
	buf_puts(&d.kind, "\x0a");
	buf_put(&d.kind, "", 1);
	while (d.kind.len <= 1 << 24)
		buf_put(&d.kind, "\x1a", 2);
	assert_int_equal(deck_check(&d, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	assert_int_equal(out.len, 0);
	deck_release(&d);
	buf_release(&out);
}

static void test_too_big(void **state)
{
	struct buf text = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	buf_puts(&text, HEAD("x") ",\"desc\":\"");
	for (int i = 0; i < 1 << 24; i++)
		buf_putc(&text, 'd');
	buf_puts(&text, "\",\"dyn\":0" NORMAL);
	check_error(buf_str(&text), ERR_TOO_BIG, "deck 2: 16777228 bytes; an object has room for 16777216");
	buf_reset(&text);
	buf_puts(&text, HEAD("x") ",\"desc\":\"\",\"dyn\":0,\"addon\":\"");
	for (int i = 0; i < 1 << 24; i++)
		buf_putc(&text, 'd');
	buf_puts(&text, "\"" NORMAL);
	check_error(buf_str(&text), ERR_TOO_BIG, "deck 2: unknown keys: more than 16777216 bytes");
	buf_release(&text);
	buf_release(&out);
}

static int read_and_print(struct json_object *o, struct buf *printed)
{
	struct err e = ERR_INIT;
	struct deck x;
	int rc;

	deck_init(&x);
	rc = deck_from_json(&x, o, &e);
	if (rc == 0) {
		assert_int_equal(deck_check(&x, &e), 0);
		assert_int_equal(deck_print(printed, &x, &e), 0);
	} else {
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
	}
	deck_release(&x);
	return rc;
}

static void test_odd_values(void **state)
{
	static const char *const names[] = { "normal, everything", "filtered", "normal, unknown nested" };
	struct json_object *cases = vectors_load("decks.json");
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < json_object_array_length(cases); i++) {
		struct json_object *c = json_at(cases, i), *in = objects_input(c);

		for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
			if (!slice_eq_str(vectors_str(c, "case"), names[k]))
				continue;
			objects_vary(in, read_and_print);
			found++;
		}
		json_object_put(in);
	}
	assert_int_equal(found, sizeof names / sizeof *names);
	json_object_put(cases);
}

static void try_damaged(void *ctx)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct deck *d = ctx;
	struct err e = ERR_INIT;
	int checked = deck_check(d, &e);

	assert_int_equal(deck_print(&out, d, &e), checked);
	if (checked == 0)
		objects_is_json(&out);
	else
		assert_int_equal(e.kind, ERR_DAMAGED);
	buf_release(&out);
}

static void test_damage(void **state)
{
	struct json_object *cases = vectors_load("decks.json");
	struct deck d;

	(void)state;
	deck_init(&d);
	for (size_t i = 0; i < json_object_array_length(cases); i += 7) {
		struct json_object *c = json_at(cases, i), *row;

		if (!json_has(c, "row", &row))
			continue;
		objects_unhex(vectors_slice(json_at(row, 4)), &d.common);
		objects_unhex(vectors_slice(json_at(row, 5)), &d.kind);
		objects_damage(&d.common, try_damaged, &d);
		objects_damage(&d.kind, try_damaged, &d);
	}
	deck_release(&d);
	json_object_put(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_doubled_keys),
		cmocka_unit_test(test_wide_numbers),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_odd_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
