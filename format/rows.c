/* See rows.h. Thousands of rows pass here in one call: nothing is allocated for a row as clients send it. */
#include "format/rows.h"

#include <assert.h>

#include "format/card_data.h"

enum rule {
	INTEGER,       /* between lo and hi */
	TRUNCATED,     /* a fraction is cut off, limits of int64 */
	TRUNCATED_I32, /* the same, then the lower 32 bits */
	TRUNCATED_U32, /* the same, negative ones are 0 */
};

struct column {
	const char *name;
	size_t offset; /* of the int64_t in the row */
	enum rule rule;
	int64_t lo, hi;
};

#define ANY INT64_MIN, INT64_MAX
#define CARD(member) #member, offsetof(struct card_row, member)
#define REVLOG(member) #member, offsetof(struct revlog_row, member)

static const struct column card_columns[] = {
	{ CARD(id), INTEGER, ANY },
	{ CARD(nid), INTEGER, ANY },
	{ CARD(did), INTEGER, ANY },
	{ CARD(ord), INTEGER, 0, UINT16_MAX },
	{ CARD(mod_s), TRUNCATED, ANY },
	{ CARD(usn), INTEGER, INT32_MIN, INT32_MAX },
	{ CARD(type), INTEGER, 0, 3 },
	{ CARD(queue), INTEGER, -3, 4 },
	{ CARD(due), TRUNCATED_I32, INT32_MIN, INT32_MAX },
	{ CARD(ivl), TRUNCATED_U32, 0, UINT32_MAX },
	{ CARD(factor), INTEGER, 0, UINT16_MAX },
	{ CARD(reps), INTEGER, 0, UINT32_MAX },
	{ CARD(lapses), INTEGER, 0, UINT32_MAX },
	{ CARD(left), INTEGER, 0, UINT32_MAX },
	{ CARD(odue), TRUNCATED_I32, INT32_MIN, INT32_MAX },
	{ CARD(odid), INTEGER, ANY },
	{ CARD(flags), INTEGER, 0, UINT8_MAX },
};

static const struct column revlog_columns[] = {
	{ REVLOG(id), INTEGER, ANY },
	{ REVLOG(cid), INTEGER, ANY },
	{ REVLOG(usn), INTEGER, INT32_MIN, INT32_MAX },
	{ REVLOG(ease), INTEGER, 0, UINT8_MAX },
	{ REVLOG(ivl), TRUNCATED_I32, INT32_MIN, INT32_MAX },
	{ REVLOG(last_ivl), TRUNCATED_I32, INT32_MIN, INT32_MAX },
	{ REVLOG(factor), TRUNCATED_U32, 0, UINT32_MAX },
	{ REVLOG(time_ms), TRUNCATED_U32, 0, UINT32_MAX },
	{ REVLOG(type), INTEGER, 0, 5 },
};

enum {
	N_CARD = sizeof card_columns / sizeof *card_columns,       /* and `data` behind them */
	N_REVLOG = sizeof revlog_columns / sizeof *revlog_columns, /* of which the type may be missing */
	N_NOTE = 11,
};

static bool read_column(const struct column *c, struct json_object *v, int64_t *out)
{
	if (c->rule == INTEGER)
		return json_is_int(v, c->lo, c->hi, out);
	if (!json_is_truncated(v, out))
		return false;
	if (c->rule == TRUNCATED_I32)
		*out = (int32_t)(uint32_t)*out;
	else if (c->rule == TRUNCATED_U32)
		*out = *out < 0 ? 0 : (uint32_t)*out;
	return true;
}

static int read_columns(void *row, const char *what, const struct column *columns, size_t n, struct json_object *array,
			struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int64_t *out = (int64_t *)(void *)((char *)row + columns[i].offset);

		if (!read_column(&columns[i], json_at(array, i), out))
			return err_set(e, ERR_BAD_REQUEST, "%s: %s is not a number in its range", what, columns[i].name);
	}
	return 0;
}

static int check_length(const char *what, struct json_object *array, size_t least, size_t most, struct err *e)
{
	size_t n;

	if (!json_is_array(array, &n))
		return err_set(e, ERR_BAD_REQUEST, "%s: not a list", what);
	if (n < least || n > most)
		return err_set(e, ERR_BAD_REQUEST, "%s: %zu elements instead of %zu", what, n, most);
	return 0;
}

