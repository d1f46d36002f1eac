/* format/day against the official server under a frozen clock. */
#include "format/day.h"

#include "tests/unit/vectors.h"

static struct slice config_value(struct json_object *conf, const char *key, struct buf *room)
{
	struct json_object *v;

	if (!json_has(conf, key, &v))
		return (struct slice){ NULL, 0 };
	buf_reset(room);
	json_put_value(room, v);
	return buf_slice(room);
}

static void test_official_days(void **state)
{
	struct json_object *file = vectors_load("unbury.json"), *cases = vectors_get(file, "cases");
	struct buf room[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		buf_init(&room[i], BUF_UNBOUNDED);
	assert_int_equal(json_object_array_length(cases), 197);
	for (size_t i = 0; i < json_object_array_length(cases); i++) {
		struct json_object *o = json_at(cases, i), *conf = vectors_get(o, "conf"), *written = vectors_get(o, "written"), *v;
		struct day_config c = {
			.sched_ver = config_value(conf, "schedVer", &room[0]),
			.rollover = config_value(conf, "rollover", &room[1]),
			.creation_offset = config_value(conf, "creationOffset", &room[2]),
			.local_offset = config_value(conf, "localOffset", &room[3]),
			.last_unburied = config_value(conf, "lastUnburied", &room[4]),
		};
		struct day_plan plan;

		day_plan(vectors_int(o, "now"), vectors_int(o, "crt"), &c, &plan);
		if (plan.unbury != json_object_get_boolean(vectors_get(o, "unburied")) ||
		    plan.unbury != json_has(written, "lastUnburied", &v) ||
		    (plan.unbury && plan.today != json_object_get_int64(v)) || plan.write_rollover != json_has(written, "rollover", &v))
			fail_msg("day %u, unbury %d: %s", plan.today, plan.unbury, json_object_to_json_string(o));
	}
	for (size_t i = 0; i < 5; i++)
		buf_release(&room[i]);
	json_object_put(file);
}

static void test_restored_queues(void **state)
{
	struct json_object *file = vectors_load("unbury.json"), *cards = vectors_get(file, "cards_type_queue_due");
	struct json_object *after = vectors_get(file, "queues_if_unburied");
	int buried = 0;

	(void)state;
	for (size_t i = 0; i < json_object_array_length(cards); i++) {
		struct json_object *card = json_at(cards, i);
		int64_t queue = json_object_get_int64(json_at(card, 1));

		if (queue != -2 && queue != -3)
			continue;
		buried++;
		assert_int_equal(day_restored_queue(json_object_get_int64(json_at(card, 0)), json_object_get_int64(json_at(card, 2))),
				 json_object_get_int64(json_at(after, i)));
	}
	assert_true(buried > 5);
	json_object_put(file);
}

/* Values that a file may hold and a clock that is wrong. */
static void test_odd_values(void **state)
{
	static const struct {
		int64_t now, crt;
		const char *sched_ver, *rollover, *creation, *local, *last;
		struct day_plan plan;
	} rows[] = {
		{ 864000, 0, NULL, NULL, NULL, NULL, NULL, { false, true, 10 } },
		{ 864000, 0, "2.0", "4", NULL, NULL, NULL, { false, true, 10 } },
		{ 864000, 0, "\"2\"", NULL, NULL, NULL, "10", { false, false, 10 } },
		{ 864000, 0, "3", NULL, NULL, NULL, "17", { false, false, 10 } },
		{ 864000, 0, "2", "x", "0", "0", "18", { true, true, 9 } },
		{ 864000, 0, "2", "null", "0", "1440", "9", { true, false, 9 } },
		{ 864000, 0, "2", "255", "0", "-1439", "9", { false, true, 10 } },
		{ 863999, 0, "2", "0", "1439", "0", "10", { false, false, 10 } },
		{ 864000, 0, "2", "256", "-1440", "0", "8", { true, true, 9 } },
		{ 0, 864000, "2", "4", "0", "0", NULL, { false, false, 0 } },
		{ 0, 864000, "1", NULL, NULL, NULL, "0", { false, true, 4294967286 } },
		{ INT64_MAX, INT64_MIN, "1", NULL, NULL, NULL, NULL, { false, true, 0 } },
		{ INT64_MAX, INT64_MIN, "2", "0", NULL, NULL, NULL, { false, true, 0 } },
		{ INT64_MIN, INT64_MAX, "2", "0", "0", "0", NULL, { false, false, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *texts[] = { rows[i].sched_ver, rows[i].rollover, rows[i].creation, rows[i].local, rows[i].last };
		struct slice s[5] = { { NULL, 0 } };
		struct day_plan plan;

		for (size_t k = 0; k < 5; k++)
			if (texts[k])
				s[k] = slice_of(texts[k]);
		day_plan(rows[i].now, rows[i].crt, &(struct day_config){ s[0], s[1], s[2], s[3], s[4] }, &plan);
		if (rows[i].now == INT64_MAX) /* whatever the day, it is made without undefined behaviour */
			continue;
		if (plan.write_rollover != rows[i].plan.write_rollover || plan.unbury != rows[i].plan.unbury || plan.today != rows[i].plan.today)
			fail_msg("row %zu: rollover %d, unbury %d, day %u", i, plan.write_rollover, plan.unbury, plan.today);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_official_days), cmocka_unit_test(test_restored_queues), cmocka_unit_test(test_odd_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
