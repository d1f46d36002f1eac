/* format/deck_config against what official makes of the same input, and against damaged blobs. */
#include "format/deck_config.h"

#include "tests/unit/objects.h"

/* Official stores infinity and sends null, which no client reads; we refuse (collection-format.md §3.1). */
static const char refused_by_us[] = "opt secondsToShowQuestion=1e+39";

static void test_vectors(void **state)
{
	struct json_object *cases = vectors_load("deckconf.json");
	size_t n = json_object_array_length(cases);

	(void)state;
	assert_true(n > 300);
	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_at(cases, i), *in = objects_input(c), *row;
		bool good = objects_accepted(c) && !slice_eq_str(vectors_str(c, "case"), refused_by_us);
		struct buf printed = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		struct deck_config d;

		deck_config_init(&d);
		if ((deck_config_from_json(&d, in, &e) == 0) != good)
			fail_msg("%s: %s", vectors_str(c, "case").p, e.msg);
		if (!good) {
			assert_int_equal(e.kind, ERR_BAD_REQUEST);
		} else {
			row = vectors_get(c, "row");
			objects_same_int(c, d.id, json_at(row, 0));
			objects_same_text(c, &d.name, json_at(row, 1));
			objects_same_int(c, d.mod_s, json_at(row, 2));
			objects_same_int(c, d.usn, json_at(row, 3));
			objects_same_blob(c, &d.config, json_at(row, 4));
			assert_int_equal(deck_config_check(&d, &e), 0);
			assert_int_equal(deck_config_print(&printed, &d, &e), 0);
			objects_same_out(c, &printed);
		}
		deck_config_release(&d);
		buf_release(&printed);
		json_object_put(in);
	}
	json_object_put(cases);
}

#define BEFORE "{\"id\":7,\"mod\":1,\"name\":\"n\",\"usn\":0,\"maxTaken\":60,\"autoplay\":true,\"timer\":0,\"replayq\":true,"
#define NEW "\"new\":{\"bury\":false,\"delays\":[1.0],\"initialFactor\":2500,\"ints\":[1,4],\"order\":1,\"perDay\":20},"
#define REV "\"rev\":{\"bury\":false,\"ease4\":1.3,\"ivlFct\":1.0,\"maxIvl\":36500,\"perDay\":200,\"hardFactor\":1.2},"
#define LAPSE "\"lapse\":{\"delays\":[10.0],\"leechAction\":1,\"leechFails\":8,\"minInt\":1,\"mult\":0.0}"

static void test_errors(void **state)
{
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ BEFORE NEW REV LAPSE ",\"fsrsWeights\":[1e39]}", "options 7: fsrsWeights: a number beyond single precision" },
		{ BEFORE REV LAPSE "}", "options 7: key new is missing" },
		{ BEFORE NEW REV LAPSE ",\"answerAction\":5}", "options 7: answerAction is not a known number" },
		{ BEFORE NEW REV LAPSE ",\"rev\":{}}", "options 7: key rev stands twice" },
		/* Where other unusable values count as absent, too. */
		{ BEFORE "\"new\":{\"delays\":[1e39]}," REV LAPSE "}", "options 7: new: a number beyond single precision" },
		{ BEFORE NEW "\"rev\":{\"ease4\":-1e39}," LAPSE "}", "options 7: rev: a number beyond single precision" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_object *o;
		struct err e = ERR_INIT;
		struct deck_config c;

		deck_config_init(&c);
		assert_int_equal(json_parse(slice_of(rows[i].text), &JSON_LIMITS_PAYLOAD, &o, &e), 0);
		assert_int_equal(deck_config_from_json(&c, o, &e), -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		assert_string_equal(e.msg, rows[i].msg);
		json_object_put(o);
		deck_config_release(&c);
	}
}

