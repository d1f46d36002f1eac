/* See deck.h. */
#include "format/deck.h"

#include <math.h>

#include "format/blobs.pb-c.h"
#include "format/keys.h"
#include "format/names.h"

/* Fields of `common` with today's amounts. */
enum { NEW = 4, REVIEW = 5, LEARNING = 6, MILLISECONDS = 7 };

/* What is read before it is clear where it goes. */
struct incoming {
	bool is_filtered;
	int32_t day[MILLISECONDS + 1], amount[MILLISECONDS + 1]; /* of the …Today lists, by field */
};

/* Anything but a whole number counts as 0; both wrap to 32 bits. */
static int32_t wrapped(struct json_object *list, size_t len, size_t from_end)
{
	int64_t v;

	if (from_end > len || !json_is_int(json_at(list, len - from_end), INT64_MIN, INT64_MAX, &v))
		return 0;
	return (int32_t)(uint32_t)v;
}

/* [day, amount], seen from the end. */
static bool read_today(struct object *o, const struct key *k, struct json_object *v)
{
	struct incoming *in = o->own;
	size_t len;

	if (!json_is_array(v, &len))
		return false;
	in->amount[k->field] = wrapped(v, len, 1);
	in->day[k->field] = wrapped(v, len, 2);
	return true;
}

static void print_today(struct buf *out, const struct object *o, const struct key *k)
{
	const Pb__DeckCommon *c = (const Pb__DeckCommon *)o->m;

	buf_printf(out, "[%d,%d]", (int)c->last_day_studied, (int)key_int(o, k));
}

static bool read_dyn(struct object *o, const struct key *k, struct json_object *v)
{
	struct incoming *in = o->own;
	int64_t n;

	(void)k;
	if (json_is_bool(v, &in->is_filtered))
		return true;
	if (!json_is_int(v, 0, UINT8_MAX, &n))
		return false;
	in->is_filtered = n == 1;
	return true;
}

static const struct key limit_keys[] = {
	{ "limit", 1, U32, NEED },
	{ "today", 2, U32, NEED },
	{ 0 },
};

static Pb__DayLimit **limit_of(const struct object *o, const struct key *k)
{
	Pb__NormalDeck *n = (Pb__NormalDeck *)o->m;

	return k->field == 8 ? &n->review_limit_today : &n->new_limit_today;
}

static bool read_limit(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__DayLimit *limit = pool_get(&o->pool, 1, sizeof *limit);

	pb__day_limit__init(limit);
	if (!keys_read_tuple(o, limit, limit_keys, v))
		return false;
	*limit_of(o, k) = limit;
	return true;
}

static void print_limit(struct buf *out, const struct object *o, const struct key *k)
{
	Pb__DayLimit *limit = *limit_of(o, k);

	if (!limit) {
		buf_puts(out, "null");
		return;
	}
	buf_putc(out, '{');
	keys_print(out, &(struct object){ .m = &limit->base }, limit_keys);
	buf_putc(out, '}');
}

static bool read_percent(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__NormalDeck *n = (Pb__NormalDeck *)o->m;
	int64_t percent;

	if (!json_is_int(v, 0, UINT32_MAX, &percent))
		return false;
	n->opt_desired_retention_case = (Pb__NormalDeck__OptDesiredRetentionCase)k->field;
	n->desired_retention = to_single((float)percent / 100.0f);
	return true;
}

static void print_percent(struct buf *out, const struct object *o, const struct key *k)
{
	const Pb__NormalDeck *n = (const Pb__NormalDeck *)o->m;
	float percent = to_single(n->desired_retention * 100.0f);

	if (!n->opt_desired_retention_case)
		buf_puts(out, "null");
	else if (percent > 0)
		json_put_int(out, percent < (float)UINT32_MAX ? (int64_t)percent : UINT32_MAX);
	else
		json_put_int(out, 0); /* NaN, too */
	(void)k;
}

static const struct key term_keys[] = {
	{ "search", 1, STR, NEED },
	{ "limit", 2, I32_STR, NEED },
	{ "order", 3, I32, NEED },
	{ 0 },
};

static bool read_terms(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__FilteredDeck *f = (Pb__FilteredDeck *)o->m;
	Pb__SearchTerm *terms;
	size_t n;

	(void)k;
	if (!json_is_array(v, &n))
		return false;
	terms = pool_get(&o->pool, n, sizeof *terms);
	f->search_terms = pool_get(&o->pool, n, sizeof *f->search_terms);
	for (size_t i = 0; i < n; i++) {
		pb__search_term__init(&terms[i]);
		f->search_terms[i] = &terms[i];
		if (!keys_read_tuple(o, &terms[i], term_keys, json_at(v, i)))
			return false;
	}
	f->n_search_terms = n;
	return true;
}

