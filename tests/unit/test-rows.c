/* format/rows: rows of the wire against what the official library stores and sends. */
#include "format/rows.h"

#include "format/packed_rows.h"
#include "tests/unit/vectors.h"

/* What one test needs again and again: scratch, and a printed row parsed again. */
struct bench {
	struct buf scratch, text;
	struct json_object *printed;
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){ BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED), NULL };
}

static void bench_release(struct bench *b)
{
	buf_release(&b->scratch);
	buf_release(&b->text);
	json_object_put(b->printed);
}

static struct json_object *parsed(const char *text)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	if (json_parse(slice_of(text), &JSON_LIMITS_PAYLOAD, &o, &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	return o;
}

static int read_card(struct bench *b, struct json_object *in, struct err *e)
{
	struct card_row c;

	buf_reset(&b->scratch);
	if (card_from_json(&c, in, &b->scratch, e) != 0)
		return -1;
	buf_reset(&b->text);
	card_print(&b->text, &c);
	json_object_put(b->printed);
	b->printed = parsed(buf_str(&b->text));
	return 0;
}

static int read_revlog(struct bench *b, struct json_object *in, struct err *e)
{
	struct revlog_row r;

	if (revlog_from_json(&r, in, e) != 0)
		return -1;
	buf_reset(&b->text);
	revlog_print(&b->text, &r);
	json_object_put(b->printed);
	b->printed = parsed(buf_str(&b->text));
	return 0;
}

/* Each case changes one element of a row. The printed row shows all that was read; nothing else may have changed. */
static void check_file(const char *name, int (*read)(struct bench *, struct json_object *, struct err *))
{
	struct json_object *file = vectors_load(name), *cases = vectors_get(file, "cases"), *columns = vectors_get(file, "columns");
	struct json_object *row = vectors_get(file, "row");
	size_t n = json_object_array_length(columns);
	struct bench b;

	bench_init(&b);
	assert_int_equal(json_object_array_length(row), n);
	for (size_t i = 0; i < json_object_array_length(cases); i++) {
		struct json_object *o = json_at(cases, i), *copy = NULL;
		struct slice column = vectors_str(o, "column");
		struct err e = ERR_INIT;
		int status;

		assert_int_equal(json_object_deep_copy(row, &copy, NULL), 0);
		for (size_t k = 0; k < n; k++)
			if (slice_eq(vectors_slice(json_at(columns, k)), column))
				json_object_array_put_idx(copy, k, json_object_get(vectors_get(o, "in")));
		status = read(&b, copy, &e) == 0 ? 200 : 400;
		json_object_put(copy);
		if (status != vectors_int(o, "status"))
			fail_msg("%d: %s", status, json_object_to_json_string(o));
		if (status == 400) {
			assert_int_equal(e.kind, ERR_BAD_REQUEST);
			continue;
		}
		for (size_t k = 0; k < n; k++) {
			struct json_object *want = json_at(row, k);

			if (slice_eq(vectors_slice(json_at(columns, k)), column))
				want = vectors_get(o, "stored");
			else if (slice_eq_str(vectors_slice(json_at(columns, k)), "data"))
				continue; /* "" became {} */
			if (!json_object_equal(json_at(b.printed, k), want))
				fail_msg("%s: %s", buf_str(&b.text), json_object_to_json_string(o));
		}
	}
	bench_release(&b);
	json_object_put(file);
}

static void test_cards(void **state)
{
	(void)state;
	check_file("cards.json", read_card);
}

static void test_revlog(void **state)
{
	(void)state;
	check_file("revlog.json", read_revlog);
}

/* Tried with the official library as well. */
static void test_numbers_beyond_int64(void **state)
{
	static const char *const pairs[][2] = {
		{ "[1,1,1,0,9223372036854775808,3,2,2,9223372036854775808,9223372036854775808,0,1,0,0,18446744073709551621,0,0,\"{}\"]",
		  "[1,1,1,0,9223372036854775807,3,2,2,-1,4294967295,0,1,0,0,-1,0,0,\"{}\"]" },
		{ "[1,1,1,0,-9223372036854775809,3,2,2,-9223372036854775809,1e10,0,1,0,0,-2147483649,0,0,\"{}\"]",
		  "[1,1,1,0,-9223372036854775808,3,2,2,0,1410065408,0,1,0,0,2147483647,0,0,\"{}\"]" },
	};
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct json_object *in = parsed(pairs[i][0]);

		assert_int_equal(read_card(&b, in, NULL), 0);
		assert_string_equal(buf_str(&b.text), pairs[i][1]);
		json_object_put(in);
	}
	bench_release(&b);
}

