/* format/names and format/tags: spellings of the official library, without what needs a database. */
#include "format/names.h"

#include "format/tags.h"
#include "format/unicase.h"
#include "tests/unit/vectors.h"

/* A list in place of the table of decks, as §3.10 says what happens to names that clash. */
struct deck {
	int64_t id;
	struct buf name;
	bool renamed;
};

struct deck_list {
	struct deck decks[16];
	size_t n;
};

static struct deck *deck_set(struct deck_list *l, int64_t id, struct slice wire)
{
	struct deck *d = NULL;
	bool clash;

	for (size_t i = 0; i < l->n && !d; i++)
		if (l->decks[i].id == id)
			d = &l->decks[i];
	if (!d) {
		d = &l->decks[l->n++];
		*d = (struct deck){ .id = id, .name = BUF_INIT(BUF_UNBOUNDED) };
	}
	deck_name_native(wire, &d->name);
	d->renamed = false;
	do {
		clash = false;
		for (size_t i = 0; i < l->n; i++)
			clash = clash || (l->decks[i].id != id && unicase_equal(buf_slice(&l->decks[i].name), buf_slice(&d->name)));
		if (clash) {
			buf_putc(&d->name, '+');
			d->renamed = true;
		}
	} while (clash);
	return d;
}

static void deck_list_clear(struct deck_list *l)
{
	while (l->n)
		buf_release(&l->decks[--l->n].name);
}

static void test_deck_names(void **state)
{
	struct json_object *file = vectors_load("decknames.json"), *list = vectors_get(file, "single");
	struct buf wire = BUF_INIT(BUF_UNBOUNDED), again = BUF_INIT(BUF_UNBOUNDED);
	struct deck_list decks = { .n = 0 };

	(void)state;
	assert_true(json_object_array_length(list) > 50);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_at(list, i);
		struct deck *d;

		deck_set(&decks, 0, SLICE("Default"));
		d = deck_set(&decks, 1, vectors_str(o, "in"));
		vectors_same(o, buf_slice(&d->name), vectors_str(o, "native"));
		deck_name_wire(buf_slice(&d->name), &wire);
		deck_name_native(buf_slice(&wire), &again);
		vectors_same(o, buf_slice(&again), buf_slice(&d->name));
		deck_list_clear(&decks);
	}
	buf_release(&wire);
	buf_release(&again);
	json_object_put(file);
}

static void test_deck_clashes(void **state)
{
	struct json_object *file = vectors_load("decknames.json"), *list = vectors_get(file, "clashes");
	struct deck_list decks = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_at(list, i), *in = vectors_get(o, "in"), *rows = vectors_get(o, "rows");

		deck_set(&decks, 0, SLICE("Default"));
		for (size_t k = 0; k < json_object_array_length(in); k++)
			deck_set(&decks, json_object_get_int64(json_at(json_at(in, k), 1)), vectors_slice(json_at(json_at(in, k), 0)));
		assert_int_equal(decks.n, 1 + json_object_array_length(rows));
		for (size_t k = 0; k < json_object_array_length(rows); k++) {
			struct json_object *row = json_at(rows, k);
			bool found = false;

			for (size_t m = 0; m < decks.n; m++) {
				struct deck *d = &decks.decks[m];

				if (json_object_get_int64(json_at(row, 0)) != 1700000000000 + d->id)
					continue;
				found = true;
				vectors_same(o, buf_slice(&d->name), vectors_slice(json_at(row, 1)));
				/* The time of a renamed deck is "now" in the vectors. */
				if (d->renamed != json_object_is_type(json_at(row, 2), json_type_string))
					fail_msg("%s", json_object_to_json_string(o));
			}
			assert_true(found);
		}
		deck_list_clear(&decks);
	}
	json_object_put(file);
}

static void test_nfc(void **state)
{
	static const struct {
		struct slice in, out;
	} rows[] = {
		{ SLICE(""), SLICE("") },
		{ SLICE("a\0\xCC\x81"), SLICE("a\0\xCC\x81") },
		{ SLICE("a\0e\xCC\x81\0"), SLICE("a\0\xC3\xA9\0") },
		{ SLICE("xe\xCC\x81y\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8z"), SLICE("x\xC3\xA9y\xEA\xB0\x81z") },
		{ SLICE("\xE0\xA4\x95\xE0\xA4\xBC"), SLICE("\xE0\xA4\x95\xE0\xA4\xBC") }, /* excluded from composition */
		{ SLICE("\xE0\xA5\x98"), SLICE("\xE0\xA4\x95\xE0\xA4\xBC") },
		{ SLICE("\xC3\xA9\xCC\xA3"), SLICE("\xE1\xBA\xB9\xCC\x81") },             /* é + dot below */
		{ SLICE("\xE2\x84\xAB"), SLICE("\xC3\x85") },                             /* angstrom */
		{ SLICE("\xEF\xAC\x83"), SLICE("\xEF\xAC\x83") },                         /* no compatibility mapping */
		{ SLICE("\r\n\xC2\xAD\xE2\x80\x8B"), SLICE("\r\n\xC2\xAD\xE2\x80\x8B") }, /* nothing is stripped */
		{ SLICE("\xEF\xBF\xBF\xF4\x8F\xBF\xBF"), SLICE("\xEF\xBF\xBF\xF4\x8F\xBF\xBF") },
		/* Four marks out of order, two of one class, which keep theirs: 0301 0323 0300 0331 behind x. */
		{ SLICE("x\xCC\x81\xCC\xA3\xCC\x80\xCC\xB1"), SLICE("x\xCC\xA3\xCC\xB1\xCC\x81\xCC\x80") },
	};
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		name_nfc(rows[i].in, &out);
		if (!slice_eq(buf_slice(&out), rows[i].out))
			fail_msg("row %zu: %s", i, buf_str(&out));
		assert_true(name_is_nfc(rows[i].out));
		assert_int_equal(name_is_nfc(rows[i].in), slice_eq(rows[i].in, rows[i].out));
	}
	buf_release(&out);
}

