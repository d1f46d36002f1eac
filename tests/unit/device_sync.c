/* What a device says when it syncs, and what it makes of the answers. See device.h. */
#include "tests/unit/device.h"

/* --- what is sent --- */

static void comma(struct buf *out)
{
	if (out->len && out->data[out->len - 1] != '[' && out->data[out->len - 1] != '{')
		buf_putc(out, ',');
}

static void print_thing(struct buf *out, const struct thing *t)
{
	long long id = (long long)t->id, mod = (long long)t->mod_s, usn = (long long)t->usn, v = (long long)t->v;

	comma(out);
	switch (t->kind) {
	case CARD:
		buf_printf(out, "[%lld,%lld,%lld,0,%lld,%lld,2,2,%lld,3,2500,1,0,0,0,0,0,\"{}\"]", id, (long long)t->of, (long long)t->in,
			   mod, usn, v);
		break;
	case NOTE:
		buf_printf(out, "[%lld,\"g%lld\",%lld,%lld,%lld,\"\",\"v%lld\\u001fb\",\"\",\"\",0,\"\"]", id, id, (long long)t->of, mod, usn,
			   v);
		break;
	case REVLOG:
		buf_printf(out, "[%lld,%lld,%lld,3,%lld,0,2500,9,1]", id, (long long)t->of, usn, v);
		break;
	case DECK:
		buf_printf(out, "{\"id\":%lld,\"mod\":%lld,\"name\":\"%s\",\"usn\":%lld,\"lrnToday\":[0,0],\"revToday\":[0,0],"
			   "\"newToday\":[0,0],\"timeToday\":[0,0],\"collapsed\":false,\"desc\":\"v%lld\",\"dyn\":0,\"conf\":1}",
			   id, mod, t->name, usn, v);
		break;
	case NOTETYPE:
		buf_printf(out, "{\"id\":%lld,\"mod\":%lld,\"name\":\"%s\",\"usn\":%lld,\"type\":0,\"sortf\":0,\"did\":null,\"css\":\"v%lld\","
			   "\"tmpls\":[{\"name\":\"t\",\"qfmt\":\"q\"}],\"flds\":[{\"name\":\"a\",\"sticky\":false,\"rtl\":false,\"font\":\"\","
			   "\"size\":20},{\"name\":\"b\",\"sticky\":false,\"rtl\":false,\"font\":\"\",\"size\":20}]}",
			   id, mod, t->name, usn, v);
		break;
	case OPTIONS:
		buf_printf(out, "{\"id\":%lld,\"mod\":%lld,\"name\":\"v%lld\",\"usn\":%lld,\"maxTaken\":60,\"autoplay\":true,\"timer\":0,"
			   "\"new\":{},\"rev\":{},\"lapse\":{}}", id, mod, v, usn);
		break;
	case TAG:
		buf_printf(out, "\"%s\"", t->name);
		break;
	case CONF:
		buf_printf(out, "\"%s\":%s", t->name, t->text);
		break;
	case CARD_GRAVE:
	case NOTE_GRAVE:
	case DECK_GRAVE:
		buf_printf(out, "%lld", id);
		break;
	}
}

/* Everything of a kind, or (`usn` not NULL) what waits to be sent, at most `max`, which then has this usn. How many. */
static size_t print_kind(struct device *d, struct buf *out, enum thing_kind kind, const int64_t *usn, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n && n < max; i++) {
		struct thing *t = &d->things[i];

		if (t->kind != kind || (usn && t->usn != -1))
			continue;
		if (usn)
			t->usn = *usn;
		print_thing(out, t);
		n++;
	}
	return n;
}

void device_print_changes(struct device *d, struct buf *out, const int64_t *usn, bool conf)
{
	buf_puts(out, "{\"changes\":{\"models\":[");
	print_kind(d, out, NOTETYPE, usn, SIZE_MAX);
	buf_puts(out, "],\"decks\":[[");
	print_kind(d, out, DECK, usn, SIZE_MAX);
	buf_puts(out, "],[");
	print_kind(d, out, OPTIONS, usn, SIZE_MAX);
	buf_puts(out, "]],\"tags\":[");
	print_kind(d, out, TAG, usn, SIZE_MAX);
	buf_putc(out, ']');
	if (conf) {
		buf_puts(out, ",\"conf\":{");
		print_kind(d, out, CONF, NULL, SIZE_MAX);
		buf_printf(out, "},\"crt\":%lld", (long long)d->crt_s);
	}
	buf_puts(out, "}}");
}