/* The text as stored, and whether it is the given one itself. */
static struct slice rewrite(struct bench *b, const char *in, bool *borrowed)
{
	struct json_object *array = parsed("[1,1,1,0,1,3,2,2,1,1,0,1,0,0,0,0,0]");
	struct card_row c;
	struct slice given;

	json_object_array_add(array, json_object_new_string(in));
	assert_true(json_is_str(json_at(array, 17), &given));
	buf_reset(&b->scratch);
	assert_int_equal(card_from_json(&c, array, &b->scratch, NULL), 0);
	*borrowed = c.data.p == given.p;
	if (*borrowed) {
		buf_set(&b->text, given.p, given.len);
		c.data = buf_slice(&b->text);
	}
	json_object_put(array);
	return c.data;
}

static void check_data(struct bench *b, const char *in, const char *want)
{
	bool borrowed;
	struct slice got = rewrite(b, in, &borrowed);

	if (!slice_eq_str(got, want))
		fail_msg("%s became %.*s instead of %s", in, (int)got.len, got.p, want);
}

/* Tried with the official library as well. */
static void test_card_data(void **state)
{
	static const char *const pairs[][2] = {
		{ "{\"s\":1234.5678,\"d\":5.1234}", "{\"s\":1234.5677,\"d\":5.123}" },
		{ "{\"s\":4194303.5,\"d\":1}", "{\"s\":4194303.5,\"d\":1.0}" },
		{ "{\"s\":-0.0,\"d\":0}", "{\"s\":-0.0,\"d\":0.0}" },
		{ "{\"s\":12345678901,\"d\":1.5}", "{\"s\":12345679000.0,\"d\":1.5}" },
		{ "{\"s\":18446744073709551616,\"d\":1}", "{\"s\":1.8446744e19,\"d\":1.0}" },
		{ "{\"s\":1e-7,\"d\":1e13}", "{\"s\":0.0,\"d\":1e13}" },
		{ "{\"s\":8388607.5,\"d\":99999.9}", "{\"s\":8388607.0,\"d\":99999.9}" },
		{ "{\"s\":null,\"d\":1.0,\"dr\":0.5}", "{\"dr\":0.5}" },
		{ "{\"dr\":1e39,\"pos\":1}", "{\"pos\":1,\"dr\":null}" },
		{ "{\"dr\":0.125,\"decay\":0.0625}", "{\"dr\":0.13,\"decay\":0.063}" },
		{ "{\"decay\":-0.0005}", "{\"decay\":-0.001}" },
		{ "{\"decay\":-0.00049}", "{\"decay\":-0.0}" },
		{ "{\"pos\":4294967295,\"s\":0.00015,\"d\":0.0015}", "{\"pos\":4294967295,\"s\":0.0002,\"d\":0.002}" },
		{ "{\"pos\":-0}", "{}" },
		{ "{\"pos\":1,\"pos\":\"a\"}", "{}" },
		{ "{\"x\":1,\"x\":2,\"pos\":3}", "{\"pos\":3}" },
		{ "{\"s\":[[[]]],\"pos\":1}", "{\"pos\":1}" },
		{ "{\"lrt\":9223372036854775808}", "{}" },
		{ "{\"cd\":null,\"pos\":1}", "{}" },
		{ "{\"cd\":\"{}\",\"pos\":1}", "{\"pos\":1}" },
		{ "{\"cd\":\" {} \"}", "{\"cd\":\" {} \"}" },
		{ "{\"cd\":\"a\\u0000b\",\"pos\":1}", "{\"pos\":1,\"cd\":\"a\\u0000b\"}" },
		{ "\n{\"pos\":1}\t", "{\"pos\":1}" },
	};
	/* As clients write it. */
	static const char *const plain[] = {
		"{}", "{\"pos\":0}", "{\"pos\":4294967295}", "{\"pos\":12,\"cd\":\"{\\\"v\\\":\\\"x\\\\n\\\"}\"}", "{\"lrt\":-5}",
		"{\"s\":0.0001,\"d\":1.0,\"dr\":0.9,\"decay\":0.5,\"lrt\":1700000000}", "{\"s\":36500.125,\"d\":10.0}",
		"{\"pos\":1,\"s\":1.0,\"d\":5.123,\"dr\":0.91,\"decay\":0.154,\"lrt\":1,\"cd\":\"\xc3\xa4\\\\\\t\"}",
		"{\"s\":399.9999,\"d\":0.0}",
		"{\"s\":1234.5677,\"d\":1.0}", "{\"s\":36499.996,\"d\":1.0}", "{\"s\":100000.0,\"d\":1.0}",
	};
	/* Nearly so: each would pass a careless scan. */
	static const char *const nearly[][2] = {
		{ "{\"pos\":00}", "{}" },
		{ "{\"pos\":4294967296}", "{}" },
		{ "{\"pos\":1,}", "{}" },
		{ "{\"pos\":1}}", "{}" },
		{ "{\"pos\":1", "{}" },
		{ "{\"pos\":", "{}" },
		{ "{\"pos\"", "{}" },
		{ "{", "{}" },
		{ "{,\"pos\":1}", "{}" },
		{ "{\"pos\":}", "{}" },
		{ "{\"lrt\":-0}", "{}" },
		{ "{\"lrt\":-}", "{}" },
		{ "{\"lrt\":01}", "{}" },
		{ "{\"s\":1.0}", "{}" },
		{ "{\"d\":1.0}", "{}" },
		{ "{\"s\":1.,\"d\":1.0}", "{}" },
		{ "{\"s\":.5,\"d\":1.0}", "{}" },
		{ "{\"s\":01.0,\"d\":1.0}", "{}" },
		{ "{\"s\":1.50,\"d\":1.0}", "{\"s\":1.5,\"d\":1.0}" },
		{ "{\"s\":1.00,\"d\":1.0}", "{\"s\":1.0,\"d\":1.0}" },
		{ "{\"s\":1,\"d\":1.0}", "{\"s\":1.0,\"d\":1.0}" },
		{ "{\"dr\":0.123}", "{\"dr\":0.12}" },
		{ "{\"dr\":inf}", "{}" },
		{ "{\"cd\":\"\"}", "{}" },
		{ "{\"cd\":\"\\/\"}", "{\"cd\":\"/\"}" },
		{ "{\"cd\":\"\\u00e4\"}", "{\"cd\":\"\xc3\xa4\"}" },
		{ "{\"cd\":\"a", "{}" },
		{ "{\"cd\":\"a\\", "{}" },
		{ "{\"cd\":\"\n\"}", "{}" },
		{ "{\"dr\":0.5,\"s\":1.0,\"d\":1.0}", "{\"s\":1.0,\"d\":1.0,\"dr\":0.5}" },
	};
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		check_data(&b, pairs[i][0], pairs[i][1]);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		bool borrowed;
		struct slice got = rewrite(&b, plain[i], &borrowed);

		assert_true(slice_eq_str(got, plain[i]));
		if (!borrowed)
			fail_msg("copied: %s", plain[i]);
	}
	for (size_t i = 0; i < sizeof nearly / sizeof *nearly; i++)
		check_data(&b, nearly[i][0], nearly[i][1]);
	bench_release(&b);
}

