/*
 * Random histories of a few devices: they change, delete and rename things, often the same ones in the same second, with
 * clocks that are off; syncs meet other syncs, and lose questions and answers. In the end all must be equal.
 *
 * HISTORIES=number runs so many more, SEED=number begins with that one; HISTORY=seed runs one and prints what happens in it.
 */
#include "tests/unit/device.h"

#include "base/clock.h"

enum { DEVICES_MAX = 3, SEEDS = 100, STEPS = 60, ROUNDS = 4 };

struct world {
	struct place *p;
	struct device *devices; /* DEVICES_MAX of them */
	size_t n;
	uint64_t seed, random;
	int64_t now_ms, last_id, last_scm;
	int syncs;      /* session keys made so far */
	int depth;      /* syncs that are going on */
	bool calm;      /* nothing gets lost, nobody comes between */
	bool disturbed; /* the sync at hand may be refused */
	bool loud;
	int64_t mod_ms, usn, generation; /* of the server, as seen last */
};

static uint64_t random_below(struct world *w, uint64_t n)
{
	/* xorshift64*: the same histories on every machine. */
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * 0x2545f4914f6cdd1dULL >> 32) % n;
}

static bool one_in(struct world *w, uint64_t n)
{
	return random_below(w, n) == 0;
}

static void say(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->loud)
		return;
	printf("%lld %*s", (long long)(w->now_ms - PLACE_NOW_MS), 4 * w->depth, "");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* --- what users do --- */

static struct thing *any(struct world *w, struct device *d, enum thing_kind kind)
{
	size_t n = 0, pick;

	for (size_t i = 0; i < d->n; i++)
		n += d->things[i].kind == kind;
	if (n == 0)
		return NULL;
	pick = random_below(w, n);
	for (size_t i = 0;; i++)
		if (d->things[i].kind == kind && pick-- == 0)
			return &d->things[i];
}

static enum thing_kind named_kind(struct world *w)
{
	return one_in(w, 3) ? NOTETYPE : DECK;
}

static const char *any_name(struct world *w)
{
	static const char *const names[] = { "A", "B", "C", "D", "E", "a", "b", "A+", "B+", "A++", "A::B", "a::b" };

	return names[random_below(w, sizeof names / sizeof *names)];
}

static void rename_to(struct device *d, struct thing *t, const char *name)
{
	snprintf(t->name, sizeof t->name, "%s", name);
	while (device_has_name(d, t->kind, t->name, t))
		device_add_plus(t);
	device_touch(d, t);
}

static void do_make_named(struct world *w, struct device *d)
{
	struct thing *t = device_add(d, named_kind(w), ++w->last_id, "");

	rename_to(d, t, any_name(w));
	say(w, "%c makes %d %lld %s", d->name, t->kind, (long long)t->id, t->name);
}

static void do_rename(struct world *w, struct device *d)
{
	struct thing *t = any(w, d, named_kind(w));

	rename_to(d, t, any_name(w));
	say(w, "%c renames %d %lld %s", d->name, t->kind, (long long)t->id, t->name);
}

/* Two change names, or three in a ring: what the user does by way of other names is one change when it is synced. */
static void do_swap(struct world *w, struct device *d)
{
	enum thing_kind kind = named_kind(w);
	struct thing *a = any(w, d, kind), *b = any(w, d, kind), *c = any(w, d, kind);
	char name[sizeof a->name];

	if (a == b)
		return;
	memcpy(name, a->name, sizeof name);
	memcpy(a->name, b->name, sizeof name);
	memcpy(b->name, name, sizeof name);
	device_touch(d, a);
	device_touch(d, b);
	if (c != a && c != b) {
		memcpy(name, c->name, sizeof name);
		memcpy(c->name, b->name, sizeof name);
		memcpy(b->name, name, sizeof name);
		device_touch(d, c);
	}
	say(w, "%c swaps %d %lld=%s %lld=%s %lld=%s", d->name, kind, (long long)a->id, a->name, (long long)b->id, b->name, (long long)c->id, c->name);
}