/* An error at the top (test_errors); inside a sub-object the last one counts, as in official. */
static void test_doubled_keys(void **state)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *o;
	struct err e = ERR_INIT;
	struct deck_config c;

	(void)state;
	deck_config_init(&c);
	assert_int_equal(json_parse(SLICE(BEFORE NEW LAPSE ",\"rev\":{\"ease4\":\"x\",\"ivlFct\":1.5,\"maxIvl\":9,\"perDay\":8,"
					  "\"x\":1,\"x\":2,\"ease4\":1.5}}"), &JSON_LIMITS_PAYLOAD, &o, &e), 0);
	if (deck_config_from_json(&c, o, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(deck_config_print(&out, &c, &e), 0);
	assert_non_null(strstr(buf_str(&out), "\"rev\":{\"bury\":false,\"ease4\":1.5,\"ivlFct\":1.5,\"maxIvl\":9,\"perDay\":8,"
					      "\"hardFactor\":1.2,\"x\":2}"));
	json_object_put(o);
	deck_config_release(&c);
	buf_release(&out);
}

static void test_default(void **state)
{
	static const char hex[] = "0a080000803f00002041120400002041221c0000803f0000803f0000803f0000803f0000803f0000803f0000803f"
				  "481450c8015d00002040656666a63f6d9a99993f7d0000803f8001949d02880101900101980104a80101b00108"
				  "c0013cad026666663fc5026666663fe00201";
	struct buf want = BUF_INIT(BUF_UNBOUNDED);
	struct deck_config c;

	(void)state;
	deck_config_init(&c);
	deck_config_default(&c);
	objects_unhex(SLICE(hex), &want);
	assert_int_equal(c.id, 1);
	assert_string_equal(buf_str(&c.name), "Default");
	assert_true(slice_eq(buf_slice(&c.config), buf_slice(&want)));
	deck_config_release(&c);
	buf_release(&want);
}

/* A file of another program: numbers that no wire object could have brought. */
static void test_odd_blobs(void **state)
{
	static const struct {
		struct slice blob;
		const char *printed;
	} rows[] = {
		{ SLICE("\x5d\x00\x00\xc0\x7f"), "\"initialFactor\":2500" },       /* NaN */
		{ SLICE("\x5d\x14\xae\xa7\x3f"), "\"initialFactor\":1310" },       /* the lower end, in float */
		{ SLICE("\x65\x00\x00\x80\x7f"), "\"ease4\":1.3" },                /* infinity */
		{ SLICE("\xcd\x02\x00\x00\x80\x7f"), "\"secondsToShowQuestion\":3.4028235e38" },
		{ SLICE("\x1a\x04\x00\x00\xc0\x7f"), "\"fsrsWeights\":[0.0]" },
		{ SLICE("\x1d\x00\x00\x80\x3f\x1d\x00\x00\x00\x40"), "\"fsrsWeights\":[1.0,2.0]" }, /* not packed */
		{ SLICE("\xa0\x01\x07"), "\"order\":1" },
		{ SLICE("\xa8\x01\x07"), "\"leechAction\":0" },
		{ SLICE("\xd8\x02\x07"), "\"answerAction\":0" },
		{ SLICE("\x88\x02\x07"), "\"reviewOrder\":7" },
		{ SLICE("\x88\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "\"reviewOrder\":-1" },
		{ SLICE("\x48\x8f\x4e"), "\"perDay\":9999" },
		{ SLICE("\x48\x90\x4e"), "\"order\":1,\"perDay\":20" },
		{ SLICE("\xea\x02\x03" "a\0b"), "\"weightSearch\":\"a\\u0000b\"" },
		/* Unknown keys of a part that is no object are dropped, known ones in it, too. */
		{ SLICE("\xfa\x0f\x20{\"new\":5,\"rev\":{\"bury\":1,\"x\":2}}"), "\"hardFactor\":1.2,\"x\":2}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = BUF_INIT(BUF_UNBOUNDED);
		struct err e = ERR_INIT;
		struct deck_config c;

		deck_config_init(&c);
		buf_set(&c.config, rows[i].blob.p, rows[i].blob.len);
		if (deck_config_print(&out, &c, &e) != 0)
			fail_msg("row %zu: %s", i, e.msg);
		objects_is_json(&out);
		if (!strstr(buf_str(&out), rows[i].printed))
			fail_msg("no %s in %s", rows[i].printed, buf_str(&out));
		deck_config_release(&c);
		buf_release(&out);
	}
}

static void test_mend_ease(void **state)
{
	static const struct {
		struct slice before, after;
		int rc;
	} rows[] = {
		{ SLICE("\x5d\x00\x00\x20\x40"), SLICE("\x5d\x00\x00\x20\x40"), 0 }, /* 2.5 */
		{ SLICE("\x5d\x66\x66\xa6\x3f"), SLICE("\x5d\x00\x00\x20\x40"), 1 }, /* 1.3 */
		{ SLICE("\x5d\x67\x66\xa6\x3f"), SLICE("\x5d\x67\x66\xa6\x3f"), 0 }, /* the next float */
		{ SLICE(""), SLICE("\x5d\x00\x00\x20\x40"), 1 },
		/* Fields and numbers that we do not know stay: here 20 = 77, 39 and 300. */
		{ SLICE("\xe2\x12\x01x\xa0\x01\x4d\xb8\x02\x05"), SLICE("\x5d\x00\x00\x20\x40\xa0\x01\x4d\xe2\x12\x01x\xb8\x02\x05"), 1 },
		{ SLICE("\x5d\x00"), SLICE("\x5d\x00"), -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;
		struct deck_config c;

		deck_config_init(&c);
		buf_set(&c.config, rows[i].before.p, rows[i].before.len);
		if (deck_config_mend_ease(&c, &e) != rows[i].rc || !slice_eq(buf_slice(&c.config), rows[i].after))
			fail_msg("row %zu: %s", i, e.msg);
		assert_int_equal(e.kind, rows[i].rc < 0 ? ERR_DAMAGED : ERR_NONE);
		deck_config_release(&c);
	}
}

static int read_and_print(struct json_object *o, struct buf *printed)
{
	struct err e = ERR_INIT;
	struct deck_config x;
	int rc;

	deck_config_init(&x);
	rc = deck_config_from_json(&x, o, &e);
	if (rc == 0) {
		assert_int_equal(deck_config_check(&x, &e), 0);
		assert_int_equal(deck_config_print(printed, &x, &e), 0);
	} else {
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
	}
	deck_config_release(&x);
	return rc;
}

static void test_odd_values(void **state)
{
	static const char *const names[] = { "new client", "opt odd subs", "opt unknown top" };
	struct json_object *cases = vectors_load("deckconf.json");
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
	struct deck_config *c = ctx;
	struct err e = ERR_INIT;
	int checked = deck_config_check(c, &e);

	assert_int_equal(deck_config_print(&out, c, &e), checked);
	if (checked == 0)
		objects_is_json(&out);
	else
		assert_int_equal(e.kind, ERR_DAMAGED);
	buf_release(&out);
}

static void test_damage(void **state)
{
	struct json_object *cases = vectors_load("deckconf.json");
	struct deck_config d;

	(void)state;
	deck_config_init(&d);
	for (size_t i = 0; i < json_object_array_length(cases); i += 11) {
		struct json_object *c = json_at(cases, i), *row;

		if (!json_has(c, "row", &row))
			continue;
		objects_unhex(vectors_slice(json_at(row, 4)), &d.config);
		objects_damage(&d.config, try_damaged, &d);
	}
	deck_config_release(&d);
	json_object_put(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_doubled_keys),
		cmocka_unit_test(test_odd_blobs),
		cmocka_unit_test(test_mend_ease),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_odd_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