/* What the scan lets pass must be what the parser makes of it, and with numbers of up to six digits the other way round. */
static void test_scan_agrees_with_parser(void **state)
{
	static const int decimals[] = { 4, 3, 2, 3 };
	static const char *const keys[] = { "{\"s\":", "{\"s\":1.0,\"d\":", "{\"dr\":", "{\"decay\":" };
	struct bench b;
	uint64_t random = 1;
	int passed = 0, short_ones = 0;

	(void)state;
	bench_init(&b);
	for (int i = 0; i < 60000; i++) {
		char in[64], spaced[80];
		int which = i % 4, places = decimals[which] - (int)(random >> 60) % 3, len;
		unsigned limit = 1;
		bool borrowed;
		struct slice got;

		random = random * 6364136223846793005u + 1442695040888963407u;
		for (int digits = (int)(random >> 40) % 10; digits >= 0; digits--)
			limit *= 10;
		len = snprintf(in, sizeof in, "%s%.*f", keys[which], places > 0 ? places : 1,
			       (double)(random >> 32) / 4294967296.0 * limit / 10000);
		snprintf(in + len, sizeof in - (size_t)len, which ? "}" : ",\"d\":1.0}");
		snprintf(spaced, sizeof spaced, " %s", in);
		got = rewrite(&b, in, &borrowed);
		passed += borrowed;
		if (!borrowed) {
			short_ones += slice_eq_str(got, in);
			continue;
		}
		check_data(&b, spaced, in);
	}
	/* Most numbers of such a length are not what their rounded value prints as. */
	assert_true(passed > 10000);
	assert_true(short_ones < passed / 100);
	bench_release(&b);
}

