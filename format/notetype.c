/* See notetype.h. */
#include "format/notetype.h"

#include "format/blobs.pb-c.h"
#include "format/keys.h"
#include "format/unicase.h"

static const char *const requirement_kinds[] = { "none", "any", "all" };
#define N_KINDS (sizeof requirement_kinds / sizeof *requirement_kinds)

static bool read_kind(struct object *o, const struct key *k, struct json_object *v)
{
	struct slice s;

	(void)k;
	if (!json_is_str(v, &s))
		return false;
	for (size_t i = 0; i < N_KINDS; i++) {
		if (!slice_eq_str(s, requirement_kinds[i]))
			continue;
		((Pb__CardRequirement *)o->m)->kind = (int32_t)i;
		return true;
	}
	return false;
}

static void print_kind(struct buf *out, const struct object *o, const struct key *k)
{
	json_put_str(out, slice_of(requirement_kinds[key_int(o, k)]));
}

static bool read_ords(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__CardRequirement *r = (Pb__CardRequirement *)o->m;
	size_t len;
	int64_t n;

	(void)k;
	if (!json_is_array(v, &len))
		return false;
	r->field_ords = pool_get(&o->pool, len, sizeof *r->field_ords);
	for (size_t i = 0; i < len; i++) {
		if (!json_is_int(json_at(v, i), 0, UINT16_MAX, &n))
			return false;
		r->field_ords[r->n_field_ords++] = (uint32_t)n;
	}
	return true;
}

static void print_ords(struct buf *out, const struct object *o, const struct key *k)
{
	const Pb__CardRequirement *r = (const Pb__CardRequirement *)o->m;

	(void)k;
	buf_putc(out, '[');
	for (size_t i = 0; i < r->n_field_ords; i++)
		buf_printf(out, i ? ",%u" : "%u", (unsigned)(uint16_t)r->field_ords[i]);
	buf_putc(out, ']');
}

static const struct key requirement_keys[] = {
	{ "card_ord", 1, U16, NEED },
	{ "kind", 2, ENUM, NEED, 0, N_KINDS - 1, .read = read_kind, .print = print_kind },
	{ "field_ords", 3, ANY, NEED, .read = read_ords, .print = print_ords },
	{ 0 },
};

/* One bad entry, and none of them counts. */
static bool read_requirements(struct object *o, const struct key *k, struct json_object *v)
{
	Pb__Notetype *n = (Pb__Notetype *)o->m;
	Pb__CardRequirement *reqs;
	size_t len;

	(void)k;
	if (!json_is_array(v, &len))
		return false;
	reqs = pool_get(&o->pool, len, sizeof *reqs);
	n->reqs = pool_get(&o->pool, len, sizeof *n->reqs);
	for (size_t i = 0; i < len; i++) {
		pb__card_requirement__init(&reqs[i]);
		n->reqs[i] = &reqs[i];
		if (!keys_read_tuple(o, &reqs[i], requirement_keys, json_at(v, i)))
			return false;
	}
	n->n_reqs = len;
	return true;
}

static void print_requirements(struct buf *out, const struct object *o, const struct key *k)
{
	const Pb__Notetype *n = (const Pb__Notetype *)o->m;

	(void)k;
	buf_putc(out, '[');
	for (size_t i = 0; i < n->n_reqs; i++) {
		if (i)
			buf_putc(out, ',');
		keys_print_tuple(out, n->reqs[i], requirement_keys);
	}
	buf_putc(out, ']');
}

static void print_positive(struct buf *out, const struct object *o, const struct key *k)
{
	int64_t v = key_int(o, k);

	if (v > 0)
		json_put_int(out, v);
	else
		buf_puts(out, "null");
}

static const struct key field_keys[] = {
	{ "name", COLUMN_NAME, STR, NEED },
	{ "ord", COLUMN_ORD, U16, NULLABLE }, /* printed; when read, the position counts */
	{ "sticky", 1, ANYBOOL, NEED },
	{ "rtl", 2, ANYBOOL, NEED },
	{ "font", 3, STR, NEED },
	{ "size", 4, U16, NEED },
	{ "description", 5, STR, LENIENT },
	{ "plainText", 6, BOOL, LENIENT },
	{ "collapsed", 7, BOOL, LENIENT },
	{ "excludeFromSearch", 8, BOOL, LENIENT },
	{ "id", 9, I64, LENIENT },
	{ "tag", 10, U32, LENIENT },
	{ "preventDeletion", 11, BOOL, LENIENT },
	{ 0 },
};

static const struct key template_keys[] = {
	{ "name", COLUMN_NAME, STR, NEED },
	{ "ord", COLUMN_ORD, U16, NULLABLE },
	{ "qfmt", 1, STR, NEED },
	{ "afmt", 2, STR },
	{ "bqfmt", 3, STR },
	{ "bafmt", 4, STR },
	{ "did", 5, I64, LENIENT, .print = print_positive },
	{ "bfont", 6, STR, LENIENT },
	{ "bsize", 7, U8, LENIENT },
	{ "id", 8, I64, LENIENT },
	{ 0 },
};