bool device_print_chunk(struct device *d, struct buf *out, const int64_t *usn, size_t max)
{
	static const struct {
		enum thing_kind kind;
		const char *key;
	} tables[] = { { REVLOG, "revlog" }, { CARD, "cards" }, { NOTE, "notes" } };
	size_t left = max;

	buf_puts(out, "{\"chunk\":{");
	for (size_t i = 0; i < 3; i++) {
		buf_printf(out, "\"%s\":[", tables[i].key);
		left -= print_kind(d, out, tables[i].kind, usn, left);
		buf_puts(out, "],");
	}
	buf_printf(out, "\"done\":%s}}", left ? "true" : "false");
	return left == 0;
}

static bool print_graves(struct device *d, struct buf *out, const int64_t *usn)
{
	enum { MAX = 3 };
	size_t n;

	buf_puts(out, "{\"chunk\":{\"cards\":[");
	n = print_kind(d, out, CARD_GRAVE, usn, MAX);
	buf_puts(out, "],\"notes\":[");
	n += print_kind(d, out, NOTE_GRAVE, usn, MAX);
	buf_puts(out, "],\"decks\":[");
	n += print_kind(d, out, DECK_GRAVE, usn, MAX);
	buf_puts(out, "]}}");
	return n > 0;
}

/* --- what is received --- */

static int64_t number(struct json_object *o)
{
	int64_t v = 0;

	assert_true(json_is_int(o, INT64_MIN, INT64_MAX, &v));
	return v;
}

static int64_t content(struct json_object *text)
{
	long long v = 0;

	sscanf(json_object_get_string(text), "v%lld", &v);
	return v;
}

static struct json_object *parsed(const char *text)
{
	struct json_object *o;
	struct err e = ERR_INIT;

	if (json_parse_object(slice_of(text), &JSON_LIMITS_PAYLOAD, &o, &e) != 0)
		fail_msg("%s: %s", e.msg, text);
	return o;
}

static void receive_graves(struct device *d, struct json_object *o, int64_t usn)
{
	static const struct {
		const char *key;
		enum thing_kind kind;
	} lists[] = { { "notes", NOTE }, { "cards", CARD }, { "decks", DECK } };

	for (size_t l = 0; l < 3; l++) {
		struct json_object *list = vectors_get(o, lists[l].key);

		for (size_t i = 0; i < json_object_array_length(list); i++) {
			int64_t id = number(json_at(list, i));
			struct thing *t = device_find(d, lists[l].kind, id, "");

			if (t)
				device_drop(d, t);
			device_bury(d, device_grave_of(lists[l].kind), id, usn);
		}
	}
}

/* An arriving name that another id holds gets `+`; that is news to nobody else. */
static void settle_name(struct device *d, struct thing *t, int64_t usn)
{
	while (device_has_name(d, t->kind, t->name, t)) {
		device_add_plus(t);
		t->mod_s = device_now_ms(d) / 1000;
		t->usn = usn;
	}
}

/* Note types, decks, options: the one that is not earlier. */
static void receive_object(struct device *d, enum thing_kind kind, struct json_object *o, int64_t usn)
{
	int64_t id = number(vectors_get(o, "id")), mod_s = number(vectors_get(o, "mod"));
	struct thing *t = device_find(d, kind, id, "");
	const char *name = json_object_get_string(vectors_get(o, "name"));

	if (t && t->mod_s > mod_s)
		return;
	if (!t)
		t = device_add(d, kind, id, "");
	t->mod_s = mod_s;
	t->usn = number(vectors_get(o, "usn"));
	t->v = content(kind == OPTIONS ? vectors_get(o, "name") : vectors_get(o, kind == DECK ? "desc" : "css"));
	if (kind != OPTIONS) {
		assert_true(strlen(name) < sizeof t->name);
		snprintf(t->name, sizeof t->name, "%s", name);
		settle_name(d, t, usn);
	}
}

static void receive_objects(struct device *d, enum thing_kind kind, struct json_object *list, int64_t usn)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		receive_object(d, kind, json_at(list, i), usn);
}

static void receive_conf(struct device *d, struct json_object *conf)
{
	for (size_t i = d->n; i-- > 0;)
		if (d->things[i].kind == CONF)
			device_drop(d, &d->things[i]);
	json_object_object_foreach(conf, key, value)
	{
		struct thing *t = device_add(d, CONF, 0, key);
		struct buf text = BUF_INIT(BUF_UNBOUNDED);

		json_put_value(&text, value);
		assert_true(text.len < sizeof t->text);
		snprintf(t->text, sizeof t->text, "%s", buf_str(&text));
		buf_release(&text);
	}
}

