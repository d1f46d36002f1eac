/* See keys.h. */
#include "format/keys.h"

#include <assert.h>
#include <float.h>
#include <math.h>

enum { NAME_MAX_BYTES = 1 << 20 }; /* a name is held several times, and is in an index: SQLite has no room for 60 MB */

static const struct {
	const char *must_be;
	int64_t lo, hi; /* of integers */
} words[] = {
	[ANY] = { "anything", 0, 0 },
	[BOOL] = { "true or false", 0, 0 },
	[ANYBOOL] = { "true, false, 0 or 1", 0, 0 },
	[NOT] = { "true or false", 0, 0 },
	[U8] = { "an integer in 0..255", 0, UINT8_MAX },
	[U16] = { "an integer in 0..65535", 0, UINT16_MAX },
	[U32] = { "an integer of 32 bits without sign", 0, UINT32_MAX },
	[I32] = { "an integer of 32 bits", INT32_MIN, INT32_MAX },
	[I64] = { "an integer", INT64_MIN, INT64_MAX },
	[INT_STR] = { "an integer", INT64_MIN, INT64_MAX },
	[ID] = { "an integer other than 0", INT64_MIN, INT64_MAX },
	[I32_STR] = { "an integer of 32 bits", INT32_MIN, INT32_MAX },
	[ENUM] = { "a known number", 0, 0 },
	[STR] = { "a string", 0, 0 },
	[FLOAT] = { "a number", 0, 0 },
	[FLOATS] = { "a list of numbers", 0, 0 },
};

static const struct {
	size_t offset;
	ProtobufCType type;
} columns[] = {
	[-COLUMN_ID] = { offsetof(struct object, id), PROTOBUF_C_TYPE_INT64 },
	[-COLUMN_MOD] = { offsetof(struct object, mod_s), PROTOBUF_C_TYPE_INT64 },
	[-COLUMN_USN] = { offsetof(struct object, usn), PROTOBUF_C_TYPE_INT32 },
	[-COLUMN_NAME] = { offsetof(struct object, name), PROTOBUF_C_TYPE_BYTES },
	[-COLUMN_ORD] = { offsetof(struct object, ord), PROTOBUF_C_TYPE_UINT32 },
};

/* Where a value lies. */
struct place {
	void *at;
	ProtobufCType type;
	size_t *count;    /* of a list, else NULL */
	uint32_t *chosen; /* of a field that can be unset, else NULL: `number` while it is set */
	uint32_t number;
};

void object_init(struct object *o, void *message)
{
	*o = (struct object){ .m = message, .unknown = BUF_INIT(BLOB_MAX) };
	buf_putc(&o->unknown, '{');
}

void object_release(struct object *o)
{
	json_object_put(o->other);
	o->other = NULL;
	buf_release(&o->unknown);
	pool_release(&o->pool);
}

static struct place place_of(const struct object *o, const ProtobufCMessage *m, const struct key *k)
{
	const ProtobufCFieldDescriptor *f;
	struct place p = { .number = (uint32_t)k->field };
	void *quantifier;

	if (k->field < 0) {
		p.at = (char *)o + columns[-k->field].offset;
		p.type = columns[-k->field].type;
		return p;
	}
	f = protobuf_c_message_descriptor_get_field(m->descriptor, p.number);
	assert(f);
	p.at = (char *)m + f->offset;
	p.type = f->type;
	quantifier = (char *)m + f->quantifier_offset;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		p.count = quantifier;
	else if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		p.chosen = quantifier;
	return p;
}

static bool is_unset(const struct place *p)
{
	return p->chosen && *p->chosen != p->number;
}

static struct place place_to_set(struct object *o, const struct key *k)
{
	struct place p = place_of(o, o->m, k);

	if (p.chosen)
		*p.chosen = p.number;
	return p;
}

static bool store_int(struct object *o, const struct key *k, int64_t v)
{
	struct place p;

	if (k->field == NOWHERE)
		return true;
	p = place_to_set(o, k);
	if (p.type == PROTOBUF_C_TYPE_UINT32)
		*(uint32_t *)p.at = v < 0 ? 0 : (uint32_t)v;
	else if (p.type == PROTOBUF_C_TYPE_INT32)
		*(int32_t *)p.at = (int32_t)v;
	else if (p.type == PROTOBUF_C_TYPE_INT64)
		*(int64_t *)p.at = v;
	else if (p.type == PROTOBUF_C_TYPE_BOOL)
		*(protobuf_c_boolean *)p.at = v != 0;
	else
		assert(!"a field for integers");
	return true;
}

/* As if the wire had said 0, false, "", null or []. */
static void clear(struct object *o, const struct key *k)
{
	struct place p;

	if (k->field == NOWHERE)
		return;
	if (k->word == NOT) {
		store_int(o, k, true);
		return;
	}
	p = place_of(o, o->m, k);
	if (p.chosen)
		*p.chosen = 0;
	else if (p.count)
		*p.count = 0;
	else if (p.type == PROTOBUF_C_TYPE_MESSAGE)
		*(void **)p.at = NULL;
	else if (p.type == PROTOBUF_C_TYPE_BYTES)
		*(ProtobufCBinaryData *)p.at = (ProtobufCBinaryData){ 0, NULL };
	else if (p.type == PROTOBUF_C_TYPE_INT64)
		*(int64_t *)p.at = 0;
	else /* all others have four bytes */
		memset(p.at, 0, sizeof(uint32_t));
}

