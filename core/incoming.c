/* See incoming.h. */
#include "core/incoming.h"

/*
 * Room for one more element behind n. A list may be long and its elements no objects at all, so memory is taken only for
 * those that were found good.
 */
static void *grow(void *list, size_t n, size_t size)
{
	return n & (n - 1) ? list : xrealloc(list, (n ? 2 * n : 1) * size); /* at powers of two */
}

static int parse_notetypes(struct incoming *in, struct json_object *changes, struct err *e)
{
	struct json_object *list;
	size_t n;

	if (json_need_array(changes, "models", &list, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		in->notetypes = grow(in->notetypes, in->n_notetypes, sizeof *in->notetypes);
		notetype_init(&in->notetypes[in->n_notetypes++]);
		if (notetype_from_json(&in->notetypes[i], json_at(list, i), e) != 0)
			return -1;
	}
	return 0;
}

static int parse_decks(struct incoming *in, struct json_object *list, struct err *e)
{
	size_t n;

	if (!json_is_array(list, &n))
		return err_set(e, ERR_BAD_REQUEST, "decks[0] is not a list");
	for (size_t i = 0; i < n; i++) {
		in->decks = grow(in->decks, in->n_decks, sizeof *in->decks);
		deck_init(&in->decks[in->n_decks++]);
		if (deck_from_json(&in->decks[i], json_at(list, i), e) != 0)
			return -1;
	}
	return 0;
}

static int parse_configs(struct incoming *in, struct json_object *list, struct err *e)
{
	size_t n;

	if (!json_is_array(list, &n))
		return err_set(e, ERR_BAD_REQUEST, "decks[1] is not a list");
	for (size_t i = 0; i < n; i++) {
		in->configs = grow(in->configs, in->n_configs, sizeof *in->configs);
		deck_config_init(&in->configs[in->n_configs++]);
		if (deck_config_from_json(&in->configs[i], json_at(list, i), e) != 0)
			return -1;
	}
	return 0;
}

static int parse_tags(struct incoming *in, struct json_object *changes, struct err *e)
{
	struct json_object *list;
	size_t n;

	if (json_need_array(changes, "tags", &list, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		in->tags = grow(in->tags, i, sizeof *in->tags);
		if (!json_is_str(json_at(list, i), &in->tags[in->n_tags++]))
			return err_set(e, ERR_BAD_REQUEST, "tags[%zu] is not a string", i);
	}
	return 0;
}

/* conf and crt come from the side that changed last; absent and null mean the same. */
static int parse_conf(struct incoming *in, struct json_object *changes, struct err *e)
{
	struct json_object *crt;

	if (json_has(changes, "conf", &in->conf) && in->conf && !json_is_object(in->conf))
		return err_set(e, ERR_BAD_REQUEST, "conf is not an object");
	if (!json_has(changes, "crt", &crt) || !crt)
		return 0;
	in->has_crt = json_is_int(crt, INT64_MIN, INT64_MAX, &in->crt_s);
	return in->has_crt ? 0 : err_set(e, ERR_BAD_REQUEST, "crt is not an integer");
}

int incoming_parse(struct incoming *in, struct slice payload, struct err *e)
{
	struct json_object *changes, *decks;
	size_t n;

	*in = (struct incoming)INCOMING_INIT;
	if (json_parse_object(payload, &JSON_LIMITS_PAYLOAD, &in->root, e) != 0 ||
	    json_need_object(in->root, "changes", &changes, e) != 0 || json_need_array(changes, "decks", &decks, &n, e) != 0)
		return -1;
	if (n != 2)
		return err_set(e, ERR_BAD_REQUEST, "decks has %zu lists; 2 are needed", n);
	if (parse_notetypes(in, changes, e) != 0 || parse_decks(in, json_at(decks, 0), e) != 0 ||
	    parse_configs(in, json_at(decks, 1), e) != 0)
		return -1;
	return parse_tags(in, changes, e) != 0 || parse_conf(in, changes, e) != 0 ? -1 : 0;
}

void incoming_release(struct incoming *in)
{
	for (size_t i = 0; i < in->n_notetypes; i++)
		notetype_release(&in->notetypes[i]);
	for (size_t i = 0; i < in->n_decks; i++)
		deck_release(&in->decks[i]);
	for (size_t i = 0; i < in->n_configs; i++)
		deck_config_release(&in->configs[i]);
	free(in->notetypes);
	free(in->decks);
	free(in->configs);
	free(in->tags);
	json_object_put(in->root);
	*in = (struct incoming)INCOMING_INIT;
}

/* An absent list is an empty one. */
static int rows_of(struct json_object *chunk, const char *key, struct json_object **list, size_t *n, struct err *e)
{
	*n = 0;
	if (!json_has(chunk, key, list))
		return 0;
	return json_is_array(*list, n) ? 0 : err_set(e, ERR_BAD_REQUEST, "%s is not a list", key);
}

static int visit_revlog(struct json_object *chunk, const struct chunk_visitor *v, struct err *e)
{
	struct json_object *list;
	struct revlog_row row;
	size_t n;

	if (rows_of(chunk, "revlog", &list, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (revlog_from_json(&row, json_at(list, i), e) != 0 || (v->revlog && v->revlog(&row, v->arg, e) != 0))
			return err_add(e, "revlog[%zu]", i);
	return 0;
}

static int visit_cards(struct json_object *chunk, const struct chunk_visitor *v, struct buf *scratch, struct err *e)
{
	struct json_object *list;
	struct card_row row;
	size_t n;

	if (rows_of(chunk, "cards", &list, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		buf_reset(scratch);
		if (card_from_json(&row, json_at(list, i), scratch, e) != 0 || (v->card && v->card(&row, v->arg, e) != 0))
			return err_add(e, "cards[%zu]", i);
	}
	return 0;
}

static int visit_notes(struct json_object *chunk, const struct chunk_visitor *v, struct buf *scratch, struct err *e)
{
	struct json_object *list;
	struct note_row row;
	size_t n;

	if (rows_of(chunk, "notes", &list, &n, e) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		buf_reset(scratch);
		if (note_from_json(&row, json_at(list, i), scratch, e) != 0 || (v->note && v->note(&row, v->arg, e) != 0))
			return err_add(e, "notes[%zu]", i);
	}
	return 0;
}

int incoming_chunk(struct slice payload, const struct chunk_visitor *v, struct err *e)
{
	struct buf scratch = BUF_INIT(BUF_UNBOUNDED);
	struct json_object *root, *chunk;
	bool done;
	int rc = -1;

	if (json_parse_object(payload, &JSON_LIMITS_PAYLOAD, &root, e) != 0)
		return -1;
	if (json_need_object(root, "chunk", &chunk, e) != 0)
		goto out;
	if (json_has(chunk, "done", NULL) && json_need_bool(chunk, "done", &done, e) != 0)
		goto out;
	if (visit_revlog(chunk, v, e) != 0 || visit_cards(chunk, v, &scratch, e) != 0 || visit_notes(chunk, v, &scratch, e) != 0)
		goto out;
	rc = 0;
out:
	buf_release(&scratch);
	json_object_put(root);
	return rc;
}
