/* See deck_config.h. */
#include "format/deck_config.h"

#include "format/blobs.pb-c.h"
#include "format/keys.h"

/* A new group: the values of §1.3, of a sub-object that cannot be used, and of a number out of range (§3.4). */
static const Pb__DeckConfig born = {
	.base = PROTOBUF_C_MESSAGE_INIT(&pb__deck_config__descriptor),
	.n_learn_steps = 2,
	.learn_steps = (float[]){ 1, 10 },
	.n_relearn_steps = 1,
	.relearn_steps = (float[]){ 10 },
	.n_easy_days_percentages = 7,
	.easy_days_percentages = (float[]){ 1, 1, 1, 1, 1, 1, 1 },
	.new_per_day = 20,
	.reviews_per_day = 200,
	.initial_ease = 2.5f,
	.easy_multiplier = 1.3f,
	.hard_multiplier = 1.2f,
	.interval_multiplier = 1,
	.maximum_review_interval = 36500,
	.minimum_lapse_interval = 1,
	.graduating_interval_good = 1,
	.graduating_interval_easy = 4,
	.leech_action = 1,
	.leech_threshold = 8,
	.cap_answer_time_to_secs = 60,
	.desired_retention = 0.9f,
	.historical_retention = 0.9f,
	.wait_for_audio = true,
};

/*
 * All of it or nothing: one missing or mistyped key, and the sub-object is that of a new group. Of a doubled key the last
 * one counts here, while it is an error one level up.
 */
static bool read_inner(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__DeckConfig *c = (Pb__DeckConfig *)o->m, before = *c;
	size_t start = o->unknown.len, empty;
	int rc;

	o->keys_once = false;
	rc = json_is_object(v) ? keys_read(o, k->inner, v, NULL) : -1;
	o->keys_once = true;
	if (rc != 0) {
		*c = before;
		return !o->infinite;
	}
	json_put_key(&o->unknown, k->name);
	buf_putc(&o->unknown, '{');
	empty = o->unknown.len;
	keys_put_unknown(&o->unknown, v, (const struct key *const[]){ k->inner, NULL });
	if (o->unknown.len == empty)
		buf_truncate(&o->unknown, start);
	else
		buf_putc(&o->unknown, '}');
	return true;
}

static void print_inner(struct buf *out, const struct object *o, const struct key *k)
{
	struct json_object *other = NULL;

	buf_putc(out, '{');
	keys_print(out, o, k->inner);
	if (o->other && json_has(o->other, k->name, &other) && json_is_object(other))
		keys_put_unknown(out, other, (const struct key *const[]){ k->inner, NULL });
	buf_putc(out, '}');
}

static bool read_factor(struct object *o, const struct key *k, struct json_object *v)
{
	int64_t n;

	(void)k;
	if (!json_is_int(v, 0, UINT16_MAX, &n))
		return false;
	((Pb__DeckConfig *)o->m)->initial_ease = to_single((float)n / 1000.0f);
	return true;
}

static void print_factor(struct buf *out, const struct object *o, const struct key *k)
{
	json_put_int(out, (int64_t)to_single(key_float(o, k) * 1000.0f));
}

/* [good, easy, …]; the third is a relic. */
static bool read_ints(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__DeckConfig *c = (Pb__DeckConfig *)o->m;
	int64_t days[2], n;
	size_t len;

	(void)k;
	if (!json_is_array(v, &len) || len < 2)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!json_is_int(json_at(v, i), 0, UINT16_MAX, &n))
			return false;
		if (i < 2)
			days[i] = n;
	}
	c->graduating_interval_good = (uint32_t)days[0];
	c->graduating_interval_easy = (uint32_t)days[1];
	return true;
}

static void print_ints(struct buf *out, const struct object *o, const struct key *k)
{
	struct key easy = *k;

	easy.field++;
	buf_printf(out, "[%u,%u,0]", (unsigned)key_int(o, k), (unsigned)key_int(o, &easy));
}

/* The wire says 0 for random and 1 for due, the blob the other way round. */
static bool read_order(struct object *o, const struct key *k, struct json_object *v)
{
	int64_t n;

	(void)k;
	if (!json_is_int(v, 0, 1, &n))
		return false;
	((Pb__DeckConfig *)o->m)->new_card_insert_order = n == 0;
	return true;
}

static void print_order(struct buf *out, const struct object *o, const struct key *k)
{
	json_put_int(out, key_int(o, k) == 1 ? 0 : 1);
}

static const struct key new_keys[] = {
	{ "bury", 27, BOOL },
	{ "delays", 1, FLOATS, NEED | LENIENT },
	{ "initialFactor", 11, FLOAT, NEED, 1.31, 5, .read = read_factor, .print = print_factor },
	{ "ints", 18, U32, NEED | LENIENT | KEEP, 1, 36500, .read = read_ints, .print = print_ints },
	{ "order", 20, I32, NEED | LENIENT, .read = read_order, .print = print_order },
	{ "perDay", 9, U32, NEED | LENIENT, 0, 9999 },
	{ 0 },
};

static const struct key rev_keys[] = {
	{ "bury", 28, BOOL },
	{ "ease4", 12, FLOAT, NEED, 1, 5 },
	{ "ivlFct", 15, FLOAT, NEED, 0.5, 2 },
	{ "maxIvl", 16, U32, NEED, 1, 36500 },
	{ "perDay", 10, U32, NEED | LENIENT, 0, 9999 },
	{ "hardFactor", 13, FLOAT, KEEP, 0.5, 1.3 },
	{ 0 },
};