static bool single_float(struct object *o, struct json_object *v, float *out)
{
	if (!json_is_float(v, out))
		return false;
	if (isinf(*out))
		o->infinite = true;
	return !o->infinite;
}

static bool store_floats(struct object *o, const struct key *k, struct json_object *v)
{
	struct place p = place_to_set(o, k);
	float *list;
	size_t n;

	if (!json_is_array(v, &n))
		return false;
	list = pool_get(&o->pool, n, sizeof *list);
	for (size_t i = 0; i < n; i++)
		if (!single_float(o, json_at(v, i), &list[i]))
			return false;
	*(float **)p.at = list;
	*p.count = n;
	return true;
}

/* Is v usable for k? Then it is stored. */
static bool store(struct object *o, const struct key *k, struct json_object *v)
{
	int64_t n;
	struct slice s;
	float f;
	bool b;

	if (k->read)
		return k->read(o, k, v);
	switch (k->word) {
	case ANY:
		return true;
	case BOOL:
		return json_is_bool(v, &b) && store_int(o, k, b);
	case NOT:
		return json_is_bool(v, &b) && store_int(o, k, !b);
	case ANYBOOL:
		return json_is_anybool(v, &b) && store_int(o, k, b);
	case U8:
	case U16:
	case U32:
	case I32:
	case I64:
		return json_is_int(v, words[k->word].lo, words[k->word].hi, &n) && store_int(o, k, n);
	case ID:
		return json_is_int_or_str(v, &n) && n != 0 && store_int(o, k, n);
	case ENUM:
		return json_is_int(v, 0, (int64_t)k->hi, &n) && store_int(o, k, n);
	case INT_STR:
	case I32_STR:
		return json_is_int_or_str(v, &n) && n >= words[k->word].lo && n <= words[k->word].hi && store_int(o, k, n);
	case STR:
		if (!json_is_str(v, &s) || (k->field == COLUMN_NAME && s.len > NAME_MAX_BYTES))
			return false;
		*(ProtobufCBinaryData *)place_to_set(o, k).at = blob_data(s);
		return true;
	case FLOAT:
		if (!single_float(o, v, &f))
			return false;
		*(float *)place_to_set(o, k).at = f;
		return true;
	case FLOATS:
		return store_floats(o, k, v);
	}
	return false;
}

/* `present` with v NULL is a null. */
static int read_value(struct object *o, const struct key *k, bool present, struct json_object *v, struct err *e)
{
	if (present && !v && (k->flags & NULLABLE))
		present = false;
	else if (!present && (k->flags & NEED))
		return err_set(e, ERR_BAD_REQUEST, "key %s is missing", k->name);
	if (present && store(o, k, v))
		return 0;
	if (o->infinite)
		return err_set(e, ERR_BAD_REQUEST, "%s: a number beyond single precision", k->name);
	if (present && !(k->flags & LENIENT))
		return err_set(e, ERR_BAD_REQUEST, "%s is not %s", k->name, k->read ? "as it should be" : words[k->word].must_be);
	if (!(k->flags & KEEP))
		clear(o, k);
	return 0;
}

int keys_read(struct object *o, const struct key *table, struct json_object *v, struct err *e)
{
	for (const struct key *k = table; k->name; k++) {
		struct json_object *member = NULL;
		bool present = json_has(v, k->name, &member);

		if (present && o->keys_once && json_twice(v, k->name))
			return err_set(e, ERR_BAD_REQUEST, "key %s stands twice", k->name);
		if (read_value(o, k, present, member, e) != 0)
			return -1;
	}
	return 0;
}

static bool read_tuple(struct object *o, const struct key *table, struct json_object *v)
{
	size_t n, want = 0;

	if (json_is_object(v))
		return keys_read(o, table, v, NULL) == 0;
	while (table[want].name)
		want++;
	if (!json_is_array(v, &n) || n != want)
		return false;
	for (size_t i = 0; i < n; i++)
		if (read_value(o, &table[i], true, json_at(v, i), NULL) != 0)
			return false;
	return true;
}

bool keys_read_tuple(struct object *o, void *message, const struct key *table, struct json_object *v)
{
	struct object inner = { .m = message, .pool = o->pool };
	bool usable = read_tuple(&inner, table, v);

	o->pool = inner.pool;
	return usable;
}

static int64_t load_int(const struct object *o, const ProtobufCMessage *m, const struct key *k)
{
	struct place p = place_of(o, m, k);

	if (is_unset(&p))
		return 0;
	if (p.type == PROTOBUF_C_TYPE_UINT32)
		return *(uint32_t *)p.at;
	if (p.type == PROTOBUF_C_TYPE_INT64)
		return *(int64_t *)p.at;
	if (p.type == PROTOBUF_C_TYPE_BOOL)
		return *(protobuf_c_boolean *)p.at != 0;
	assert(p.type == PROTOBUF_C_TYPE_INT32);
	return *(int32_t *)p.at;
}