static void receive_changes(struct device *d, struct json_object *o, int64_t usn)
{
	struct json_object *decks = vectors_get(o, "decks"), *tags = vectors_get(o, "tags"), *conf, *crt;

	receive_objects(d, NOTETYPE, vectors_get(o, "models"), usn);
	receive_objects(d, DECK, json_at(decks, 0), usn);
	receive_objects(d, OPTIONS, json_at(decks, 1), usn);
	for (size_t i = 0; i < json_object_array_length(tags); i++) {
		const char *name = json_object_get_string(json_at(tags, i));

		if (!device_find(d, TAG, 0, name))
			device_add(d, TAG, 0, name)->usn = usn;
	}
	if (json_has(o, "conf", &conf))
		receive_conf(d, conf);
	if (json_has(o, "crt", &crt))
		d->crt_s = number(crt);
}

/* The row to be filled, or NULL when this device keeps its own. */
static struct thing *receive_row(struct device *d, enum thing_kind kind, struct json_object *row, int64_t mod_s)
{
	int64_t id = number(json_at(row, 0));
	struct thing *t = device_find(d, kind, id, "");

	if (t && (kind == REVLOG || (t->usn == -1 && t->mod_s >= mod_s)))
		return NULL;
	if (!t)
		t = device_add(d, kind, id, "");
	t->mod_s = mod_s;
	return t;
}