static void test_element_counts(void **state)
{
	static const char *const bad_cards[] = {
		"5", "null", "{}", "[]", "[1,1,1,0,1,3,2,2,1,1,0,1,0,0,0,0,0]", "[1,1,1,0,1,3,2,2,1,1,0,1,0,0,0,0,0,\"\",0]",
	};
	static const char *const bad_revlog[] = { "[1,1,3,3,5,1,2500]", "[1,1,3,3,5,1,2500,4000,1,0]", "\"\"", "[]" };
	static const char *const bad_notes[] = {
		"[]", "{}", "[1,\"g\",2,3,4,\"\",\"a\",\"\",\"\",0]", "[1,\"g\",2,3,4,\"\",\"a\",\"\",\"\",0,\"\",\"\"]",
		"[\"1\",\"g\",2,3,4,\"\",\"a\",\"\",\"\",0,\"\"]", "[1,5,2,3,4,\"\",\"a\",\"\",\"\",0,\"\"]",
		"[1,\"g\",2.0,3,4,\"\",\"a\",\"\",\"\",0,\"\"]", "[1,\"g\",2,3.0,4,\"\",\"a\",\"\",\"\",0,\"\"]",
		"[1,\"g\",2,3,2147483648,\"\",\"a\",\"\",\"\",0,\"\"]", "[1,\"g\",2,3,4,null,\"a\",\"\",\"\",0,\"\"]",
		"[1,\"g\",2,3,4,\"\",[\"a\"],\"\",\"\",0,\"\"]", "[1,\"g\",2,3,4,\"\",\"a\",5,\"\",0,\"\"]",
		"[1,\"g\",2,3,4,\"\",\"a\",\"\",5,0,\"\"]", "[1,\"g\",2,3,4,\"\",\"a\",\"\",\"\",-1,\"\"]",
		"[1,\"g\",2,3,4,\"\",\"a\",\"\",\"\",0,0]",
	};
	struct bench b;
	struct json_object *o;
	struct note_row n;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < sizeof bad_cards / sizeof *bad_cards; i++) {
		struct err e = ERR_INIT;

		o = parsed(bad_cards[i]);
		assert_int_equal(read_card(&b, o, &e), -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		json_object_put(o);
	}
	for (size_t i = 0; i < sizeof bad_revlog / sizeof *bad_revlog; i++) {
		struct err e = ERR_INIT;

		o = parsed(bad_revlog[i]);
		assert_int_equal(read_revlog(&b, o, &e), -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		json_object_put(o);
	}
	for (size_t i = 0; i < sizeof bad_notes / sizeof *bad_notes; i++) {
		struct err e = ERR_INIT;

		o = parsed(bad_notes[i]);
		if (note_from_json(&n, o, &b.scratch, &e) != -1)
			fail_msg("accepted: %s", bad_notes[i]);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		json_object_put(o);
	}
	o = parsed("[1,1,3,3,5,1,2500,4000]");
	assert_int_equal(read_revlog(&b, o, NULL), 0);
	assert_string_equal(buf_str(&b.text), "[1,1,3,3,5,1,2500,4000,0]");
	json_object_put(o);
	bench_release(&b);
}

static struct json_object *note_array(struct slice tags, struct slice flds)
{
	struct json_object *array = json_object_new_array();

	json_object_array_add(array, json_object_new_int64(1));
	json_object_array_add(array, json_object_new_string("a\"b"));
	for (int i = 2; i <= 4; i++)
		json_object_array_add(array, json_object_new_int64(i));
	json_object_array_add(array, json_object_new_string_len(tags.len ? tags.p : "", (int)tags.len));
	json_object_array_add(array, json_object_new_string_len(flds.len ? flds.p : "", (int)flds.len));
	json_object_array_add(array, json_object_new_string("s"));
	json_object_array_add(array, json_object_new_string("c"));
	json_object_array_add(array, json_object_new_int64(UINT32_MAX));
	json_object_array_add(array, json_object_new_string("d"));
	return array;
}

static void test_note_tags(void **state)
{
	struct json_object *file = vectors_load("tags.json"), *list = vectors_get(file, "note_tags");
	struct buf column = BUF_INIT(BUF_UNBOUNDED);
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_at(list, i), *array = note_array(vectors_str(o, "in"), SLICE("x")), *printed;
		struct slice stored = vectors_str(o, "stored"), want = stored;
		struct note_row n;

		buf_reset(&b.scratch);
		assert_int_equal(note_from_json(&n, array, &b.scratch, NULL), 0);
		if (want.len)
			want = (struct slice){ want.p + 1, want.len - 2 };
		vectors_same(o, n.tags, want);
		buf_reset(&column);
		note_tags_column(&column, n.tags);
		vectors_same(o, buf_slice(&column), stored);
		/* To clients: the same from a column as we store it, and from any other. */
		for (int how = 0; how < 3; how++) {
			n.tags = how == 0 ? n.tags : how == 1 ? stored : vectors_str(o, "in");
			buf_reset(&b.text);
			note_print(&b.text, &n);
			printed = parsed(buf_str(&b.text));
			vectors_same(o, vectors_slice(json_at(printed, 5)), stored);
			json_object_put(printed);
		}
		json_object_put(array);
	}
	buf_release(&column);
	bench_release(&b);
	json_object_put(file);
}

