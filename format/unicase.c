/*
 * See unicase.h. SQLite calls unicase_compare for every step in an index of names, so ASCII goes without decoding, equal
 * characters go without the table, and nothing is allocated.
 *
 * The table is ours and not a library's: this order is part of the file format, and clients call a file corrupt whose
 * indexes were built with a newer Unicode.
 */
#include "format/unicase.h"

#include "base/utf8.h"

struct fold_run { /* each `step`th code point from first to last folds to itself + delta */
	uint32_t first, last;
	int step, delta;
};

struct fold_text { /* a code point that folds to two or three; zeros fill up */
	uint32_t code, to[3];
};

#include "format/unicase_table.h"

/* What is left of a text: the rest of a folding that has begun, then the bytes from p. */
struct reader {
	const char *p, *end;
	uint32_t rest[2];
	int n_rest;
};

static const struct fold_run *find_run(uint32_t code)
{
	size_t lo = 0, hi = sizeof fold_runs / sizeof *fold_runs;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (code > fold_runs[mid].last)
			lo = mid + 1;
		else if (code < fold_runs[mid].first)
			hi = mid;
		else
			return &fold_runs[mid];
	}
	return NULL;
}

static const struct fold_text *find_text(uint32_t code)
{
	size_t lo = 0, hi = sizeof fold_texts / sizeof *fold_texts;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (code > fold_texts[mid].code)
			lo = mid + 1;
		else if (code < fold_texts[mid].code)
			hi = mid;
		else
			return &fold_texts[mid];
	}
	return NULL;
}

/* The first code point of the folding; the others go to r->rest. */
static uint32_t fold(struct reader *r, uint32_t code)
{
	const struct fold_run *run = find_run(code);
	const struct fold_text *text;

	if (run && (code - run->first) % (unsigned)run->step == 0)
		return code + (uint32_t)run->delta;
	text = find_text(code);
	if (!text)
		return code;
	r->rest[0] = text->to[1];
	r->rest[1] = text->to[2];
	r->n_rest = text->to[2] ? 2 : 1;
	return text->to[0];
}

static uint32_t decode(struct reader *r)
{
	size_t used;
	uint32_t code = utf8_decode(r->p, (size_t)(r->end - r->p), &used);

	r->p += used;
	return code;
}

static bool next(struct reader *r, uint32_t *code)
{
	if (r->n_rest) {
		*code = r->rest[0];
		r->rest[0] = r->rest[1];
		r->n_rest--;
		return true;
	}
	if (r->p == r->end)
		return false;
	*code = fold(r, decode(r));
	return true;
}

static bool at_ascii(const struct reader *r)
{
	return r->p < r->end && (unsigned char)*r->p < 0x80;
}

static uint32_t ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (uint32_t)c + 32 : (uint32_t)c;
}

int unicase_compare(struct slice a, struct slice b)
{
	struct reader x = { a.p, a.p + a.len, { 0 }, 0 }, y = { b.p, b.p + b.len, { 0 }, 0 };
	uint32_t cx, cy;

	for (;;) {
		if (x.n_rest || y.n_rest || x.p == x.end || y.p == y.end) {
			bool more_x = next(&x, &cx), more_y = next(&y, &cy);

			if (!more_x || !more_y)
				return (int)more_x - (int)more_y;
		} else if (at_ascii(&x) && at_ascii(&y)) {
			cx = ascii_lower(*x.p++);
			cy = ascii_lower(*y.p++);
		} else {
			cx = decode(&x);
			cy = decode(&y);
			if (cx == cy)
				continue;
			cx = fold(&x, cx);
			cy = fold(&y, cy);
		}
		if (cx != cy)
			return cx < cy ? -1 : 1;
	}
}

bool unicase_equal(struct slice a, struct slice b)
{
	return unicase_compare(a, b) == 0;
}

void unicase_fold(struct slice a, struct buf *out)
{
	struct reader r = { a.p, a.p + a.len, { 0 }, 0 };
	uint32_t code;

	buf_reset(out);
	while (next(&r, &code))
		utf8_put(out, code);
}