static const struct key first_keys[] = {
	{ "id", COLUMN_ID, ID, NEED },
	{ "name", COLUMN_NAME, STR, NEED },
	{ "type", 1, ENUM, NEED, 0, 1 },
	{ "mod", COLUMN_MOD, INT_STR, NEED }, /* official: no strings; collections of long ago have them */
	{ "usn", COLUMN_USN, I32, NEED },
	{ "sortf", 2, U16, NEED },
	{ "did", 4, I64, NEED | LENIENT | NULL_EMPTY },
	{ 0 },
};

static const struct key list_keys[] = {
	{ "tmpls", NOWHERE, ANY, NEED },
	{ "flds", NOWHERE, ANY, NEED },
	{ 0 },
};

static const struct key last_keys[] = {
	{ "css", 3, STR, NEED | LENIENT },
	{ "latexPre", 5, STR },
	{ "latexPost", 6, STR },
	{ "latexsvg", 7, BOOL, LENIENT },
	{ "req", 8, ANY, LENIENT, .read = read_requirements, .print = print_requirements },
	{ "originalStockKind", 9, I32, OMIT },
	{ "originalId", 10, I64, NULLABLE | OMIT },
	{ 0 },
};
static const struct key *const tables[] = { first_keys, list_keys, last_keys, NULL };

/* What is different between the fields and the templates of a note type. */
struct part_kind {
	const char *key;
	const ProtobufCMessageDescriptor *blob;
	const struct key *tables[2];
	struct notetype_part *(*add)(struct notetype *n);
};

static const struct part_kind fields = { "flds", &pb__note_field__descriptor, { field_keys }, notetype_add_field };
static const struct part_kind templates = { "tmpls", &pb__card_template__descriptor, { template_keys }, notetype_add_template };

void notetype_init(struct notetype *n)
{
	*n = (struct notetype){ .name = BUF_INIT(BUF_UNBOUNDED), .config = BUF_INIT(BLOB_MAX) };
}

static void release_parts(struct notetype_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_release(&parts[i].name);
		buf_release(&parts[i].config);
	}
	free(parts);
}

void notetype_release(struct notetype *n)
{
	buf_release(&n->name);
	buf_release(&n->config);
	release_parts(n->fields, n->n_fields);
	release_parts(n->templates, n->n_templates);
	notetype_init(n);
}

static struct notetype_part *add_part(struct notetype_part **parts, size_t *n)
{
	struct notetype_part *p;

	if ((*n & (*n - 1)) == 0) /* full at each power of two */
		*parts = xrealloc(*parts, (*n ? 2 * *n : 1) * sizeof **parts);
	p = *parts + (*n)++;
	buf_init(&p->name, BUF_UNBOUNDED);
	buf_init(&p->config, BLOB_MAX);
	return p;
}

struct notetype_part *notetype_add_field(struct notetype *n)
{
	return add_part(&n->fields, &n->n_fields);
}

struct notetype_part *notetype_add_template(struct notetype *n)
{
	return add_part(&n->templates, &n->n_templates);
}

static int read_part(struct notetype_part *part, const struct part_kind *kind, struct json_object *v, struct err *e)
{
	ProtobufCMessage *m = xcalloc(1, kind->blob->sizeof_message);
	struct object o;
	int rc = -1;

	kind->blob->message_init(m);
	object_init(&o, m);
	o.keys_once = true;
	if (keys_read(&o, kind->tables[0], v, e) != 0)
		goto out;
	keys_put_unknown(&o.unknown, v, kind->tables);
	if (object_keep_unknown(&o, e) != 0 || blob_pack(m, &part->config, e) != 0)
		goto out;
	buf_set(&part->name, o.name.data, o.name.len);
	rc = 0;
out:
	object_release(&o);
	free(m);
	return rc;
}

/* Some order: only equality counts. */
static int by_text(const void *a, const void *b)
{
	const struct buf *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len ? memcmp(x->data, y->data, x->len) : 0;
}

/* Names are a unique index of the table, so two equal ones would not go in. */
static bool names_differ(const struct notetype_part *parts, size_t n)
{
	struct buf *folded = xcalloc(n, sizeof *folded);
	bool differ = true;

	for (size_t i = 0; i < n; i++) {
		buf_init(&folded[i], BUF_UNBOUNDED);
		unicase_fold(buf_slice(&parts[i].name), &folded[i]);
	}
	if (n)
		qsort(folded, n, sizeof *folded, by_text);
	for (size_t i = 1; i < n; i++)
		differ = differ && by_text(&folded[i - 1], &folded[i]) != 0;
	for (size_t i = 0; i < n; i++)
		buf_release(&folded[i]);
	free(folded);
	return differ;
}

