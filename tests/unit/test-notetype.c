/* format/notetype against what official makes of the same input, and against damaged blobs. */
#include "format/notetype.h"

#include "tests/unit/objects.h"

/* Rows [ntid, ord, name, …, config]. */
static void same_parts(struct json_object *c, const char *key, int64_t id, const struct notetype_part *parts, size_t n)
{
	struct json_object *rows = vectors_get(c, key);

	assert_int_equal(json_object_array_length(rows), n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_at(rows, i);

		objects_same_int(c, id, json_at(row, 0));
		objects_same_int(c, (int64_t)i, json_at(row, 1));
		objects_same_text(c, &parts[i].name, json_at(row, 2));
		objects_same_blob(c, &parts[i].config, json_at(row, json_object_array_length(row) - 1));
	}
}

static void same_row(struct json_object *c, const struct notetype *n)
{
	struct json_object *row = vectors_get(c, "row");
	struct buf printed = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	objects_same_int(c, n->id, json_at(row, 0));
	objects_same_text(c, &n->name, json_at(row, 1));
	objects_same_int(c, n->mod_s, json_at(row, 2));
	objects_same_int(c, n->usn, json_at(row, 3));
	objects_same_blob(c, &n->config, json_at(row, 4));
	same_parts(c, "fields", n->id, n->fields, n->n_fields);
	same_parts(c, "templates", n->id, n->templates, n->n_templates);
	assert_int_equal(notetype_check(n, &e), 0);
	assert_int_equal(notetype_print(&printed, n, &e), 0);
	objects_same_out(c, &printed);
	buf_release(&printed);
}

/* Official refuses these; we take what collections of long ago hold. */
static bool ours(struct json_object *c)
{
	return slice_eq_str(vectors_str(c, "case"), "nt mod=\"5\"");
}

static void test_vectors(void **state)
{
	struct json_object *cases = vectors_load("notetypes.json");
	size_t n = json_object_array_length(cases);

	(void)state;
	assert_true(n > 240);
	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_at(cases, i), *in = objects_input(c);
		struct err e = ERR_INIT;
		struct notetype nt;

		notetype_init(&nt);
		if ((notetype_from_json(&nt, in, &e) == 0) != (objects_accepted(c) || ours(c)))
			fail_msg("%s: %s", vectors_str(c, "case").p, e.msg);
		if (objects_accepted(c))
			same_row(c, &nt);
		else if (ours(c))
			assert_int_equal(nt.mod_s, 5);
		else
			assert_int_equal(e.kind, ERR_BAD_REQUEST);
		notetype_release(&nt);
		json_object_put(in);
	}
	json_object_put(cases);
}

#define FIELD(name) "{\"name\":\"" name "\",\"sticky\":false,\"rtl\":false,\"font\":\"A\",\"size\":20}"
#define NOTETYPE(fields) "{\"id\":7,\"name\":\"n\",\"type\":0,\"mod\":1,\"usn\":2,\"sortf\":3,\"did\":null,\"tmpls\":[]," \
	"\"flds\":" fields ",\"css\":\"\"}"

static int read_text(struct notetype *n, const char *text, struct err *e)
{
	struct json_object *o;
	int rc;

	assert_int_equal(json_parse(slice_of(text), &JSON_LIMITS_PAYLOAD, &o, e), 0);
	rc = notetype_from_json(n, o, e);
	json_object_put(o);
	return rc;
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ "null", "note type 0: key id is missing" },
		{ NOTETYPE("{}"), "note type 7: flds is not a list" },
		{ NOTETYPE("[" FIELD("a") ",5]"), "note type 7: flds[1]: key name is missing" },
		{ NOTETYPE("[" FIELD("a") "," FIELD("\",\"ord\":-1,\"x\":\"") "]"), "note type 7: flds[1]: ord is not an integer in 0..65535" },
		{ NOTETYPE("[" FIELD("\xc3\x9f") "," FIELD("b") "," FIELD("Ss") "]"), "note type 7: flds: two have the same name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = ERR_INIT;
		struct notetype n;

		notetype_init(&n);
		assert_int_equal(read_text(&n, rows[i].text, &e), -1);
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
		assert_string_equal(e.msg, rows[i].msg);
		notetype_release(&n);
	}
}

static void test_sort_field(void **state)
{
	struct err e = ERR_INIT;
	struct notetype n;
	uint32_t sort_field = 0;

	(void)state;
	notetype_init(&n);
	assert_int_equal(read_text(&n, NOTETYPE("[" FIELD("") "]"), &e), 0);
	assert_int_equal(notetype_sort_field(buf_slice(&n.config), &sort_field, &e), 0);
	assert_int_equal(sort_field, 3);
	assert_int_equal(notetype_sort_field(SLICE("\x10"), &sort_field, &e), -1);
	assert_int_equal(e.kind, ERR_DAMAGED);
	notetype_release(&n);
}

