/* See naming.h. The order of rows is in naming_order.c. */
#include "core/naming.h"

#include <search.h>

#include "core/verdict.h"
#include "format/unicase.h"
#include "storage/home.h"

enum { PLUSES_MAX = 8 };

void naming_init(struct naming *p, enum named_kind kind, size_t n_in)
{
	*p = (struct naming){ .kind = kind, .n_in = n_in };
	p->in = xcalloc(n_in, sizeof *p->in);
	p->by_id = xcalloc(n_in, sizeof *p->by_id);
	p->ours = xcalloc(n_in, sizeof *p->ours);
	for (size_t i = 0; i < n_in; i++) {
		buf_init(&p->in[i].here_name, BUF_UNBOUNDED);
		buf_init(&p->in[i].name, BUF_UNBOUNDED);
		buf_init(&p->in[i].folded, BUF_UNBOUNDED);
	}
}

void naming_release(struct naming *p)
{
	for (size_t i = 0; i < p->n_in; i++) {
		buf_release(&p->in[i].here_name);
		buf_release(&p->in[i].name);
		buf_release(&p->in[i].folded);
	}
	for (size_t i = 0; i < p->n_ours; i++) {
		buf_release(&p->ours[i].old_name);
		buf_release(&p->ours[i].name);
		buf_release(&p->ours[i].folded);
	}
	free(p->in);
	free(p->by_id);
	free(p->ours);
	*p = (struct naming){ .kind = p->kind };
}

static int by_id(const void *a, const void *b, void *arg)
{
	const struct naming_in *in = arg, *x = &in[*(const size_t *)a], *y = &in[*(const size_t *)b];

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x > y) - (x < y);
}

