/* See shapes.h. */
#include "core/shapes.h"

#include "storage/objects.h"

/* Where the shape of this id is, or belongs. */
static size_t find(const struct shapes *s, int64_t id)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->list[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_there(const struct shapes *s, size_t at, int64_t id)
{
	return at < s->n && s->list[at].id == id;
}

void shapes_add(struct shapes *s, struct shape shape)
{
	size_t at = find(s, shape.id);

	if (!is_there(s, at, shape.id)) {
		if (s->n == s->cap) {
			s->cap = s->cap ? 2 * s->cap : 16;
			s->list = xrealloc(s->list, s->cap * sizeof *s->list);
		}
		memmove(s->list + at + 1, s->list + at, (s->n++ - at) * sizeof *s->list);
	}
	s->list[at] = shape;
}

void shapes_release(struct shapes *s)
{
	free(s->list);
	*s = (struct shapes)SHAPES_INIT;
}

int shapes_check(struct shapes *s, struct collection *c, const struct note_row *row, uint32_t *sort_field, struct err *e)
{
	size_t at = find(s, row->mid);
	int64_t n_fields;

	if (!is_there(s, at, row->mid)) {
		size_t fields = 0;
		uint32_t sort = 0;
		int rc = notetype_shape(c, row->mid, &fields, &sort, e);

		if (rc == 0)
			return err_set(e, ERR_BAD_REQUEST, "note %lld: no note type %lld", (long long)row->id, (long long)row->mid);
		if (rc < 0)
			return -1;
		shapes_add(s, (struct shape){ row->mid, (int64_t)fields, sort });
	}
	n_fields = s->list[at].n_fields;
	*sort_field = (uint32_t)s->list[at].sort_field;
	/* Without fields there still is one text, which is empty. */
	if (row->n_fields == (size_t)(n_fields ? n_fields : 1))
		return 0;
	return err_set(e, ERR_BAD_REQUEST, "note %lld: %zu fields; its note type has %lld", (long long)row->id, row->n_fields,
		       (long long)n_fields);
}

int shapes_stage(const struct shapes *s, struct home *h, struct session *session, uint64_t max_bytes, struct err *e)
{
	const struct slice bytes = { (const char *)s->list, s->n * sizeof *s->list };

	return s->n ? session_add(h, session, RECORD_SHAPES, bytes, max_bytes, e) : 0;
}

static int add_record(enum session_record type, struct slice bytes, void *arg, struct err *e)
{
	struct shape shape;

	(void)type;
	if (bytes.len % sizeof shape)
		return err_set(e, ERR_CONFLICT, "session: a record of shapes is cut off");
	for (size_t at = 0; at < bytes.len; at += sizeof shape) {
		memcpy(&shape, bytes.p + at, sizeof shape);
		shapes_add(arg, shape);
	}
	return 0;
}

int shapes_staged(struct shapes *s, struct home *h, const struct session *session, struct err *e)
{
	return session_each(h, session, RECORD_SHAPES, add_record, s, e);
}