static int read_parts(struct notetype *n, const struct part_kind *kind, struct json_object *v, struct err *e)
{
	struct json_object *list;
	size_t len;

	if (json_need_array(v, kind->key, &list, &len, e) != 0)
		return -1;
	for (size_t i = 0; i < len; i++)
		if (read_part(kind->add(n), kind, json_at(list, i), e) != 0)
			return err_add(e, "%s[%zu]", kind->key, i);
	if (!names_differ(kind == &fields ? n->fields : n->templates, len))
		return err_set(e, ERR_BAD_REQUEST, "%s: two have the same name", kind->key);
	return 0;
}

int notetype_from_json(struct notetype *n, struct json_object *v, struct err *e)
{
	Pb__Notetype config = PB__NOTETYPE__INIT;
	struct object o;
	int rc = -1;

	object_init(&o, &config);
	o.keys_once = true;
	if (keys_read(&o, first_keys, v, e) != 0 || keys_read(&o, list_keys, v, e) != 0 || keys_read(&o, last_keys, v, e) != 0)
		goto out;
	if (read_parts(n, &fields, v, e) != 0 || read_parts(n, &templates, v, e) != 0)
		goto out;
	keys_put_unknown(&o.unknown, v, tables);
	if (object_keep_unknown(&o, e) != 0 || blob_pack(&config, &n->config, e) != 0)
		goto out;
	n->id = o.id;
	n->mod_s = o.mod_s;
	n->usn = o.usn;
	buf_set(&n->name, o.name.data, o.name.len);
	rc = 0;
out:
	if (rc != 0)
		err_add(e, "note type %lld", (long long)o.id);
	object_release(&o);
	return rc;
}

static int print_part(struct buf *out, const struct part_kind *kind, const struct notetype_part *part, size_t ord, struct err *e)
{
	ProtobufCMessage *m = blob_unpack(kind->blob, buf_slice(&part->config), e);
	struct object o;

	if (!m)
		return err_add(e, "%s[%zu]", kind->key, ord);
	object_init(&o, m);
	o.ord = (uint32_t)ord;
	o.name = blob_data(buf_slice(&part->name));
	object_parse_other(&o);
	buf_putc(out, '{');
	keys_print(out, &o, kind->tables[0]);
	keys_put_unknown(out, o.other, kind->tables);
	buf_putc(out, '}');
	object_release(&o);
	blob_free(m);
	return 0;
}

static int print_parts(struct buf *out, const struct part_kind *kind, const struct notetype_part *parts, size_t n, struct err *e)
{
	json_put_key(out, kind->key);
	buf_putc(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(out, ',');
		if (print_part(out, kind, &parts[i], i, e) != 0)
			return -1;
	}
	buf_putc(out, ']');
	return 0;
}

int notetype_print(struct buf *out, const struct notetype *n, struct err *e)
{
	Pb__Notetype *config = blob_unpack(&pb__notetype__descriptor, buf_slice(&n->config), e);
	size_t start = out->len;
	struct object o;
	int rc = -1;

	object_init(&o, config);
	if (!config)
		goto out;
	o.id = n->id;
	o.mod_s = n->mod_s;
	o.usn = n->usn;
	o.name = blob_data(buf_slice(&n->name));
	object_parse_other(&o);
	buf_putc(out, '{');
	keys_print(out, &o, first_keys);
	if (print_parts(out, &templates, n->templates, n->n_templates, e) != 0)
		goto out;
	if (print_parts(out, &fields, n->fields, n->n_fields, e) != 0)
		goto out;
	keys_print(out, &o, last_keys);
	keys_put_unknown(out, o.other, tables);
	buf_putc(out, '}');
	rc = 0;
out:
	if (rc != 0) {
		err_add(e, "note type %lld", (long long)n->id);
		buf_truncate(out, start);
	}
	object_release(&o);
	blob_free(config);
	return rc;
}

static int check_blob(const ProtobufCMessageDescriptor *type, const struct buf *blob, struct err *e)
{
	void *m = blob_unpack(type, buf_slice(blob), e);

	blob_free(m);
	return m ? 0 : -1;
}

int notetype_check(const struct notetype *n, struct err *e)
{
	int rc = check_blob(&pb__notetype__descriptor, &n->config, e);

	for (size_t i = 0; rc == 0 && i < n->n_fields; i++)
		rc = check_blob(fields.blob, &n->fields[i].config, e);
	for (size_t i = 0; rc == 0 && i < n->n_templates; i++)
		rc = check_blob(templates.blob, &n->templates[i].config, e);
	return rc == 0 ? 0 : err_add(e, "note type %lld", (long long)n->id);
}

int notetype_sort_field(struct slice config, uint32_t *sort_field, struct err *e)
{
	Pb__Notetype *n = blob_unpack(&pb__notetype__descriptor, config, e);

	if (!n)
		return -1;
	*sort_field = n->sort_field_idx;
	blob_free(n);
	return 0;
}
