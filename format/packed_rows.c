/*
 * See packed_rows.h. A byte that says what follows, then the numbers in the order of the struct and the texts. Numbers take
 * seven bits a byte, the sign in the lowest one; so a row is never longer than its JSON, where a digit takes a byte.
 */
#include "format/packed_rows.h"

#include <assert.h>

enum { N_CARD = 17, N_REVLOG = 9, NUMBER_MAX_BYTES = 10 };
static_assert(offsetof(struct card_row, data) == N_CARD * sizeof(int64_t), "the numbers of a card come first");
static_assert(sizeof(struct revlog_row) == N_REVLOG * sizeof(int64_t), "a review is all numbers");

static char *put_number(char *at, uint64_t u)
{
	for (; u > 0x7F; u >>= 7)
		*at++ = (char)(u | 0x80);
	*at++ = (char)u;
	return at;
}

static char *put_signed(char *at, int64_t v)
{
	return put_number(at, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

static void pack(struct buf *out, int kind, const int64_t *numbers, size_t n, const struct slice *texts, size_t n_texts)
{
	char head[1 + (N_CARD + 4) * NUMBER_MAX_BYTES], *at = head;

	assert(n + n_texts <= N_CARD + 4);
	*at++ = (char)kind;
	for (size_t i = 0; i < n; i++)
		at = put_signed(at, numbers[i]);
	for (size_t i = 0; i < n_texts; i++)
		at = put_number(at, texts[i].len);
	buf_put(out, head, (size_t)(at - head));
	for (size_t i = 0; i < n_texts; i++)
		buf_put(out, texts[i].p, texts[i].len);
}

void card_pack(struct buf *out, const struct card_row *c)
{
	pack(out, PACKED_CARD, &c->id, N_CARD, &c->data, 1);
}

void revlog_pack(struct buf *out, const struct revlog_row *r)
{
	pack(out, PACKED_REVLOG, &r->id, N_REVLOG, NULL, 0);
}

void note_pack(struct buf *out, const struct note_row *n)
{
	const int64_t numbers[] = { n->id, n->mid, n->mod_s, n->usn, (int64_t)n->n_fields };
	const struct slice texts[] = { n->guid, n->tags, n->flds };

	pack(out, PACKED_NOTE, numbers, 5, texts, 3);
}

static bool get_number(struct slice *rest, uint64_t *u)
{
	const unsigned char *p = (const unsigned char *)rest->p;

	*u = 0;
	for (unsigned i = 0; i < NUMBER_MAX_BYTES && i < rest->len; i++) {
		*u |= (uint64_t)(p[i] & 0x7F) << (7 * i);
		if (p[i] < 0x80) {
			*rest = (struct slice){ rest->p + i + 1, rest->len - i - 1 };
			return true;
		}
	}
	return false;
}

static bool get_numbers(struct slice *rest, int64_t *numbers, size_t n)
{
	uint64_t u;

	for (size_t i = 0; i < n; i++) {
		if (!get_number(rest, &u))
			return false;
		numbers[i] = (int64_t)(u >> 1 ^ (0 - (u & 1)));
	}
	return true;
}

static bool get_texts(struct slice *rest, struct slice **texts, size_t n)
{
	uint64_t lengths[3];

	assert(n <= 3);
	for (size_t i = 0; i < n; i++)
		if (!get_number(rest, &lengths[i]))
			return false;
	for (size_t i = 0; i < n; i++) {
		if (lengths[i] > rest->len)
			return false;
		*texts[i] = (struct slice){ rest->p, (size_t)lengths[i] };
		*rest = (struct slice){ rest->p + lengths[i], rest->len - (size_t)lengths[i] };
	}
	return true;
}

static bool get_note(struct slice *rest, struct note_row *n)
{
	struct slice *texts[] = { &n->guid, &n->tags, &n->flds };
	int64_t numbers[5];

	if (!get_numbers(rest, numbers, 5))
		return false;
	n->id = numbers[0];
	n->mid = numbers[1];
	n->mod_s = numbers[2];
	n->usn = numbers[3];
	n->n_fields = (size_t)numbers[4];
	return get_texts(rest, texts, 3);
}

int packed_next(struct slice *rest, struct packed_row *row)
{
	struct slice *data = &row->as.card.data;
	bool good = false;

	if (rest->len == 0)
		return 0;
	row->kind = (unsigned char)*rest->p;
	*rest = (struct slice){ rest->p + 1, rest->len - 1 };
	switch (row->kind) {
	case PACKED_CARD:
		good = get_numbers(rest, &row->as.card.id, N_CARD) && get_texts(rest, &data, 1);
		break;
	case PACKED_REVLOG:
		good = get_numbers(rest, &row->as.revlog.id, N_REVLOG);
		break;
	case PACKED_NOTE:
		good = get_note(rest, &row->as.note);
		break;
	}
	return good ? 1 : -1;
}
