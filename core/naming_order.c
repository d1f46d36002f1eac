/* The order of rows in which names never clash on their way (naming.h). */
#include "core/naming.h"
#include "format/unicase.h"

enum mark { NOT_YET, ON_THE_WAY, DONE };

struct entry {
	struct buf final, held; /* folded */
	enum mark mark;
};

struct order {
	const struct naming_row *rows;
	struct entry *entries;
	size_t *by_held; /* rows that take part, by folded held name */
	size_t n, n_held;
	size_t *chain; /* rows on the way, each waiting for the one behind it */
	naming_emit *emit;
	void *arg;
};

static int compare_held(const void *a, const void *b, void *arg)
{
	const struct entry *entries = arg;
	const struct buf *x = &entries[*(const size_t *)a].held, *y = &entries[*(const size_t *)b].held;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = n ? memcmp(x->data, y->data, n) : 0;

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* The other row whose held name this row is going to take. */
static bool row_in_the_way(const struct order *o, size_t row, size_t *found)
{
	const struct buf *want = &o->entries[row].final;
	size_t lo = 0, hi = o->n_held;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct buf *held = &o->entries[o->by_held[mid]].held;
		size_t n = held->len < want->len ? held->len : want->len;
		int c = n ? memcmp(held->data, want->data, n) : 0;

		if (c == 0)
			c = (held->len > want->len) - (held->len < want->len);
		if (c == 0) {
			*found = o->by_held[mid];
			return *found != row;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int emit_temporary(struct order *o, size_t row, struct err *e)
{
	char name[32];

	snprintf(name, sizeof name, "~%lld", (long long)o->rows[row].id);
	return o->emit(o->rows[row].id, slice_of(name), o->arg, e);
}

/* This row, behind all that must go before it. */
static int emit_with_chain(struct order *o, size_t row, struct err *e)
{
	size_t length = 0;

	while (o->entries[row].mark == NOT_YET) {
		size_t next;

		o->entries[row].mark = ON_THE_WAY;
		o->chain[length++] = row;
		if (o->rows[row].free || !row_in_the_way(o, row, &next))
			break;
		/* A ring: the row that closes it lets go of its name first, and gets its own in its turn. */
		if (o->entries[next].mark == ON_THE_WAY && emit_temporary(o, next, e) != 0)
			return -1;
		row = next;
	}
	while (length) {
		row = o->chain[--length];
		o->entries[row].mark = DONE;
		if (o->emit(o->rows[row].id, o->rows[row].final, o->arg, e) != 0)
			return -1;
	}
	return 0;
}

int naming_order(const struct naming_row *rows, size_t n, naming_emit *emit, void *arg, struct err *e)
{
	struct order o = { .rows = rows, .n = n, .emit = emit, .arg = arg };
	int rc = 0;

	o.entries = xcalloc(n, sizeof *o.entries);
	o.by_held = xcalloc(n, sizeof *o.by_held);
	o.chain = xcalloc(n, sizeof *o.chain);
	for (size_t i = 0; i < n; i++) {
		buf_init(&o.entries[i].final, BUF_UNBOUNDED);
		buf_init(&o.entries[i].held, BUF_UNBOUNDED);
		unicase_fold(rows[i].final, &o.entries[i].final);
		unicase_fold(rows[i].held, &o.entries[i].held);
		if (!rows[i].free)
			o.by_held[o.n_held++] = i;
	}
	qsort_r(o.by_held, o.n_held, sizeof *o.by_held, compare_held, o.entries);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = emit_with_chain(&o, i, e);
	for (size_t i = 0; i < n; i++) {
		buf_release(&o.entries[i].final);
		buf_release(&o.entries[i].held);
	}
	free(o.entries);
	free(o.by_held);
	free(o.chain);
	return rc;
}
