/* The collection of a device, as a whole. See device.h; syncs are in device_sync.c. */
#include "tests/unit/device.h"

#include <strings.h>

#include "base/clock.h"
#include "core/incoming.h"
#include "storage/changes.h"
#include "storage/collection_priv.h"
#include "storage/objects.h"
#include "storage/schema18.h"
#include "storage/session.h"
#include "storage/settings.h"

int64_t device_now_ms(const struct device *d)
{
	return clock_now_ms() + d->ahead_ms;
}

struct thing *device_find(struct device *d, enum thing_kind kind, int64_t id, const char *name)
{
	for (size_t i = 0; i < d->n; i++) {
		struct thing *t = &d->things[i];

		if (t->kind == kind && (id ? t->id == id : strcasecmp(t->name, name) == 0))
			return t;
	}
	return NULL;
}

struct thing *device_add(struct device *d, enum thing_kind kind, int64_t id, const char *name)
{
	struct thing *t = &d->things[d->n];

	assert_true(d->n < THINGS_MAX);
	d->n++;
	*t = (struct thing){ .kind = kind, .id = id };
	snprintf(t->name, sizeof t->name, "%s", name);
	device_touch(d, t);
	return t;
}

void device_touch(struct device *d, struct thing *t)
{
	d->mod_ms = device_now_ms(d);
	t->mod_s = d->mod_ms / 1000;
	t->usn = -1;
}

void device_drop(struct device *d, struct thing *t)
{
	*t = d->things[--d->n];
}

void device_bury(struct device *d, enum thing_kind grave, int64_t id, int64_t usn)
{
	if (!device_find(d, grave, id, ""))
		device_add(d, grave, id, "")->usn = usn;
}

static void forget_grave(struct device *d, enum thing_kind grave, int64_t id)
{
	struct thing *t = device_find(d, grave, id, "");

	if (t)
		device_drop(d, t);
}

enum thing_kind device_grave_of(enum thing_kind kind)
{
	assert_true(kind == CARD || kind == NOTE || kind == DECK);
	return kind == CARD ? CARD_GRAVE : kind == NOTE ? NOTE_GRAVE : DECK_GRAVE;
}

void device_delete(struct device *d, struct thing *t)
{
	enum thing_kind grave = device_grave_of(t->kind);
	int64_t id = t->id;

	device_drop(d, t);
	forget_grave(d, grave, id);
	device_bury(d, grave, id, -1);
	d->mod_ms = device_now_ms(d);
}

bool device_has_name(struct device *d, enum thing_kind kind, const char *name, const struct thing *except)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->things[i].kind == kind && &d->things[i] != except && strcasecmp(d->things[i].name, name) == 0)
			return true;
	return false;
}

void device_add_plus(struct thing *t)
{
	size_t n = strlen(t->name);

	assert_true(n + 1 < sizeof t->name);
	memcpy(t->name + n, "+", 2);
}

/* --- as a file --- */

static int put_revlog(const struct revlog_row *row, void *c, struct err *e)
{
	return revlog_merge(c, row, 0, e);
}

static int put_card(const struct card_row *row, void *c, struct err *e)
{
	return card_merge(c, row, 0, 0, e);
}

static int put_note(const struct note_row *row, void *c, struct err *e)
{
	return note_merge(c, row, 0, 0, 0, e);
}

static void fill_objects(struct collection *c, struct slice changes)
{
	struct incoming in;
	struct err e = ERR_INIT;

	assert_int_equal(incoming_parse(&in, changes, &e), 0);
	for (size_t i = 0; i < in.n_notetypes; i++)
		assert_int_equal(notetype_put(c, &in.notetypes[i], &e), 0);
	for (size_t i = 0; i < in.n_decks; i++)
		assert_int_equal(deck_put(c, &in.decks[i], &e), 0);
	for (size_t i = 0; i < in.n_configs; i++)
		assert_int_equal(deck_config_put(c, &in.configs[i], &e), 0);
	for (size_t i = 0; i < in.n_tags; i++)
		assert_int_equal(tag_add(c, in.tags[i], 0, &e), 0);
	json_object_object_foreach(in.conf, key, value)
	{
		const char *text = json_object_to_json_string(value);

		assert_int_equal(conf_put(c, slice_of(key), slice_of(text), 0, 0, &e), 0);
	}
	incoming_release(&in);
}

/* A file as the importing child would make it. */
static void make_file(struct device *d, const char *path)
{
	const struct col_row col = { .crt_s = d->crt_s, .mod_ms = d->mod_ms, .scm_ms = d->scm_ms, .ls_ms = d->scm_ms, .usn = d->usn };
	struct buf text = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct collection *c = collection_open_build(path, &e);
	const struct chunk_visitor v = { put_revlog, put_card, put_note, c };

	if (!c)
		fail_msg("%s", e.msg);
	assert_int_equal(collection_begin(c, &e), 0);
	assert_int_equal(schema18_make_tables(c, &e), 0);
	assert_int_equal(schema18_make_indexes(c, true, &e), 0);
	assert_int_equal(schema18_put_col(c, &col, &e), 0);
	device_print_changes(d, &text, NULL, true);
	fill_objects(c, buf_slice(&text));
	buf_reset(&text);
	device_print_chunk(d, &text, NULL, SIZE_MAX);
	assert_int_equal(incoming_chunk(buf_slice(&text), &v, &e), 0);
	assert_int_equal(schema18_make_indexes(c, false, &e), 0);
	assert_int_equal(collection_commit(c, &e), 0);
	collection_close(c);
	assert_int_equal(collection_seal(path, &e), 0);
	buf_release(&text);
}

void device_upload(struct device *d, struct place *p, int64_t scm_ms)
{
	char name[HOME_NAME_MAX], path[PATH_MAX + HOME_NAME_MAX];
	struct home *h = place_home(p);
	struct err e = ERR_INIT;
	int64_t generation;
	int fd;

	for (size_t i = d->n; i-- > 0;) {
		d->things[i].usn = 0;
		if (d->things[i].kind >= CARD_GRAVE)
			device_drop(d, &d->things[i]);
	}
	d->usn++;
	d->scm_ms = scm_ms;
	assert_int_equal(home_temp(h, name, &fd, &e), 0);
	snprintf(path, sizeof path, "%s/%s", p->path, name);
	make_file(d, path);
	assert_int_equal(home_lock(h, &e), 0);
	assert_int_equal(session_end(h, &e), 0);
	assert_int_equal(home_install(h, name, &generation, &e), 0);
	home_unlock(h);
	close(fd);
}

static int compare(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcasecmp(x->name, y->name);
}

void device_print(const struct device *d, struct buf *out)
{
	struct device *sorted = malloc(sizeof *sorted);

	*sorted = *d;
	qsort(sorted->things, sorted->n, sizeof sorted->things[0], compare);
	buf_printf(out, "crt %lld\n", (long long)d->crt_s);
	for (size_t i = 0; i < sorted->n; i++) {
		struct thing *t = &sorted->things[i];

		if (t->kind >= CARD_GRAVE)
			continue;
		t->usn = 0;
		if (t->kind == TAG || t->kind == CONF || t->kind == REVLOG)
			t->mod_s = 0;
		buf_printf(out, "%d %lld mod %lld of %lld in %lld v %lld %s %s\n", t->kind, (long long)t->id, (long long)t->mod_s,
			   (long long)t->of, (long long)t->in, (long long)t->v, t->name, t->text);
	}
	free(sorted);
}