/* A new one under the name that another has had. */
static void do_displace(struct world *w, struct device *d)
{
	struct thing *t = any(w, d, named_kind(w));
	char name[sizeof t->name];

	memcpy(name, t->name, sizeof name);
	rename_to(d, t, any_name(w));
	rename_to(d, device_add(d, t->kind, ++w->last_id, ""), name);
	say(w, "%c displaces %d %lld=%s: %lld=%s", d->name, t->kind, (long long)t->id, t->name, (long long)w->last_id, name);
}

static void do_edit(struct world *w, struct device *d)
{
	static const enum thing_kind kinds[] = { CARD, NOTE, DECK, NOTETYPE, OPTIONS };
	struct thing *t = any(w, d, kinds[random_below(w, sizeof kinds / sizeof *kinds)]);

	if (!t)
		return;
	t->v = (int64_t)random_below(w, 1000);
	device_touch(d, t);
	say(w, "%c edits %d %lld v %lld", d->name, t->kind, (long long)t->id, (long long)t->v);
}

static void do_add_note(struct world *w, struct device *d)
{
	int64_t type = any(w, d, NOTETYPE)->id, deck = any(w, d, DECK)->id;
	int64_t note = device_add(d, NOTE, ++w->last_id, "")->id;
	struct thing *card = device_add(d, CARD, ++w->last_id, "");

	device_find(d, NOTE, note, "")->of = type;
	card->of = note;
	card->in = deck;
	say(w, "%c adds note %lld card %lld", d->name, (long long)note, (long long)card->id);
}

static void do_review(struct world *w, struct device *d)
{
	struct thing *card = any(w, d, CARD), *review;

	if (!card)
		return;
	card->v++;
	device_touch(d, card);
	review = device_add(d, REVLOG, ++w->last_id, "");
	review->of = card->id;
	review->v = 3;
	say(w, "%c reviews %lld", d->name, (long long)card->id);
}

static void do_delete(struct world *w, struct device *d)
{
	static const enum thing_kind kinds[] = { CARD, CARD, NOTE, DECK };
	enum thing_kind kind = kinds[random_below(w, 4)];
	struct thing *t = any(w, d, kind);

	if (!t || t->id == 1)
		return;
	say(w, "%c deletes %d %lld", d->name, kind, (long long)t->id);
	device_delete(d, t);
}

/* As an import does, or undo. */
static void do_bring_back(struct world *w, struct device *d)
{
	static const enum thing_kind kinds[] = { CARD, NOTE, DECK };
	size_t k = random_below(w, 3);
	struct thing *grave = any(w, d, CARD_GRAVE + k), *t;
	int64_t note_type = any(w, d, NOTETYPE)->id;

	if (!grave || device_find(d, kinds[k], grave->id, ""))
		return;
	t = device_add(d, kinds[k], grave->id, "");
	t->of = kinds[k] == NOTE ? note_type : 0;
	t->v = (int64_t)random_below(w, 1000);
	if (kinds[k] == DECK)
		rename_to(d, t, any_name(w));
	say(w, "%c brings back %d %lld %s", d->name, kinds[k], (long long)t->id, t->name);
}

static void set_conf(struct device *d, const char *key, int v)
{
	struct thing *t = device_find(d, CONF, 0, key);

	if (!t)
		t = device_add(d, CONF, 0, key);
	device_touch(d, t);
	snprintf(t->text, sizeof t->text, "%d", v);
}

static void do_tag_and_conf(struct world *w, struct device *d)
{
	char name[8];

	snprintf(name, sizeof name, "t%d", (int)random_below(w, 20));
	if (!device_find(d, TAG, 0, name))
		device_add(d, TAG, 0, name);
	name[0] = 'k';
	set_conf(d, name, (int)random_below(w, 1000));
	if (one_in(w, 4))
		d->crt_s++;
}

static void do_set_clock(struct world *w, struct device *d)
{
	d->ahead_ms = ((int64_t)random_below(w, 7) - 3) * 1000;
	say(w, "%c has its clock %lld ms ahead", d->name, (long long)d->ahead_ms);
}

static void do_change_schema(struct world *w, struct device *d)
{
	if (!one_in(w, 4))
		return;
	d->mod_ms = device_now_ms(d);
	d->scm_ms = ++w->last_scm;
	say(w, "%c changes its schema", d->name);
}