static int ours_by_id(const void *a, const void *b)
{
	const struct naming_ours *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

const struct naming_in *naming_incoming(const struct naming *p, int64_t id)
{
	size_t lo = 0, hi = p->n_in;

	while (lo < hi) { /* the first one behind all of this id */
		size_t mid = lo + (hi - lo) / 2;

		if (p->in[p->by_id[mid]].id <= id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && p->in[p->by_id[lo - 1]].id == id ? &p->in[p->by_id[lo - 1]] : NULL;
}

const struct naming_ours *naming_renamed(const struct naming *p, int64_t id)
{
	const struct naming_ours key = { .id = id };

	return p->n_ours ? bsearch(&key, p->ours, p->n_ours, sizeof *p->ours, ours_by_id) : NULL;
}

/* What a plan is made with. */
struct planning {
	struct naming *p;
	struct collection *c;
	struct graves *deleted;
	int64_t min_usn, now_s;
	void *taken; /* tsearch: names of the end result, folded, as far as they are settled */
};

static int compare_folded(const void *a, const void *b)
{
	const struct buf *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = n ? memcmp(x->data, y->data, n) : 0;

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* false when somebody else has it already. */
static bool take_name(struct planning *g, const struct buf *folded)
{
	const struct buf **held = tsearch(folded, &g->taken, compare_folded);

	if (!held)
		abort(); /* no memory: as xmalloc */
	return *held == folded;
}

static void keep_key(void *key)
{
	(void)key;
}

static bool is_deleted(const struct planning *g, int64_t id)
{
	return g->deleted && g->p->kind == NAMED_DECK && graves_have(g->deleted, GRAVE_DECK, id);
}

/* Which incoming objects are stored. Of several with one id, which no client sends, the one with the last time counts. */
static int decide(struct planning *g, struct err *e)
{
	struct naming *p = g->p;

	for (size_t k = 0; k < p->n_in; k++) {
		struct naming_in *in = &p->in[p->by_id[k]];
		struct naming_in *same = k && p->in[p->by_id[k - 1]].id == in->id ? &p->in[p->by_id[k - 1]] : NULL;
		int64_t mod_s = 0, usn = 0;
		int found = is_deleted(g, in->id) ? 0 : named_get(g->c, p->kind, in->id, &in->here_name, &mod_s, &usn, e);

		if (found < 0)
			return -1;
		in->here = found == 1;
		in->accept = !in->here || verdict_theirs(usn >= g->min_usn, mod_s, &in->mod_s);
		if (in->accept && same && same->accept) {
			if (same->mod_s <= in->mod_s)
				same->accept = false;
			else
				in->accept = false;
		}
		/* by_id must lead to the one that counts, which naming_incoming expects last. */
		if (same && same->accept) {
			p->by_id[k] = (size_t)(same - p->in);
			p->by_id[k - 1] = (size_t)(in - p->in);
		}
	}
	return 0;
}

/* Somebody of ours who will still have this name when all is done. 1 with *id, 0, -1. */
static int lasting_holder(const struct planning *g, struct slice name, int64_t *id, struct err *e)
{
	const struct naming_in *in;
	int rc = named_holder(g->c, g->p->kind, name, id, e);

	if (rc != 1)
		return rc;
	if (is_deleted(g, *id))
		return 0;
	in = naming_incoming(g->p, *id);
	return in && in->accept ? 0 : 1;
}

/*
 * `name` with as many `+` as it takes, and *folded. After a few the id follows: somebody may have filled up the row of
 * names with `+`, and going along it for every object would take for ever.
 */
static int find_free(struct planning *g, int64_t id, struct buf *name, struct buf *folded, struct err *e)
{
	for (int n = 1;; n++) {
		int64_t holder;
		int rc;

		buf_putc(name, '+');
		if (n == PLUSES_MAX)
			buf_printf(name, "%lld", (long long)id);
		unicase_fold(buf_slice(name), folded);
		if (tfind(folded, &g->taken, compare_folded))
			continue;
		rc = lasting_holder(g, buf_slice(name), &holder, e);
		if (rc == 0)
			take_name(g, folded);
		if (rc != 1)
			return rc;
	}
}

static int rename_ours(struct planning *g, int64_t id, struct err *e)
{
	struct naming_ours *o = &g->p->ours[g->p->n_ours++];
	int64_t usn = 0;
	int rc;

	*o = (struct naming_ours){ .id = id, .old_name = BUF_INIT(BUF_UNBOUNDED), .name = BUF_INIT(BUF_UNBOUNDED),
				   .folded = BUF_INIT(BUF_UNBOUNDED) };
	rc = named_get(g->c, g->p->kind, id, &o->old_name, &o->mod_s, &usn, e);
	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, ERR_DAMAGED, "object %lld has a name, but is not there", (long long)id);
	buf_set(&o->name, o->old_name.data, o->old_name.len);
	o->mod_s = verdict_later(o->mod_s, g->now_s);
	o->news = usn >= g->min_usn;
	return find_free(g, id, &o->name, &o->folded, e);
}

/* What the incoming ones are called: as they want, but no two the same. */
static int name_incoming(struct planning *g, struct err *e)
{
	struct naming *p = g->p;
	size_t *twins = xcalloc(p->n_in, sizeof *twins), n_twins = 0;
	int rc = 0;

	for (size_t i = 0; i < p->n_in; i++) {
		struct naming_in *in = &p->in[i];

		if (!in->accept)
			continue;
		buf_set(&in->name, in->wanted.p, in->wanted.len);
		unicase_fold(in->wanted, &in->folded);
		if (!take_name(g, &in->folded))
			twins[n_twins++] = i;
	}
	for (size_t i = 0; rc == 0 && i < n_twins; i++) {
		struct naming_in *in = &p->in[twins[i]];

		in->mod_s = verdict_later(in->mod_s, g->now_s);
		rc = find_free(g, in->id, &in->name, &in->folded, e);
	}
	free(twins);
	return rc;
}

static int give_way(struct planning *g, struct err *e)
{
	for (size_t i = 0; i < g->p->n_in; i++) {
		int64_t holder;
		int rc;

		if (!g->p->in[i].accept)
			continue;
		rc = lasting_holder(g, buf_slice(&g->p->in[i].name), &holder, e);
		if (rc < 0 || (rc == 1 && rename_ours(g, holder, e) != 0))
			return -1;
	}
	return 0;
}

int naming_plan(struct naming *p, struct collection *c, struct graves *deleted, int64_t min_usn, int64_t now_s, struct err *e)
{
	struct planning g = { .p = p, .c = c, .deleted = deleted, .min_usn = min_usn, .now_s = now_s };
	int rc = -1;

	for (size_t i = 0; i < p->n_in; i++)
		p->by_id[i] = i;
	qsort_r(p->by_id, p->n_in, sizeof *p->by_id, by_id, p->in);
	if (decide(&g, e) == 0 && name_incoming(&g, e) == 0 && give_way(&g, e) == 0)
		rc = 0;
	tdestroy(g.taken, keep_key);
	qsort(p->ours, p->n_ours, sizeof *p->ours, ours_by_id);
	return rc;
}

static bool changes_name(const struct naming_in *in)
{
	return in->accept && in->here && !unicase_equal(buf_slice(&in->here_name), buf_slice(&in->name));
}

static int note_old_names(const struct naming *p, struct home *h, int64_t usn, struct err *e)
{
	struct home_old_name *list = xcalloc(p->n_in + p->n_ours, sizeof *list);
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < p->n_in; i++)
		if (changes_name(&p->in[i]))
			list[n++] = (struct home_old_name){ p->in[i].id, buf_slice(&p->in[i].here_name) };
	for (size_t i = 0; i < p->n_ours; i++)
		list[n++] = (struct home_old_name){ p->ours[i].id, buf_slice(&p->ours[i].old_name) };
	rc = home_names_note(h, p->kind, usn, list, n, e);
	free(list);
	return rc;
}

/* Out of the way, under a name that nobody else has (DEL is not typed, and is taken out of the names of decks). */
static int park(const struct naming *p, struct collection *c, int64_t id, int64_t usn, struct err *e)
{
	char name[32];

	snprintf(name, sizeof name, "\177%lld", (long long)id);
	return named_rename(c, p->kind, id, slice_of(name), 0, usn, e);
}

int naming_apply(const struct naming *p, struct home *h, struct collection *c, int64_t usn, struct err *e)
{
	if (note_old_names(p, h, usn, e) != 0)
		return -1;
	for (size_t i = 0; i < p->n_in; i++)
		if (changes_name(&p->in[i]) && park(p, c, p->in[i].id, usn, e) != 0)
			return -1;
	for (size_t i = 0; i < p->n_ours; i++)
		if (named_rename(c, p->kind, p->ours[i].id, buf_slice(&p->ours[i].name), p->ours[i].mod_s, usn, e) != 0)
			return -1;
	return 0;
}
