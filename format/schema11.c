/* See schema11.h. */
#include "format/schema11.h"

#include "format/names.h"
#include "format/unicase.h"

/* More containers than a payload may have: ten thousand decks are rare but no attack. The child that reads them has a memory limit. */
static const struct json_limits limits = { (size_t)64 << 20, 200000, 1000000, 127 };

static bool id_of_key(struct slice key, int64_t *id)
{
	struct json_object *text = json_object_new_string_len(key.p, (int)key.len);
	bool ok = json_is_int_or_str(text, id);

	json_object_put(text);
	return ok;
}

static int by_id(const void *pa, const void *pb)
{
	const struct schema11_entry *a = pa, *b = pb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return strcmp(a->key.p, b->key.p);
}

int schema11_map_init(struct schema11_map *m, const char *column, struct slice text, bool ids, struct err *e)
{
	*m = (struct schema11_map){ .column = column };
	if (json_parse_object(text, &limits, &m->root, e) != 0) {
		err_add(e, "col.%s", column);
		return -1;
	}
	m->entries = xcalloc((size_t)json_object_object_length(m->root), sizeof *m->entries);
	json_object_object_foreach(m->root, key, value)
	{
		struct schema11_entry *entry = &m->entries[m->n];

		if (json_is_mark(key))
			continue;
		*entry = (struct schema11_entry){ .key = slice_of(key), .value = value };
		if (ids && !id_of_key(entry->key, &entry->id)) {
			err_set(e, ERR_BAD_REQUEST, "col.%s: key %.40s is not a number", column, key);
			schema11_map_release(m);
			return -1;
		}
		m->n++;
	}
	qsort(m->entries, m->n, sizeof *m->entries, by_id);
	return 0;
}

void schema11_map_release(struct schema11_map *m)
{
	free(m->entries);
	json_object_put(m->root);
	*m = (struct schema11_map){ .root = NULL };
}

int schema11_deck(const struct schema11_entry *in, int32_t usn, int64_t now_s, struct deck *d, struct err *e)
{
	struct slice wire;
	struct buf back = BUF_INIT(BUF_UNBOUNDED);

	if (!json_is_object(in->value))
		return err_set(e, ERR_BAD_REQUEST, "deck %lld is not an object", (long long)in->id);
	if (deck_from_json(d, in->value, e) != 0 || json_need_str(in->value, "name", &wire, e) != 0)
		return -1;
	deck_name_wire(buf_slice(&d->name), &back);
	if (!slice_eq(wire, buf_slice(&back))) {
		d->mod_s = now_s;
		d->usn = usn;
	}
	buf_release(&back);
	return 0;
}

/* A doubled key is no error here, other than on the wire: the last one counts. */
static int without_doubles(struct json_object *o, struct json_object **out, struct err *e)
{
	struct buf text = BUF_INIT(BUF_UNBOUNDED);
	int rc;

	json_put_value(&text, o);
	rc = json_parse_object(buf_slice(&text), &limits, out, e);
	buf_release(&text);
	return rc;
}

int schema11_options(const struct schema11_entry *in, struct deck_config *c, struct err *e)
{
	struct json_object *o;
	int rc;

	if (without_doubles(in->value, &o, e) != 0) {
		err_add(e, "options %lld", (long long)in->id);
		return -1;
	}
	json_object_object_add(o, "id", json_object_new_int64(in->id));
	rc = deck_config_from_json(c, o, e);
	json_object_put(o);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct buf *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = n ? memcmp(x->data, y->data, n) : 0;

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Names of the list's objects: NFC, and `+` behind one that equals an earlier one. What is no object with a name stays. */
static void mend_part_names(struct json_object *list)
{
	size_t n;
	struct buf *seen, name = BUF_INIT(BUF_UNBOUNDED), folded = BUF_INIT(BUF_UNBOUNDED);
	size_t n_seen = 0;

	if (!json_is_array(list, &n))
		return;
	seen = xcalloc(n, sizeof *seen);
	for (size_t i = 0; i < n; i++) {
		struct json_object *part = json_at(list, i), *v;
		struct slice text;
		size_t at;

		if (!json_is_object(part) || !json_has(part, "name", &v) || !json_is_str(v, &text))
			continue;
		name_nfc(text, &name);
		unicase_fold(buf_slice(&name), &folded);
		while (n_seen && bsearch(&folded, seen, n_seen, sizeof *seen, by_name)) {
			buf_putc(&name, '+');
			buf_putc(&folded, '+');
		}
		if (!slice_eq(text, buf_slice(&name)))
			json_object_object_add(part, "name", json_object_new_string_len(buf_str(&name), (int)name.len));
		for (at = n_seen++; at > 0 && by_name(&seen[at - 1], &folded) > 0; at--)
			seen[at] = seen[at - 1];
		buf_init(&seen[at], BUF_UNBOUNDED);
		buf_set(&seen[at], folded.data, folded.len);
	}
	for (size_t i = 0; i < n_seen; i++)
		buf_release(&seen[i]);
	free(seen);
	buf_release(&name);
	buf_release(&folded);
}

int schema11_notetype(const struct schema11_entry *in, int64_t spare_id, struct notetype *n, struct err *e)
{
	struct json_object *v, *o = in->value;
	struct slice name;

	if (!json_is_object(o))
		return err_set(e, ERR_BAD_REQUEST, "note type %lld is not an object", (long long)in->id);
	json_object_object_add(o, "id", json_object_new_int64(in->id ? in->id : spare_id));
	if (json_has(o, "name", &v) && json_is_str(v, &name) && !name_is_nfc(name)) {
		struct buf nfc = BUF_INIT(BUF_UNBOUNDED);

		name_nfc(name, &nfc);
		json_object_object_add(o, "name", json_object_new_string_len(buf_str(&nfc), (int)nfc.len));
		buf_release(&nfc);
	}
	if (json_has(o, "flds", &v))
		mend_part_names(v);
	if (json_has(o, "tmpls", &v))
		mend_part_names(v);
	return notetype_from_json(n, o, e);
}