typedef void deed(struct world *w, struct device *d);

static void change_something(struct world *w, struct device *d)
{
	static deed *const deeds[] = { do_make_named, do_rename,    do_rename, do_swap,   do_swap,       do_displace,     do_displace,
				       do_edit,       do_edit,      do_edit,   do_edit,   do_add_note,   do_add_note,     do_review,
				       do_delete,     do_bring_back, do_tag_and_conf, do_set_clock, do_change_schema };

	/* Most things happen within the second of the thing before; no two in one millisecond. */
	w->now_ms += 1 + (int64_t)(one_in(w, 6) ? random_below(w, 3000) : random_below(w, 20));
	clock_freeze_ms(w->now_ms);
	deeds[random_below(w, sizeof deeds / sizeof *deeds)](w, d);
}

/* --- syncs --- */

static void sync_device(struct world *w, struct device *d);

static void come_between(struct world *w, struct device *d)
{
	struct device *other = &w->devices[random_below(w, w->n)];

	if (other == d || w->depth > 1)
		return;
	w->disturbed = true;
	for (uint64_t n = random_below(w, 3); n > 0; n--)
		change_something(w, other);
	sync_device(w, other);
	w->disturbed = true; /* the one that goes on */
}

static const char *call(void *arg, struct device *d, const char *session_key, const char *method, const char *body)
{
	struct world *w = arg;
	const char *reply;

	if (!w->calm && one_in(w, 12))
		come_between(w, d);
	say(w, "%c %s %s", d->name, method, body);
	if (!w->calm && one_in(w, 40)) {
		say(w, "%c %s: question lost", d->name, method);
		return NULL;
	}
	reply = place_call(w->p, session_key, method, body);
	if (!w->calm && reply && one_in(w, 30) && strcmp(method, "chunk") != 0) {
		say(w, "%c %s again", d->name, method);
		reply = place_call(w->p, session_key, method, body);
	}
	say(w, "%c %s -> %s", d->name, method, reply ? reply : "error");
	if (!reply && !(w->disturbed && w->p->kind == ERR_CONFLICT))
		fail_msg("seed %llu: %c: %s: kind %d: %s", (unsigned long long)w->seed, d->name, method, w->p->kind, body);
	if (!w->calm && one_in(w, 40)) {
		say(w, "%c %s: answer lost", d->name, method);
		return NULL;
	}
	return reply;
}

static bool has_cards(struct device *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->things[i].kind == CARD)
			return true;
	return false;
}

static void sync_device(struct world *w, struct device *d)
{
	bool disturbed = w->disturbed;
	char key[16];
	enum device_result result;

	snprintf(key, sizeof key, "s%d", ++w->syncs);
	say(w, "%c syncs", d->name);
	w->disturbed = false;
	w->depth++;
	result = device_sync(d, key, call, w);
	w->depth--;
	w->disturbed = disturbed;
	if (w->calm)
		assert_int_not_equal(result, DEVICE_FAILED);
	if (result != DEVICE_FULL_SYNC)
		return;
	if (!w->calm && has_cards(d) && one_in(w, 3)) {
		say(w, "%c uploads", d->name);
		device_upload(d, w->p, ++w->last_scm);
	} else {
		say(w, "%c downloads", d->name);
		device_download(d, w->p);
	}
}

/* The server's usn and mod only grow within a generation. */
static void check_growth(struct world *w)
{
	struct home *h = place_home(w->p);
	struct err e = ERR_INIT;
	int64_t generation, usn, mod_ms;
	char values[64];

	snprintf(values, sizeof values, "%s", place_query(w->p, "SELECT usn || ' ' || mod FROM col"));
	assert_int_equal(sscanf(values, "%" SCNd64 " %" SCNd64, &usn, &mod_ms), 2);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(home_generation(h, &generation, &e), 0);
	home_unlock(h);
	if (generation == w->generation && (usn < w->usn || (usn == w->usn ? mod_ms != w->mod_ms : mod_ms <= w->mod_ms)))
		fail_msg("seed %llu: usn and mod went from %lld, %lld to %lld, %lld", (unsigned long long)w->seed, (long long)w->usn,
			 (long long)w->mod_ms, (long long)usn, (long long)mod_ms);
	w->generation = generation;
	w->usn = usn;
	w->mod_ms = mod_ms;
}

