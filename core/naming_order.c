/* The order of rows in which names never clash on their way (naming.h). */
#include "core/naming.h"
#include "format/unicase.h"

enum mark { NOT_YET, ON_THE_WAY, DONE };

struct entry {
	struct buf final; /* folded */
	enum mark mark;
	bool set_aside;   /* went out under a temporary name */
	size_t next_hold; /* the next one to look at, of those with the name that this row takes */
};

struct hold {
	struct buf name; /* folded */
	size_t row;
};

struct order {
	const struct naming_row *rows;
	struct entry *entries;
	size_t n;
	struct hold *holds; /* by name */
	size_t n_holds;
	size_t *chain; /* rows on the way, each waiting for the one behind it */
	naming_emit *emit;
	void *arg;
};

static int compare_names(const struct buf *x, const struct buf *y)
{
	size_t n = x->len < y->len ? x->len : y->len;
	int c = n ? memcmp(x->data, y->data, n) : 0;

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int compare_holds(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;
	int c = compare_names(&x->name, &y->name);

	return c ? c : (x->row > y->row) - (x->row < y->row);
}

static int compare_ids(const void *a, const void *b, void *arg)
{
	const struct naming_row *rows = arg;
	int64_t x = rows[*(const size_t *)a].id, y = rows[*(const size_t *)b].id;

	return (x > y) - (x < y);
}

/* The row of an id, in a list of rows by id. */
static bool find_row(const struct naming_row *rows, const size_t *by_id, size_t n, int64_t id, size_t *row)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (rows[by_id[mid]].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == n || rows[by_id[lo]].id != id)
		return false;
	*row = by_id[lo];
	return true;
}

/* Those of rows that take part. */
static void add_holds(struct order *o, const struct naming_hold *holds, size_t n_holds)
{
	size_t *by_id = xcalloc(o->n, sizeof *by_id), row;

	for (size_t i = 0; i < o->n; i++)
		by_id[i] = i;
	qsort_r(by_id, o->n, sizeof *by_id, compare_ids, (void *)(uintptr_t)o->rows);
	o->holds = xcalloc(n_holds, sizeof *o->holds);
	for (size_t i = 0; i < n_holds; i++) {
		struct hold *h = &o->holds[o->n_holds];

		if (!find_row(o->rows, by_id, o->n, holds[i].id, &row) || o->rows[row].free)
			continue;
		*h = (struct hold){ BUF_INIT(BUF_UNBOUNDED), row };
		unicase_fold(holds[i].name, &h->name);
		o->n_holds++;
	}
	qsort(o->holds, o->n_holds, sizeof *o->holds, compare_holds);
	free(by_id);
}

static size_t first_hold(const struct order *o, const struct buf *name)
{
	size_t lo = 0, hi = o->n_holds;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare_names(&o->holds[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The next other row that has, or may have, the name that this one is going to take. */
static bool row_in_the_way(struct order *o, size_t row, size_t *found)
{
	struct entry *e = &o->entries[row];

	while (e->next_hold < o->n_holds && compare_names(&o->holds[e->next_hold].name, &e->final) == 0) {
		*found = o->holds[e->next_hold++].row;
		if (*found != row)
			return true;
	}
	return false;
}

static int emit_temporary(struct order *o, size_t row, struct err *e)
{
	char name[32];

	snprintf(name, sizeof name, "~%lld", (long long)o->rows[row].id);
	o->entries[row].set_aside = true;
	return o->emit(o->rows[row].id, slice_of(name), o->arg, e);
}

static void set_out(struct order *o, size_t row, size_t *length)
{
	o->entries[row].mark = ON_THE_WAY;
	o->entries[row].next_hold = o->rows[row].free ? o->n_holds : first_hold(o, &o->entries[row].final);
	o->chain[(*length)++] = row;
}

/* This row, behind all that must go before it. */
static int emit_with_chain(struct order *o, size_t row, struct err *e)
{
	size_t length = 0, next;

	set_out(o, row, &length);
	while (length) {
		row = o->chain[length - 1];
		if (!row_in_the_way(o, row, &next)) {
			o->entries[row].mark = DONE;
			length--;
			if (o->emit(o->rows[row].id, o->rows[row].final, o->arg, e) != 0)
				return -1;
		} else if (o->entries[next].mark == NOT_YET) {
			set_out(o, next, &length);
		} else if (o->entries[next].mark == ON_THE_WAY && !o->entries[next].set_aside) {
			/* A ring: the row that closes it lets go of its name first, and gets its own in its turn. */
			if (emit_temporary(o, next, e) != 0)
				return -1;
		}
	}
	return 0;
}

int naming_order(const struct naming_row *rows, size_t n, const struct naming_hold *holds, size_t n_holds, naming_emit *emit,
		 void *arg, struct err *e)
{
	struct order o = { .rows = rows, .n = n, .emit = emit, .arg = arg };
	int rc = 0;

	o.entries = xcalloc(n, sizeof *o.entries);
	o.chain = xcalloc(n, sizeof *o.chain);
	for (size_t i = 0; i < n; i++) {
		buf_init(&o.entries[i].final, BUF_UNBOUNDED);
		unicase_fold(rows[i].final, &o.entries[i].final);
	}
	add_holds(&o, holds, n_holds);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (o.entries[i].mark == NOT_YET)
			rc = emit_with_chain(&o, i, e);
	for (size_t i = 0; i < n; i++)
		buf_release(&o.entries[i].final);
	for (size_t i = 0; i < o.n_holds; i++)
		buf_release(&o.holds[i].name);
	free(o.entries);
	free(o.holds);
	free(o.chain);
	return rc;
}
