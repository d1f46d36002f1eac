/* See graves.h. */
#include "core/graves.h"

void graves_add(struct graves *g, int64_t id, enum grave_type type)
{
	if (g->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 64;
		g->items = xrealloc(g->items, g->cap * sizeof *g->items);
	}
	g->items[g->n++] = (struct grave){ id, type };
	g->sorted = false;
}

void graves_release(struct graves *g)
{
	free(g->items);
	*g = (struct graves)GRAVES_INIT;
}

int graves_from_json(struct graves *g, struct json_object *o, bool all_lists, struct err *e)
{
	static const struct {
		const char *key;
		enum grave_type type;
	} lists[] = { { "cards", GRAVE_CARD }, { "notes", GRAVE_NOTE }, { "decks", GRAVE_DECK } };

	if (!json_is_object(o))
		return err_set(e, ERR_BAD_REQUEST, "graves: not an object");
	for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
		struct json_object *list;
		size_t n;

		if (!all_lists && (!json_has(o, lists[l].key, &list) || !list))
			continue;
		if (json_need_array(o, lists[l].key, &list, &n, e) != 0)
			return -1;
		for (size_t i = 0; i < n; i++) {
			int64_t id;

			if (!json_is_int_or_str(json_at(list, i), &id))
				return err_set(e, ERR_BAD_REQUEST, "graves: %s[%zu] is not an id", lists[l].key, i);
			graves_add(g, id, lists[l].type);
		}
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct grave *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

bool graves_have(struct graves *g, enum grave_type type, int64_t id)
{
	const struct grave key = { id, type };

	if (!g->n)
		return false;
	if (!g->sorted)
		qsort(g->items, g->n, sizeof *g->items, compare);
	g->sorted = true;
	return bsearch(&key, g->items, g->n, sizeof *g->items, compare) != NULL;
}

int graves_stage(const struct graves *g, struct home *h, struct session *s, uint64_t max_bytes, struct err *e)
{
	const struct slice bytes = { (const char *)g->items, g->n * sizeof *g->items };

	return g->n ? session_add(h, s, RECORD_GRAVES, bytes, max_bytes, e) : 0;
}

static int add_record(enum session_record type, struct slice bytes, void *arg, struct err *e)
{
	struct graves *g = arg;

	(void)type;
	if (bytes.len % sizeof *g->items)
		return err_set(e, ERR_CONFLICT, "session: a record of graves is cut off");
	for (size_t i = 0; i < bytes.len / sizeof *g->items; i++) {
		struct grave one;

		memcpy(&one, bytes.p + i * sizeof one, sizeof one);
		graves_add(g, one.id, (enum grave_type)one.type);
	}
	return 0;
}

int graves_staged(struct graves *g, struct home *h, const struct session *s, struct err *e)
{
	return session_each(h, s, RECORD_GRAVES, add_record, g, e);
}