static void receive_rows(struct device *d, enum thing_kind kind, struct json_object *chunk, const char *key)
{
	struct json_object *list;

	if (!json_has(chunk, key, &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *row = json_at(list, i);
		int64_t mod_s = kind == REVLOG ? 0 : number(json_at(row, kind == CARD ? 4 : 3));
		struct thing *t = receive_row(d, kind, row, mod_s);

		if (!t)
			continue;
		switch (kind) {
		case REVLOG:
			t->of = number(json_at(row, 1));
			t->usn = number(json_at(row, 2));
			t->v = number(json_at(row, 4));
			break;
		case CARD:
			t->of = number(json_at(row, 1));
			t->in = number(json_at(row, 2));
			t->usn = number(json_at(row, 5));
			t->v = number(json_at(row, 8));
			break;
		default:
			t->of = number(json_at(row, 2));
			t->usn = number(json_at(row, 4));
			t->v = content(json_at(row, 6));
		}
	}
}

/* --- the sync --- */

struct sync {
	struct device *d;
	const char *key;
	device_call *call;
	void *arg;
	struct buf body;
	int64_t usn; /* the server's, as meta told */
};

/* The reply, to be released; NULL when there is none. */
static struct json_object *ask(struct sync *s, const char *method, const char *body)
{
	const char *reply = s->call(s->arg, s->d, s->key, method, body);

	return reply ? parsed(reply) : NULL;
}

static bool tell(struct sync *s, const char *method, const char *body)
{
	const char *reply = s->call(s->arg, s->d, s->key, method, body);

	assert_true(!reply || strcmp(reply, "null") == 0);
	return reply != NULL;
}

static bool start(struct sync *s, bool newer)
{
	struct json_object *graves;
	char body[96];

	snprintf(body, sizeof body, "{\"minUsn\":%lld,\"lnewer\":%s,\"graves\":null}", (long long)s->d->usn, newer ? "true" : "false");
	graves = ask(s, "start", body);
	if (!graves)
		return false;
	for (;;) {
		buf_reset(&s->body);
		if (!print_graves(s->d, &s->body, &s->usn))
			break;
		if (!tell(s, "applyGraves", buf_str(&s->body))) {
			json_object_put(graves);
			return false;
		}
	}
	receive_graves(s->d, graves, s->usn);
	json_object_put(graves);
	return true;
}

static bool change(struct sync *s, bool newer)
{
	struct json_object *changes;

	buf_reset(&s->body);
	device_print_changes(s->d, &s->body, &s->usn, newer);
	changes = ask(s, "applyChanges", buf_str(&s->body));
	if (!changes)
		return false;
	assert_int_equal(json_has(changes, "conf", NULL), !newer);
	receive_changes(s->d, changes, s->usn);
	json_object_put(changes);
	return true;
}

static bool fetch(struct sync *s)
{
	bool done = false;

	while (!done) {
		struct json_object *chunk = ask(s, "chunk", "{\"_pad\":null}");

		if (!chunk)
			return false;
		receive_rows(s->d, REVLOG, chunk, "revlog");
		receive_rows(s->d, CARD, chunk, "cards");
		receive_rows(s->d, NOTE, chunk, "notes");
		assert_true(json_is_bool(vectors_get(chunk, "done"), &done));
		json_object_put(chunk);
	}
	return true;
}

static bool send_rows(struct sync *s)
{
	bool more = true;

	while (more) {
		buf_reset(&s->body);
		more = device_print_chunk(s->d, &s->body, &s->usn, 5);
		if (!tell(s, "applyChunk", buf_str(&s->body)))
			return false;
	}
	return true;
}

static size_t count(const struct device *d, enum thing_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->things[i].kind == kind;
	return n;
}

static bool check(struct sync *s)
{
	struct json_object *answer;
	char body[160];
	bool ok;

	snprintf(body, sizeof body, "{\"client\":[[1,2,3],%zu,%zu,%zu,7,%zu,%zu,%zu]}", count(s->d, CARD), count(s->d, NOTE),
		 count(s->d, REVLOG), count(s->d, NOTETYPE), count(s->d, DECK), count(s->d, OPTIONS));
	answer = ask(s, "sanityCheck2", body);
	if (!answer)
		return false;
	ok = strcmp(json_object_get_string(vectors_get(answer, "status")), "ok") == 0;
	if (!ok)
		fail_msg("%c: %s", s->d->name, json_object_to_json_string(answer));
	json_object_put(answer);
	return true;
}

static bool finish(struct sync *s)
{
	const char *reply = s->call(s->arg, s->d, s->key, "finish", "{}");

	if (!reply)
		return false;
	s->d->mod_ms = atoll(reply);
	s->d->usn = s->usn + 1;
	return true;
}

static enum device_result normal_sync(struct sync *s, bool newer)
{
	struct device *before = malloc(sizeof *before);
	bool ok;

	*before = *s->d;
	ok = start(s, newer) && change(s, newer) && fetch(s) && send_rows(s) && check(s) && finish(s);
	if (!ok) {
		*s->d = *before;
		s->call(s->arg, s->d, s->key, "abort", "{}");
	}
	free(before);
	return ok ? DEVICE_SYNCED : DEVICE_FAILED;
}

enum device_result device_sync(struct device *d, const char *session_key, device_call *call, void *arg)
{
	struct sync s = { .d = d, .key = session_key, .call = call, .arg = arg, .body = BUF_INIT(BUF_UNBOUNDED) };
	struct json_object *meta = ask(&s, "meta", META);
	enum device_result result;
	int64_t mod_ms, scm_ms;

	if (!meta)
		return DEVICE_FAILED;
	mod_ms = number(vectors_get(meta, "mod"));
	scm_ms = number(vectors_get(meta, "scm"));
	s.usn = number(vectors_get(meta, "usn"));
	json_object_put(meta);
	if (mod_ms == d->mod_ms)
		return DEVICE_IDLE;
	if (scm_ms != d->scm_ms)
		return DEVICE_FULL_SYNC;
	result = normal_sync(&s, d->mod_ms > mod_ms);
	buf_release(&s.body);
	return result;
}

/* As a sync that has seen nothing yet and sends nothing: what the server has, it answers. */
static const char *plain_call(void *arg, struct device *d, const char *session_key, const char *method, const char *body)
{
	const char *reply = place_call(arg, session_key, method, body);

	if (!reply)
		fail_msg("%c: %s: error %d", d->name, method, ((struct place *)arg)->kind);
	return reply;
}

void device_download(struct device *d, struct place *p)
{
	struct sync s = { .d = d, .key = "download", .call = plain_call, .arg = p, .body = BUF_INIT(BUF_UNBOUNDED) };
	struct json_object *meta = ask(&s, "meta", META);

	d->n = 0;
	d->usn = 0;
	s.usn = number(vectors_get(meta, "usn"));
	assert_true(start(&s, false) && change(&s, false) && fetch(&s) && tell(&s, "abort", "{}"));
	d->mod_ms = number(vectors_get(meta, "mod"));
	d->scm_ms = number(vectors_get(meta, "scm"));
	d->usn = s.usn;
	for (size_t i = 0; i < d->n; i++)
		d->things[i].usn = 0;
	json_object_put(meta);
	buf_release(&s.body);
}