int card_from_json(struct card_row *c, struct json_object *array, struct buf *scratch, struct err *e)
{
	struct slice data;

	if (check_length("card", array, N_CARD + 1, N_CARD + 1, e) != 0 ||
	    read_columns(c, "card", card_columns, N_CARD, array, e) != 0)
		return -1;
	if (!json_is_str(json_at(array, N_CARD), &data))
		return err_set(e, ERR_BAD_REQUEST, "card: data is not a string");
	c->data = card_data_rewrite(data, scratch);
	return buf_check(scratch, e);
}

int revlog_from_json(struct revlog_row *r, struct json_object *array, struct err *e)
{
	const struct column *type = &revlog_columns[N_REVLOG - 1];

	if (check_length("revlog", array, N_REVLOG - 1, N_REVLOG, e) != 0 ||
	    read_columns(r, "revlog", revlog_columns, N_REVLOG - 1, array, e) != 0)
		return -1;
	if (!read_column(type, json_at(array, N_REVLOG - 1), &r->type))
		r->type = 0;
	return 0;
}

/* The next tag at the beginning of *rest, which moves behind it. Tags are split at U+0020 and U+3000. */
static bool next_tag(struct slice *rest, struct slice *tag)
{
	const char *p = rest->p, *end = rest->p + rest->len;

	for (;;) {
		if (p < end && *p == ' ')
			p++;
		else if (end - p >= 3 && memcmp(p, "\xE3\x80\x80", 3) == 0)
			p += 3;
		else
			break;
	}
	tag->p = p;
	while (p < end && *p != ' ' && !(*p == '\xE3' && end - p >= 3 && memcmp(p, "\xE3\x80\x80", 3) == 0))
		p++;
	tag->len = (size_t)(p - tag->p);
	*rest = (struct slice){ p, (size_t)(end - p) };
	return tag->len > 0;
}

/* Without the outer spaces, tags are mostly joined as they should be: by one space. */
static bool tags_are_joined(struct slice tags, struct slice *inner)
{
	while (tags.len && tags.p[0] == ' ')
		tags = (struct slice){ tags.p + 1, tags.len - 1 };
	while (tags.len && tags.p[tags.len - 1] == ' ')
		tags.len--;
	*inner = tags;
	return !tags.len || (!memmem(tags.p, tags.len, "  ", 2) && !memmem(tags.p, tags.len, "\xE3\x80\x80", 3));
}

void note_tags_column(struct buf *out, struct slice tags)
{
	struct slice tag;
	bool any = false;

	while (next_tag(&tags, &tag)) {
		buf_putc(out, ' ');
		buf_put(out, tag.p, tag.len);
		any = true;
	}
	if (any)
		buf_putc(out, ' ');
}

static bool is_removed(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\n' && c != 0x1F) || c == 0x7F;
}

int note_from_json(struct note_row *n, struct json_object *array, struct buf *scratch, struct err *e)
{
	size_t mark = scratch->len, joined, removed = 0;
	struct slice tags, ignored;
	int64_t flags;
	bool rewritten;

	if (check_length("note", array, N_NOTE, N_NOTE, e) != 0)
		return -1;
	if (!json_is_int(json_at(array, 0), ANY, &n->id) || !json_is_str(json_at(array, 1), &n->guid) ||
	    !json_is_int(json_at(array, 2), ANY, &n->mid) || !json_is_int(json_at(array, 3), ANY, &n->mod_s) ||
	    !json_is_int(json_at(array, 4), INT32_MIN, INT32_MAX, &n->usn) || !json_is_str(json_at(array, 5), &tags) ||
	    !json_is_str(json_at(array, 6), &n->flds) || !json_is_str(json_at(array, 7), &ignored) ||
	    !json_is_str(json_at(array, 8), &ignored) || !json_is_int(json_at(array, 9), 0, UINT32_MAX, &flags) ||
	    !json_is_str(json_at(array, 10), &ignored))
		return err_set(e, ERR_BAD_REQUEST, "note: an element of the wrong type");
	n->n_fields = 1;
	for (size_t i = 0; i < n->flds.len; i++) {
		unsigned char c = (unsigned char)n->flds.p[i];

		n->n_fields += c == 0x1F;
		removed += is_removed(c);
	}
	rewritten = !tags_are_joined(tags, &n->tags);
	if (rewritten)
		note_tags_column(scratch, tags);
	joined = scratch->len;
	if (removed) {
		char *room = buf_room(scratch, n->flds.len - removed);

		for (size_t i = 0; room && i < n->flds.len; i++)
			if (!is_removed((unsigned char)n->flds.p[i]))
				*room++ = n->flds.p[i];
		if (room) {
			scratch->len += n->flds.len - removed;
			*room = 0;
		}
	}
	if (buf_check(scratch, e) != 0)
		return -1;
	/* The buffer stays where it is from here on. */
	if (rewritten)
		tags_are_joined((struct slice){ scratch->data + mark, joined - mark }, &n->tags);
	if (removed)
		n->flds = (struct slice){ scratch->data + joined, scratch->len - joined };
	return 0;
}