static void test_note_fields(void **state)
{
	struct json_object *file = vectors_load("fields.json");
	struct bench b;

	(void)state;
	bench_init(&b);
	for (size_t i = 0; i < json_object_array_length(file); i++) {
		struct json_object *o = json_at(file, i), *stored;
		struct json_object *array = note_array(SLICE(" a\xE3\x80\x80""b "), vectors_str(o, "flds"));
		struct note_row n;
		size_t fields = 1;

		buf_reset(&b.scratch);
		assert_int_equal(note_from_json(&n, array, &b.scratch, NULL), 0);
		assert_true(slice_eq_str(n.tags, "a b"));
		if (!json_has(o, "stored", &stored))
			stored = vectors_get(o, "flds");
		vectors_same(o, n.flds, vectors_slice(stored));
		for (size_t k = 0; k < n.flds.len; k++)
			fields += n.flds.p[k] == 0x1F;
		assert_int_equal(n.n_fields, fields);
		json_object_put(array);
	}
	bench_release(&b);
	json_object_put(file);
}

static void test_note_print(void **state)
{
	struct json_object *o = note_array(SLICE(""), SLICE("a\x1f<b>\n\x7f\x01\"\x1f"));
	struct bench b;
	struct note_row n;

	(void)state;
	bench_init(&b);
	assert_int_equal(note_from_json(&n, o, &b.scratch, NULL), 0);
	assert_int_equal(n.n_fields, 3);
	note_print(&b.text, &n);
	assert_string_equal(buf_str(&b.text), "[1,\"a\\\"b\",2,3,4,\"\",\"a\\u001f<b>\\n\\\"\\u001f\",\"\",\"\",0,\"\"]");
	json_object_put(o);
	bench_release(&b);
}