/* --- a history --- */

static void begin(struct world *w)
{
	struct device *first = &w->devices[0];
	struct thing *t;

	for (size_t i = 0; i < DEVICES_MAX; i++)
		w->devices[i] = (struct device){ .name = (char)('A' + i), .crt_s = PLACE_NOW_MS / 1000 - 86400 };
	t = device_add(first, DECK, 1, "Default");
	t->mod_s = 0;
	device_add(first, OPTIONS, 1, "");
	device_add(first, NOTETYPE, ++w->last_id, "Basic");
	/* As on a day on which everybody has been here before: nothing is to be un-buried. */
	set_conf(first, "schedVer", 2);
	set_conf(first, "rollover", 4);
	set_conf(first, "lastUnburied", 1);
	for (int i = 0; i < 5; i++)
		do_make_named(w, first);
	for (int i = 0; i < 3; i++)
		do_add_note(w, first);
	device_upload(first, w->p, ++w->last_scm);
	for (size_t i = 1; i < w->n; i++)
		device_download(&w->devices[i], w->p);
}

static void compare(struct world *w, struct device *a, struct device *b)
{
	struct buf x = BUF_INIT(BUF_UNBOUNDED), y = BUF_INIT(BUF_UNBOUNDED);

	device_print(a, &x);
	device_print(b, &y);
	for (const char *p = buf_str(&x), *q = buf_str(&y); *p || *q; p += strcspn(p, "\n") + 1, q += strcspn(q, "\n") + 1) {
		size_t n = strcspn(p, "\n"), m = strcspn(q, "\n");

		if (n != m || memcmp(p, q, n) != 0)
			fail_msg("seed %llu: %c has %.*s, %c has %.*s", (unsigned long long)w->seed, a->name, (int)n, p, b->name, (int)m, q);
	}
	buf_release(&x);
	buf_release(&y);
}

static void end(struct world *w)
{
	struct device *look = malloc(sizeof *look);

	w->calm = true;
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < w->n; i++) {
			/* Clocks may have given two states one time: whoever has something to send has a new one now. */
			if (round == 0)
				w->devices[i].mod_ms = w->now_ms + 1000000 + (int64_t)i;
			w->now_ms += 10;
			clock_freeze_ms(w->now_ms);
			sync_device(w, &w->devices[i]);
		}
	*look = (struct device){ .name = 'L' };
	device_download(look, w->p);
	for (size_t i = 0; i < w->n; i++)
		compare(w, look, &w->devices[i]);
	free(look);
}

static void run_history(uint64_t seed, bool loud)
{
	struct world w = {
		.devices = calloc(DEVICES_MAX, sizeof *w.devices), .seed = seed, .random = seed * 0x9e3779b97f4a7c15ULL + 1, .loud = loud,
		.now_ms = PLACE_NOW_MS, .last_id = 1000,
	};
	void *p = NULL;

	place_setup(&p);
	w.p = p;
	w.n = 2 + random_below(&w, DEVICES_MAX - 1);
	begin(&w);
	for (int step = 0; step < STEPS; step++) {
		struct device *d = &w.devices[random_below(&w, w.n)];

		if (one_in(&w, 4)) {
			sync_device(&w, d);
			check_growth(&w);
		} else {
			change_something(&w, d);
		}
	}
	end(&w);
	place_teardown(&p);
	free(w.devices);
}

static void test_histories(void **state)
{
	const char *one = getenv("HISTORY"), *more = getenv("HISTORIES"), *from = getenv("SEED");
	uint64_t first = from ? strtoull(from, NULL, 10) : 1, n = SEEDS + (more ? strtoull(more, NULL, 10) : 0);

	(void)state;
	if (one) {
		run_history(strtoull(one, NULL, 10), true);
		return;
	}
	for (uint64_t seed = first; seed < first + n; seed++)
		run_history(seed, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