static void print_terms(struct buf *out, const struct object *o, const struct key *k)
{
	const Pb__FilteredDeck *f = (const Pb__FilteredDeck *)o->m;

	(void)k;
	buf_putc(out, '[');
	for (size_t i = 0; i < f->n_search_terms; i++) {
		if (i)
			buf_putc(out, ',');
		keys_print_tuple(out, f->search_terms[i], term_keys);
	}
	buf_putc(out, ']');
}

/* The keys of both kinds of deck that go to the columns and to `common`. */
static const struct key head_keys[] = {
	{ "id", COLUMN_ID, ID, NEED },
	{ "mod", COLUMN_MOD, INT_STR },
	{ "name", COLUMN_NAME, STR, NEED },
	{ "usn", COLUMN_USN, I32, NEED },
	{ "lrnToday", LEARNING, I32, NEED, .read = read_today, .print = print_today },
	{ "revToday", REVIEW, I32, NEED, .read = read_today, .print = print_today },
	{ "newToday", NEW, I32, NEED, .read = read_today, .print = print_today },
	{ "timeToday", MILLISECONDS, I32, NEED, .read = read_today, .print = print_today },
	{ "collapsed", 1, BOOL, NEED },
	{ "browserCollapsed", 2, BOOL },
	{ 0 },
};

/* What both kinds know and only a normal deck keeps. */
static const struct key text_keys[] = {
	{ "desc", 4, STR },
	{ "dyn", NOWHERE, ANY, NEED, .read = read_dyn },
	{ 0 },
};

static const struct key loose_keys[] = { /* not reserved (§3.2): may be among the unknown keys of an older blob */
	{ "md", 5, BOOL, OMIT },
	{ "return", NOWHERE, ANY },
	{ 0 },
};

static const struct key normal_keys[] = {
	{ "conf", 1, INT_STR, NEED },
	{ "extendNew", 2, I32, LENIENT },
	{ "extendRev", 3, I32, LENIENT },
	{ "reviewLimit", 6, U32, LENIENT },
	{ "newLimit", 7, U32, LENIENT },
	{ "reviewLimitToday", 8, ANY, LENIENT, .read = read_limit, .print = print_limit },
	{ "newLimitToday", 9, ANY, LENIENT, .read = read_limit, .print = print_limit },
	{ "desiredRetention", 10, FLOAT, LENIENT, .read = read_percent, .print = print_percent },
	{ 0 },
};

static const struct key filtered_keys[] = {
	{ "resched", 1, ANYBOOL, NEED },
	{ "terms", 2, ANY, NEED, .read = read_terms, .print = print_terms },
	{ "separate", NOWHERE, BOOL, .constant = "true" },
	{ "delays", 3, FLOATS, LENIENT | NULL_EMPTY },
	{ "previewDelay", 4, U32 },
	{ "previewAgainSecs", 7, U32 },
	{ "previewHardSecs", 5, U32 },
	{ "previewGoodSecs", 6, U32 },
	{ 0 },
};

void deck_init(struct deck *d)
{
	*d = (struct deck){ .name = BUF_INIT(BUF_UNBOUNDED), .common = BUF_INIT(BLOB_MAX), .kind = BUF_INIT(BLOB_MAX) };
}

void deck_release(struct deck *d)
{
	buf_release(&d->name);
	buf_release(&d->common);
	buf_release(&d->kind);
}

/* One day for all counts: an amount of another day is no news (§3.2). Learning does not decide which day it is. */
static void set_today(Pb__DeckCommon *c, const struct incoming *in)
{
	int32_t day = in->day[MILLISECONDS];

	if (in->day[REVIEW] > day)
		day = in->day[REVIEW];
	if (in->day[NEW] > day)
		day = in->day[NEW];
	c->last_day_studied = (uint32_t)day;
	c->new_studied = in->day[NEW] == day ? in->amount[NEW] : 0;
	c->review_studied = in->day[REVIEW] == day ? in->amount[REVIEW] : 0;
	c->learning_studied = in->day[LEARNING] == day ? in->amount[LEARNING] : 0;
	c->milliseconds_studied = in->amount[MILLISECONDS];
}