/* Numbers that other programs left in a file. */
static void test_print_clamps(void **state)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct card_row low = { INT64_MIN, -1, -1, -1, -1, -1, -1, -4, INT64_MIN, -1, -1, -1, -1, -1, (int64_t)INT32_MIN - 1, -1, -1, SLICE("{}") };
	struct card_row high = { INT64_MAX, 1, 1, 65536, 1, 1, 4, 5, (int64_t)INT32_MAX + 1, INT64_MAX, 65536, INT64_MAX, INT64_MAX,
				 INT64_MAX, INT64_MAX, 1, 256, { NULL, 0 } };
	struct revlog_row r_low = { -1, -1, INT64_MIN, -1, INT64_MIN, INT64_MIN, -1, -1, -1 };
	struct revlog_row r_high = { 1, 1, INT64_MAX, 256, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 6 };
	struct note_row n = { 1, SLICE("\xff"), 2, 3, INT64_MAX, { NULL, 0 }, SLICE("a\xc3"), 0 };

	(void)state;
	card_print(&out, &low);
	assert_string_equal(buf_str(&out), "[-9223372036854775808,-1,-1,0,-1,-1,0,-3,0,0,0,0,0,0,0,-1,0,\"{}\"]");
	buf_reset(&out);
	card_print(&out, &high);
	assert_string_equal(buf_str(&out), "[9223372036854775807,1,1,65535,1,1,3,4,0,4294967295,65535,4294967295,4294967295,4294967295,0,1,255,\"\"]");
	buf_reset(&out);
	revlog_print(&out, &r_low);
	assert_string_equal(buf_str(&out), "[-1,-1,-2147483648,0,-2147483648,-2147483648,0,0,0]");
	buf_reset(&out);
	revlog_print(&out, &r_high);
	assert_string_equal(buf_str(&out), "[1,1,2147483647,255,2147483647,2147483647,4294967295,4294967295,0]");
	buf_reset(&out);
	note_print(&out, &n);
	assert_string_equal(buf_str(&out), "[1,\"\xEF\xBF\xBD\",2,3,2147483647,\"\",\"a\xEF\xBF\xBD\",\"\",\"\",0,\"\"]");
	buf_release(&out);
}