/* Many fields, none of whose names is another's: not a matter of comparing each with each. */
static void test_many_fields(void **state)
{
	struct buf text = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct notetype n;

	(void)state;
	notetype_init(&n);
	buf_puts(&text, "{\"id\":7,\"name\":\"n\",\"type\":0,\"mod\":1,\"usn\":2,\"sortf\":0,\"did\":0,\"tmpls\":[],\"css\":0,\"flds\":[");
	for (int i = 0; i < 50000; i++)
		buf_printf(&text, "%s{\"name\":\"%d\",\"sticky\":0,\"rtl\":0,\"font\":\"\",\"size\":0}", i ? "," : "", i);
	buf_puts(&text, "]}");
	assert_int_equal(read_text(&n, buf_str(&text), &e), 0);
	assert_int_equal(n.n_fields, 50000);
	assert_string_equal(buf_str(&n.fields[49999].name), "49999");
	notetype_release(&n);
	buf_release(&text);
}

static void check_prints(const struct notetype *n, const char *want)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;

	if (notetype_print(&out, n, &e) != 0)
		fail_msg("%s", e.msg);
	if (!strstr(buf_str(&out), want))
		fail_msg("no %s in %s", want, buf_str(&out));
	objects_is_json(&out);
	buf_release(&out);
}

/* What only a file of another program can hold. */
static void test_odd_blobs(void **state)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct notetype_part *part;
	struct err e = ERR_INIT;
	struct notetype n;

	(void)state;
	notetype_init(&n);
	buf_set(&n.config, "\x08\x07\x42\x02\x10\x09\x50\x00", 8);
	check_prints(&n, "\"type\":0,");
	check_prints(&n, "\"req\":[[0,\"none\",[]]],\"originalId\":0}");
	buf_set(&n.config, "\x42\x04\x18\x01\x18\x02", 6); /* numbers not packed */
	check_prints(&n, "\"req\":[[0,\"none\",[1,2]]]}");
	buf_set(&n.config, "\x10\x81\x80\x04\x42\x08\x08\x82\x80\x04\x18\x83\x80\x04", 14); /* 65537, 65538, 65539 */
	check_prints(&n, "\"sortf\":1,");
	check_prints(&n, "\"req\":[[2,\"none\",[3]]]}");
	part = notetype_add_field(&n);
	buf_puts(&part->name, "f");
	buf_puts(&part->config, "\xfa\x0f\x18{\"ord\":9,\"tag\":1,\"z\":\"\"}"); /* reserved keys do not come out */
	check_prints(&n, "\"ord\":0,");
	check_prints(&n, "\"tag\":null,\"preventDeletion\":false,\"z\":\"\"}");
	part = notetype_add_template(&n);
	buf_puts(&part->config, "\x0a\x01\xff");
	buf_puts(&out, "before");
	assert_int_equal(notetype_print(&out, &n, &e), -1);
	assert_string_equal(buf_str(&out), "before");
	assert_int_equal(e.kind, ERR_DAMAGED);
	assert_string_equal(e.msg, "note type 0: tmpls[0]: CardTemplate has a text that is not UTF-8");
	assert_int_equal(notetype_check(&n, &e), -1);
	notetype_release(&n);
	buf_release(&out);
}

static int read_and_print(struct json_object *o, struct buf *printed)
{
	struct err e = ERR_INIT;
	struct notetype x;
	int rc;

	notetype_init(&x);
	rc = notetype_from_json(&x, o, &e);
	if (rc == 0) {
		assert_int_equal(notetype_check(&x, &e), 0);
		assert_int_equal(notetype_print(printed, &x, &e), 0);
	} else {
		assert_int_equal(e.kind, ERR_BAD_REQUEST);
	}
	notetype_release(&x);
	return rc;
}

static void test_odd_values(void **state)
{
	static const char *const names[] = { "normal", "no new keys", "nt unknown" };
	struct json_object *cases = vectors_load("notetypes.json");
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
	struct notetype *n = ctx;
	struct err e = ERR_INIT;
	int checked = notetype_check(n, &e);
	uint32_t sort_field;

	assert_int_equal(notetype_print(&out, n, &e), checked);
	if (checked == 0) {
		objects_is_json(&out);
		assert_int_equal(notetype_sort_field(buf_slice(&n->config), &sort_field, &e), 0);
	} else {
		assert_int_equal(e.kind, ERR_DAMAGED);
	}
	buf_release(&out);
}

static void test_damage(void **state)
{
	struct json_object *cases = vectors_load("notetypes.json");

	(void)state;
	for (size_t i = 0; i < json_object_array_length(cases); i += 11) {
		struct json_object *c = json_at(cases, i), *in = objects_input(c);
		struct err e = ERR_INIT;
		struct notetype n;

		notetype_init(&n);
		if (notetype_from_json(&n, in, &e) == 0) {
			objects_damage(&n.config, try_damaged, &n);
			for (size_t f = 0; f < n.n_fields; f++)
				objects_damage(&n.fields[f].config, try_damaged, &n);
			for (size_t t = 0; t < n.n_templates; t++)
				objects_damage(&n.templates[t].config, try_damaged, &n);
		}
		notetype_release(&n);
		json_object_put(in);
	}
	json_object_put(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sort_field),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_odd_blobs),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_odd_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