static const struct key lapse_keys[] = {
	{ "delays", 2, FLOATS, NEED | LENIENT },
	{ "leechAction", 21, ENUM, NEED | LENIENT | KEEP, 0, 1 },
	{ "leechFails", 22, U32, NEED, 1, 9999 },
	{ "minInt", 17, U32, NEED, 1, 36500 },
	{ "mult", 14, FLOAT, NEED, 0, 1 },
	{ 0 },
};

static const struct key keys[] = {
	{ "id", COLUMN_ID, ID, NEED },
	{ "mod", COLUMN_MOD, INT_STR, NEED },
	{ "name", COLUMN_NAME, STR, NEED },
	{ "usn", COLUMN_USN, I32, NEED },
	{ "maxTaken", 24, I32, NEED, 1, 9999 },
	{ "autoplay", 23, NOT, NEED },
	{ "timer", 25, U8, NEED | LENIENT },
	{ "replayq", 26, NOT },
	{ "new", NOWHERE, ANY, NEED, .inner = new_keys, .read = read_inner, .print = print_inner },
	{ "rev", NOWHERE, ANY, NEED, .inner = rev_keys, .read = read_inner, .print = print_inner },
	{ "lapse", NOWHERE, ANY, NEED, .inner = lapse_keys, .read = read_inner, .print = print_inner },
	{ "dyn", NOWHERE, ANY, .constant = "false" },
	{ "newMix", 30, I32 },
	{ "newPerDayMinimum", 35, U32, 0, 0, 9999 },
	{ "interdayLearningMix", 31, I32 },
	{ "reviewOrder", 33, I32 },
	{ "newSortOrder", 32, I32 },
	{ "newGatherPriority", 34, I32 },
	{ "buryInterdayLearning", 29, BOOL },
	{ "fsrsWeights", 3, FLOATS },
	{ "fsrsParams5", 5, FLOATS },
	{ "fsrsParams6", 6, FLOATS },
	{ "desiredRetention", 37, FLOAT, 0, 0.7, 0.99 },
	{ "ignoreRevlogsBeforeDate", 46, STR },
	{ "easyDaysPercentages", 4, FLOATS },
	{ "stopTimerOnAnswer", 38, BOOL },
	{ "secondsToShowQuestion", 41, FLOAT },
	{ "secondsToShowAnswer", 42, FLOAT },
	{ "questionAction", 36, ENUM, 0, 0, 1 },
	{ "answerAction", 43, ENUM, 0, 0, 4 },
	{ "waitForAudio", 44, BOOL, KEEP },
	{ "sm2Retention", 40, FLOAT, 0, 0.7, 0.97 },
	{ "weightSearch", 45, STR },
	{ 0 },
};
static const struct key *const tables[] = { keys, NULL };

void deck_config_init(struct deck_config *c)
{
	*c = (struct deck_config){ .name = BUF_INIT(BUF_UNBOUNDED), .config = BUF_INIT(BLOB_MAX) };
}

void deck_config_release(struct deck_config *c)
{
	buf_release(&c->name);
	buf_release(&c->config);
}

int deck_config_from_json(struct deck_config *c, struct json_object *v, struct err *e)
{
	Pb__DeckConfig config = born;
	struct object o;
	int rc = -1;

	object_init(&o, &config);
	o.keys_once = true;
	if (keys_read(&o, keys, v, e) != 0)
		goto out;
	keys_put_unknown(&o.unknown, v, tables);
	if (object_keep_unknown(&o, e) != 0 || blob_pack(&config, &c->config, e) != 0)
		goto out;
	c->id = o.id;
	c->mod_s = o.mod_s;
	c->usn = o.usn;
	buf_set(&c->name, o.name.data, o.name.len);
	rc = 0;
out:
	if (rc != 0)
		err_add(e, "options %lld", (long long)o.id);
	object_release(&o);
	return rc;
}

static Pb__DeckConfig *decode(const struct deck_config *c, struct err *e)
{
	Pb__DeckConfig *config = blob_unpack(&pb__deck_config__descriptor, buf_slice(&c->config), e);

	if (!config)
		err_add(e, "options %lld", (long long)c->id);
	return config;
}

int deck_config_check(const struct deck_config *c, struct err *e)
{
	Pb__DeckConfig *config = decode(c, e);

	blob_free(config);
	return config ? 0 : -1;
}

int deck_config_print(struct buf *out, const struct deck_config *c, struct err *e)
{
	Pb__DeckConfig *config = decode(c, e);
	struct object o;

	if (!config)
		return -1;
	object_init(&o, config);
	o.born = &born.base;
	o.id = c->id;
	o.mod_s = c->mod_s;
	o.usn = c->usn;
	o.name = blob_data(buf_slice(&c->name));
	object_parse_other(&o);
	buf_putc(out, '{');
	keys_print(out, &o, keys);
	keys_put_unknown(out, o.other, tables);
	buf_putc(out, '}');
	object_release(&o);
	blob_free(config);
	return 0;
}

void deck_config_default(struct deck_config *c)
{
	c->id = 1;
	c->mod_s = 0;
	c->usn = 0;
	buf_set(&c->name, "Default", 7);
	blob_pack(&born, &c->config, NULL);
}

int deck_config_mend_ease(struct deck_config *c, struct err *e)
{
	Pb__DeckConfig *config = decode(c, e);
	int rc = 0;

	if (!config)
		return -1;
	if (config->initial_ease <= 1.3f) {
		config->initial_ease = born.initial_ease;
		rc = blob_pack(config, &c->config, e) == 0 ? 1 : -1;
	}
	blob_free(config);
	return rc;
}

int deck_config_ease_from_percent(struct deck_config *c, struct err *e)
{
	Pb__DeckConfig *config = decode(c, e);
	int rc;

	if (!config)
		return -1;
	config->initial_ease /= 100.0f;
	rc = blob_pack(config, &c->config, e);
	blob_free(config);
	return rc;
}