/* A field may hold more than its key accepts: clients would refuse the whole reply. Official wraps, so do we. */
static int64_t narrow(enum word word, int64_t v)
{
	switch (word) {
	case U8:
		return (uint8_t)v;
	case U16:
		return (uint16_t)v;
	case I32:
	case I32_STR:
		return (int32_t)(uint32_t)v;
	default:
		return v;
	}
}

int64_t key_int(const struct object *o, const struct key *k)
{
	int64_t v = load_int(o, o->m, k);

	if ((k->lo == 0 && k->hi == 0) || ((double)v >= k->lo && (double)v <= k->hi))
		return narrow(k->word, v);
	return k->word == ENUM ? 0 : load_int(o, o->born, k);
}

float key_float(const struct object *o, const struct key *k)
{
	float v = *(const float *)place_of(o, o->m, k).at;

	if ((k->lo == 0 && k->hi == 0) || (v >= to_single(k->lo) && v <= to_single(k->hi)))
		return v;
	return *(const float *)place_of(o, o->born, k).at;
}

float to_single(double v)
{
	volatile float single = (float)v;

	return single;
}

/* A blob of another program may hold what JSON cannot say, and clients refuse the null that official sends then. */
static void put_float(struct buf *out, float v)
{
	if (isnan(v))
		v = 0;
	else if (isinf(v))
		v = v < 0 ? -FLT_MAX : FLT_MAX;
	json_put_float(out, v);
}

static void put_floats(struct buf *out, const struct place *p)
{
	const float *list = *(float **)p->at;

	buf_putc(out, '[');
	for (size_t i = 0; i < *p->count; i++) {
		if (i)
			buf_putc(out, ',');
		put_float(out, list[i]);
	}
	buf_putc(out, ']');
}

static bool is_empty(const struct object *o, const struct key *k)
{
	struct place p = place_of(o, o->m, k);

	if (p.count)
		return *p.count == 0;
	return p.chosen ? is_unset(&p) : load_int(o, o->m, k) == 0;
}

static void put_value(struct buf *out, const struct object *o, const struct key *k)
{
	struct place p;

	if (k->constant) {
		buf_puts(out, k->constant);
		return;
	}
	if (k->print) {
		k->print(out, o, k);
		return;
	}
	p = place_of(o, o->m, k);
	if (is_unset(&p) || ((k->flags & NULL_EMPTY) && is_empty(o, k)))
		buf_puts(out, "null");
	else if (k->word == BOOL || k->word == ANYBOOL)
		json_put_bool(out, key_int(o, k));
	else if (k->word == NOT)
		json_put_bool(out, !key_int(o, k));
	else if (k->word == STR)
		json_put_str(out, blob_slice(*(ProtobufCBinaryData *)p.at));
	else if (k->word == FLOAT)
		put_float(out, key_float(o, k));
	else if (k->word == FLOATS)
		put_floats(out, &p);
	else
		json_put_int(out, key_int(o, k));
}

void keys_print(struct buf *out, const struct object *o, const struct key *table)
{
	for (const struct key *k = table; k->name; k++) {
		if (k->field == NOWHERE && !k->constant && !k->print)
			continue;
		if ((k->flags & OMIT) && is_empty(o, k))
			continue;
		json_put_key(out, k->name);
		put_value(out, o, k);
	}
}

void keys_print_tuple(struct buf *out, void *message, const struct key *table)
{
	const struct object o = { .m = message };

	buf_putc(out, '[');
	for (const struct key *k = table; k->name; k++) {
		if (k != table)
			buf_putc(out, ',');
		put_value(out, &o, k);
	}
	buf_putc(out, ']');
}

static bool known(const char *name, const struct key *const *tables)
{
	for (; *tables; tables++)
		for (const struct key *k = *tables; k->name; k++)
			if (strcmp(k->name, name) == 0)
				return true;
	return false;
}

void keys_put_unknown(struct buf *out, struct json_object *v, const struct key *const *tables)
{
	if (!v)
		return;
	json_object_object_foreach(v, name, value)
	{
		if (json_is_mark(name) || known(name, tables))
			continue;
		json_put_key(out, name);
		json_put_value(out, value);
	}
}

/* Field 255 of o->m. */
static ProtobufCBinaryData *other_of(const struct object *o)
{
	return place_of(o, o->m, &(struct key){ .field = BLOB_OTHER }).at;
}

int object_keep_unknown(struct object *o, struct err *e)
{
	bool any = o->unknown.len > 1;

	buf_putc(&o->unknown, '}');
	if (buf_check(&o->unknown, e) != 0)
		return err_add(e, "unknown keys");
	if (any)
		*other_of(o) = blob_data(buf_slice(&o->unknown));
	return 0;
}

void object_parse_other(struct object *o)
{
	struct slice text = blob_slice(*other_of(o));

	json_object_put(o->other);
	o->other = NULL;
	if (text.len)
		json_parse_object(text, &JSON_LIMITS_PAYLOAD, &o->other, NULL);
}