static char *put_digits(char *at, int64_t v)
{
	char text[20], *p = text + sizeof text;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	size_t n;

	if (v < 0)
		*at++ = '-';
	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	n = (size_t)(text + sizeof text - p);
	memcpy(at, p, n);
	return at + n;
}

/* `[` and the columns with commas between them. A number out of its range is what `odd` makes of it. */
static void print_columns(struct buf *out, const void *row, const struct column *columns, size_t n,
			  int64_t (*odd)(const struct column *c, int64_t v))
{
	char text[20 * 21], *at = text;

	assert(n <= 20);
	for (size_t i = 0; i < n; i++) {
		const struct column *c = &columns[i];
		int64_t v = *(const int64_t *)(const void *)((const char *)row + c->offset);

		*at++ = i ? ',' : '[';
		at = put_digits(at, v < c->lo || v > c->hi ? odd(c, v) : v);
	}
	buf_put(out, text, (size_t)(at - text));
}

/* Official and all clients read a due date that does not fit as 0. */
static int64_t odd_in_card(const struct column *c, int64_t v)
{
	if (c->rule == TRUNCATED_I32)
		return 0;
	return v < c->lo ? c->lo : c->hi;
}

static int64_t odd_in_revlog(const struct column *c, int64_t v)
{
	if (c == &revlog_columns[N_REVLOG - 1])
		return 0;
	return v < c->lo ? c->lo : c->hi;
}

void card_print(struct buf *out, const struct card_row *c)
{
	print_columns(out, c, card_columns, N_CARD, odd_in_card);
	buf_putc(out, ',');
	json_put_str(out, c->data);
	buf_putc(out, ']');
}

void revlog_print(struct buf *out, const struct revlog_row *r)
{
	print_columns(out, r, revlog_columns, N_REVLOG, odd_in_revlog);
	buf_putc(out, ']');
}

static void put_tags(struct buf *out, struct slice tags)
{
	struct buf column = BUF_INIT(BUF_UNBOUNDED);
	struct slice inner;

	if (!tags.len || (tags_are_joined(tags, &inner) && inner.p == tags.p + 1 && inner.len && inner.len + 2 == tags.len)) {
		json_put_str(out, tags);
		return;
	}
	note_tags_column(&column, tags);
	json_put_str(out, buf_slice(&column));
	buf_release(&column);
}

void note_print(struct buf *out, const struct note_row *n)
{
	int64_t usn = n->usn < INT32_MIN ? INT32_MIN : n->usn > INT32_MAX ? INT32_MAX : n->usn;
	char text[3 * 21 + 4], *at = text;

	buf_putc(out, '[');
	json_put_int(out, n->id);
	buf_putc(out, ',');
	json_put_str(out, n->guid);
	*at++ = ',';
	at = put_digits(at, n->mid);
	*at++ = ',';
	at = put_digits(at, n->mod_s);
	*at++ = ',';
	at = put_digits(at, usn);
	*at++ = ',';
	buf_put(out, text, (size_t)(at - text));
	put_tags(out, n->tags);
	buf_putc(out, ',');
	json_put_str(out, n->flds);
	buf_puts(out, ",\"\",\"\",0,\"\"]");
}