int deck_from_json(struct deck *d, struct json_object *v, struct err *e)
{
	Pb__DeckCommon common = PB__DECK_COMMON__INIT;
	Pb__NormalDeck normal = PB__NORMAL_DECK__INIT;
	Pb__FilteredDeck filtered = PB__FILTERED_DECK__INIT;
	Pb__DeckKind kind = PB__DECK_KIND__INIT;
	struct incoming in = { 0 };
	const struct key *rest;
	struct object o;
	int rc = -1;

	object_init(&o, &common);
	o.own = &in;
	if (keys_read(&o, head_keys, v, e) != 0)
		goto out;
	o.m = &normal.base;
	if (keys_read(&o, text_keys, v, e) != 0 || keys_read(&o, loose_keys, v, e) != 0)
		goto out;
	if (in.is_filtered) {
		kind.kind_case = PB__DECK_KIND__KIND_FILTERED;
		kind.filtered = &filtered;
		o.m = &filtered.base;
		rest = filtered_keys;
	} else {
		kind.kind_case = PB__DECK_KIND__KIND_NORMAL;
		kind.normal = &normal;
		rest = normal_keys;
	}
	if (keys_read(&o, rest, v, e) != 0)
		goto out;
	set_today(&common, &in);
	keys_put_unknown(&o.unknown, v, (const struct key *const[]){ head_keys, text_keys, loose_keys, rest, NULL });
	o.m = &common.base;
	if (object_keep_unknown(&o, e) != 0)
		goto out;
	if (blob_pack(&common, &d->common, e) != 0 || blob_pack(&kind, &d->kind, e) != 0)
		goto out;
	d->id = o.id;
	d->mod_s = o.mod_s;
	d->usn = o.usn;
	deck_name_native(blob_slice(o.name), &d->name);
	rc = 0;
out:
	if (rc != 0)
		err_add(e, "deck %lld", (long long)o.id);
	object_release(&o);
	return rc;
}

/* Both to be freed, also after a failure. */
static int decode(const struct deck *d, Pb__DeckCommon **common, Pb__DeckKind **kind, struct err *e)
{
	*common = blob_unpack(&pb__deck_common__descriptor, buf_slice(&d->common), e);
	*kind = *common ? blob_unpack(&pb__deck_kind__descriptor, buf_slice(&d->kind), e) : NULL;
	if (!*kind)
		return err_add(e, "deck %lld", (long long)d->id);
	if ((*kind)->kind_case == PB__DECK_KIND__KIND__NOT_SET)
		return err_set(e, ERR_DAMAGED, "deck %lld is neither normal nor filtered", (long long)d->id);
	return 0;
}

int deck_check(const struct deck *d, struct err *e)
{
	Pb__DeckCommon *common;
	Pb__DeckKind *kind;
	int rc = decode(d, &common, &kind, e);

	blob_free(common);
	blob_free(kind);
	return rc;
}

int deck_print(struct buf *out, const struct deck *d, struct err *e)
{
	Pb__NormalDeck no_text = PB__NORMAL_DECK__INIT;
	struct buf name = BUF_INIT(BUF_UNBOUNDED);
	Pb__DeckCommon *common;
	Pb__DeckKind *kind;
	Pb__NormalDeck *text;
	struct object o;
	bool is_filtered;
	int rc = -1;

	object_init(&o, NULL);
	if (decode(d, &common, &kind, e) != 0)
		goto out;
	is_filtered = kind->kind_case == PB__DECK_KIND__KIND_FILTERED;
	text = is_filtered ? &no_text : kind->normal;
	deck_name_wire(buf_slice(&d->name), &name);
	o.id = d->id;
	o.mod_s = d->mod_s;
	o.usn = d->usn;
	o.name = blob_data(buf_slice(&name));
	buf_putc(out, '{');
	o.m = &common->base;
	object_parse_other(&o);
	keys_print(out, &o, head_keys);
	o.m = &text->base;
	keys_print(out, &o, text_keys);
	keys_print(out, &o, loose_keys);
	json_put_key(out, "dyn");
	json_put_int(out, is_filtered);
	keys_put_unknown(out, o.other, (const struct key *const[]){ head_keys, text_keys, normal_keys,
		is_filtered ? filtered_keys : text->markdown_description ? loose_keys : NULL, NULL });
	o.m = is_filtered ? &kind->filtered->base : &kind->normal->base;
	keys_print(out, &o, is_filtered ? filtered_keys : normal_keys);
	buf_putc(out, '}');
	rc = 0;
out:
	object_release(&o);
	blob_free(common);
	blob_free(kind);
	buf_release(&name);
	return rc;
}

int deck_options(const struct deck *d, int64_t *id, struct err *e)
{
	Pb__DeckCommon *common;
	Pb__DeckKind *kind;
	int rc = decode(d, &common, &kind, e);

	if (rc == 0 && kind->kind_case == PB__DECK_KIND__KIND_NORMAL) {
		*id = kind->normal->config_id;
		rc = 1;
	}
	blob_free(common);
	blob_free(kind);
	return rc;
}

void deck_default(struct deck *d)
{
	Pb__DeckCommon common = PB__DECK_COMMON__INIT;
	Pb__NormalDeck normal = PB__NORMAL_DECK__INIT;
	Pb__DeckKind kind = PB__DECK_KIND__INIT;

	common.study_collapsed = common.browser_collapsed = true;
	normal.config_id = 1;
	kind.kind_case = PB__DECK_KIND__KIND_NORMAL;
	kind.normal = &normal;
	d->id = 1;
	d->mod_s = 0;
	d->usn = 0;
	buf_set(&d->name, "Default", 7);
	blob_pack(&common, &d->common, NULL);
	blob_pack(&kind, &d->kind, NULL);
}