static void test_scratch_has_a_ceiling(void **state)
{
	struct buf small = BUF_INIT(2);
	struct json_object *note = note_array(SLICE("a  b"), SLICE("abc\x01")), *card = parsed("[1,1,1,0,1,3,2,2,1,1,0,1,0,0,0,0,0,\" {\\\"pos\\\":1}\"]");
	struct note_row n;
	struct card_row c;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(note_from_json(&n, note, &small, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_BIG);
	buf_reset(&small);
	e = (struct err)ERR_INIT;
	assert_int_equal(card_from_json(&c, card, &small, &e), -1);
	assert_int_equal(e.kind, ERR_TOO_BIG);
	json_object_put(note);
	json_object_put(card);
	buf_release(&small);
}

static void print_packed(struct buf *out, const struct packed_row *row)
{
	if (row->kind == PACKED_CARD)
		card_print(out, &row->as.card);
	else if (row->kind == PACKED_REVLOG)
		revlog_print(out, &row->as.revlog);
	else
		note_print(out, &row->as.note);
}

/* Rows come back as they were, take no more room than their JSON, and whatever is cut off is noticed. */
static void test_packed_rows(void **state)
{
	static const char *const cards[] = {
		"[1,1,1,0,1,3,2,2,1,1,0,1,0,0,0,0,0,\"{}\"]",
		"[-9223372036854775808,9223372036854775807,-1,65535,0,-1,3,-3,-2147483648,4294967295,65535,4294967295,0,1,2147483647,"
		"1700000000000,255,\"{\\\"pos\\\":7}\"]",
	};
	static const char revlog[] = "[1700000000000,1699999999999,-1,4,-600,2147483647,4294967295,0,5]";
	static const char *const notes[] = {
		"[1700000000000,\"g\",2,3,-1,\" a b \",\"x\\u001fy\\u001f\",\"\",\"\",0,\"\"]",
		"[0,\"\",0,0,0,\"\",\"\",\"\",\"\",0,\"\"]",
	};
	struct buf bytes = BUF_INIT(BUF_UNBOUNDED), scratch = BUF_INIT(BUF_UNBOUNDED), want = BUF_INIT(BUF_UNBOUNDED);
	struct buf got = BUF_INIT(BUF_UNBOUNDED);
	struct packed_row row;
	struct slice rest;
	char *copy;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct json_object *o = parsed(i < 2 ? cards[i] : i == 2 ? revlog : notes[i - 3]);
		size_t json_before = want.len, packed_before = bytes.len;
		union {
			struct card_row card;
			struct revlog_row revlog;
			struct note_row note;
		} in;

		if (i < 2) {
			assert_int_equal(card_from_json(&in.card, o, &scratch, NULL), 0);
			card_print(&want, &in.card);
			card_pack(&bytes, &in.card);
		} else if (i == 2) {
			assert_int_equal(revlog_from_json(&in.revlog, o, NULL), 0);
			revlog_print(&want, &in.revlog);
			revlog_pack(&bytes, &in.revlog);
		} else {
			assert_int_equal(note_from_json(&in.note, o, &scratch, NULL), 0);
			note_print(&want, &in.note);
			note_pack(&bytes, &in.note);
		}
		assert_true(bytes.len - packed_before < want.len - json_before);
		json_object_put(o);
	}
	rest = buf_slice(&bytes);
	while (packed_next(&rest, &row) == 1) {
		print_packed(&got, &row);
		if (row.kind == PACKED_NOTE)
			assert_int_equal(row.as.note.n_fields, row.as.note.flds.len ? 3 : 1);
	}
	assert_int_equal(rest.len, 0);
	assert_string_equal(buf_str(&got), buf_str(&want));
	for (size_t n = 0; n < bytes.len; n++) {
		int rows = 0, more;

		copy = malloc(n + 1); /* exactly as long as it claims to be, for the address sanitizer */
		memcpy(copy, bytes.data, n);
		rest = (struct slice){ copy, n };
		while ((more = packed_next(&rest, &row)) == 1)
			rows++;
		assert_true(rows < 5);
		free(copy);
	}
	for (int kind = 0; kind < 256; kind++) {
		char nonsense[24];

		memset(nonsense, 0xFF, sizeof nonsense);
		nonsense[0] = (char)kind;
		rest = (struct slice){ nonsense, sizeof nonsense };
		assert_int_equal(packed_next(&rest, &row), -1);
	}
	buf_release(&bytes);
	buf_release(&scratch);
	buf_release(&want);
	buf_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cards),
		cmocka_unit_test(test_revlog),
		cmocka_unit_test(test_numbers_beyond_int64),
		cmocka_unit_test(test_card_data),
		cmocka_unit_test(test_scan_agrees_with_parser),
		cmocka_unit_test(test_element_counts),
		cmocka_unit_test(test_note_tags),
		cmocka_unit_test(test_note_fields),
		cmocka_unit_test(test_note_print),
		cmocka_unit_test(test_print_clamps),
		cmocka_unit_test(test_scratch_has_a_ceiling),
		cmocka_unit_test(test_packed_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