/* A million marks in the wrong order are sorted in linear time (the test would take hours otherwise). */
static void test_many_marks(void **state)
{
	struct buf in = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	size_t n = 500000;

	(void)state;
	buf_putc(&in, 'x');
	for (size_t i = 0; i < n; i++)
		buf_puts(&in, "\xCC\x81\xCC\xA3");
	name_nfc(buf_slice(&in), &out);
	/* Nothing composes with x: all marks stay, the lower ones first. */
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.data + 1, "\xCC\xA3\xCC\xA3", 4);
	assert_memory_equal(out.data + out.len - 4, "\xCC\x81\xCC\x81", 4);
	buf_release(&in);
	buf_release(&out);
}

static void test_new_tags(void **state)
{
	struct json_object *file = vectors_load("tags.json"), *list = vectors_get(file, "new_tag");
	struct buf out = BUF_INIT(BUF_UNBOUNDED);

	(void)state;
	assert_true(json_object_array_length(list) > 50);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_at(list, i), *rows = vectors_get(o, "rows");

		tag_normalize(vectors_str(o, "in"), &out);
		vectors_same(o, buf_slice(&out), vectors_slice(json_at(json_at(rows, 0), 0)));
	}
	buf_release(&out);
	json_object_put(file);
}

/* A list of names in place of the table, as §3.9 says what happens to a new name. */
struct tag_list {
	struct buf names[64];
	size_t n;
};

static struct buf *find(struct tag_list *l, struct slice name)
{
	for (size_t i = 0; i < l->n; i++)
		if (unicase_equal(buf_slice(&l->names[i]), name))
			return &l->names[i];
	return NULL;
}

/* The name as stored, or NULL when there was an equal one. */
static struct buf *add(struct tag_list *l, struct slice in)
{
	struct buf *new = &l->names[l->n], name = BUF_INIT(BUF_UNBOUNDED), *ancestor;
	struct slice parent;

	buf_init(new, BUF_UNBOUNDED);
	tag_normalize(in, &name);
	if (find(l, buf_slice(&name))) {
		buf_release(&name);
		return NULL;
	}
	buf_set(new, name.data, name.len);
	for (parent = buf_slice(&name); tag_parent(parent, &parent);) {
		ancestor = find(l, parent);
		if (ancestor) {
			tag_adopt(buf_slice(&name), buf_slice(ancestor), new);
			break;
		}
	}
	buf_release(&name);
	l->n++;
	return new;
}

static void clear(struct tag_list *l)
{
	while (l->n)
		buf_release(&l->names[--l->n]);
}

static void test_tags_beside_existing_ones(void **state)
{
	struct json_object *file = vectors_load("tags.json"), *list = vectors_get(file, "with_existing"),
			   *existing = vectors_get(file, "existing");
	struct tag_list tags = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_at(list, i), *added = vectors_get(o, "added");
		struct buf *new;

		for (size_t k = 0; k < json_object_array_length(existing); k++)
			add(&tags, vectors_slice(json_at(existing, k)));
		new = add(&tags, vectors_str(o, "in"));
		if ((new != NULL) != (json_object_array_length(added) == 1))
			fail_msg("%s", json_object_to_json_string(o));
		if (new)
			vectors_same(o, buf_slice(new), vectors_slice(json_at(added, 0)));
		clear(&tags);
	}
	json_object_put(file);
}

static void test_sequences_of_tags(void **state)
{
	struct json_object *file = vectors_load("tags.json"), *list = vectors_get(file, "sequences");
	struct tag_list tags = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_at(list, i), *in = vectors_get(o, "in"), *rows = vectors_get(o, "rows");

		for (size_t k = 0; k < json_object_array_length(in); k++)
			add(&tags, vectors_slice(json_at(in, k)));
		if (tags.n != json_object_array_length(rows))
			fail_msg("%zu tags: %s", tags.n, json_object_to_json_string(o));
		for (size_t k = 0; k < tags.n; k++) {
			bool found = false;

			for (size_t m = 0; m < tags.n; m++)
				found = found || slice_eq(buf_slice(&tags.names[m]), vectors_slice(json_at(rows, k)));
			if (!found)
				fail_msg("row %zu: %s", k, json_object_to_json_string(o));
		}
		clear(&tags);
	}
	json_object_put(file);
}

static void test_white_space(void **state)
{
	size_t n = 0;

	(void)state;
	for (uint32_t code = 0; code <= 0x10FFFF; code++)
		n += name_is_space(code);
	assert_int_equal(n, 25);
	assert_true(name_is_space(0x85) && name_is_space(0x3000) && name_is_space(0x200A));
	assert_false(name_is_space(0x180E) || name_is_space(0x200B) || name_is_space(0xFEFF) || name_is_space(0x1C));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deck_names),
		cmocka_unit_test(test_deck_clashes),
		cmocka_unit_test(test_nfc),
		cmocka_unit_test(test_many_marks),
		cmocka_unit_test(test_new_tags),
		cmocka_unit_test(test_tags_beside_existing_ones),
		cmocka_unit_test(test_sequences_of_tags),
		cmocka_unit_test(test_white_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
