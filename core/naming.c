/* See naming.h. The order of rows is in naming_order.c. */
#include "core/naming.h"

#include <assert.h>

#include "format/unicase.h"

void naming_init(struct naming *p, enum named_kind kind, size_t n_in)
{
	*p = (struct naming){ .kind = kind, .n_in = n_in };
	p->in = xcalloc(n_in, sizeof *p->in);
	p->by_id = xcalloc(n_in, sizeof *p->by_id);
	p->by_name = xcalloc(n_in, sizeof *p->by_name);
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
	free(p->by_name);
	free(p->ours);
	*p = (struct naming){ .kind = p->kind };
}

static int compare_slices(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_id(const void *a, const void *b, void *arg)
{
	const struct naming_in *in = arg, *x = &in[*(const size_t *)a], *y = &in[*(const size_t *)b];

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct naming_in *in = arg, *x = &in[*(const size_t *)a], *y = &in[*(const size_t *)b];
	int c = compare_slices(buf_slice(&x->folded), buf_slice(&y->folded));

	return c ? c : (x > y) - (x < y);
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
	for (size_t i = 0; i < p->n_ours; i++)
		if (p->ours[i].id == id)
			return &p->ours[i];
	return NULL;
}

static bool is_deleted(const struct naming *p, struct graves *deleted, int64_t id)
{
	return deleted && p->kind == NAMED_DECK && graves_have(deleted, GRAVE_DECK, id);
}

/* Which incoming objects are stored. Of several with one id each meets the result of the one before. */
static int decide(struct naming *p, struct collection *c, struct graves *deleted, int64_t min_usn, struct err *e)
{
	for (size_t k = 0; k < p->n_in; k++) {
		struct naming_in *in = &p->in[p->by_id[k]];
		struct naming_in *same = k && p->in[p->by_id[k - 1]].id == in->id ? &p->in[p->by_id[k - 1]] : NULL;
		int64_t mod_s = 0, usn = 0;
		int found = is_deleted(p, deleted, in->id) ? 0 : named_get(c, p->kind, in->id, &in->here_name, &mod_s, &usn, e);

		if (found < 0)
			return -1;
		in->here = found == 1;
		in->accept = !in->here || (usn >= min_usn ? mod_s < in->mod_s : mod_s <= in->mod_s);
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

/* Does an accepted object have this folded name? */
static struct naming_in *accepted_by_name(const struct naming *p, struct slice folded)
{
	size_t lo = 0, hi = p->n_accepted;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = compare_slices(buf_slice(&p->in[p->by_name[mid]].folded), folded);

		if (c == 0)
			return &p->in[p->by_name[mid]];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Somebody of ours who will still have this name when all is done, other than `except`. 1 with *id, 0, -1. */
static int lasting_holder(const struct naming *p, struct collection *c, struct graves *deleted, struct slice name, int64_t *id,
			  struct err *e)
{
	const struct naming_in *in;
	int rc = named_holder(c, p->kind, name, id, e);

	if (rc != 1)
		return rc;
	if (is_deleted(p, deleted, *id))
		return 0;
	in = naming_incoming(p, *id);
	return in && in->accept ? 0 : 1;
}

/* Is the name of anybody in the end result? 1, 0, -1. */
static int is_taken(const struct naming *p, struct collection *c, struct graves *deleted, struct slice name, struct buf *folded,
		    struct err *e)
{
	int64_t id;

	unicase_fold(name, folded);
	if (accepted_by_name(p, buf_slice(folded)))
		return 1;
	for (size_t i = 0; i < p->n_ours; i++)
		if (slice_eq(buf_slice(&p->ours[i].folded), buf_slice(folded)))
			return 1;
	return lasting_holder(p, c, deleted, name, &id, e);
}

/* `name` with as many `+` as it takes. */
static int find_free(const struct naming *p, struct collection *c, struct graves *deleted, struct buf *name, struct buf *folded,
		     struct err *e)
{
	int rc;

	do {
		buf_putc(name, '+');
		rc = is_taken(p, c, deleted, buf_slice(name), folded, e);
	} while (rc == 1);
	return rc;
}

static int rename_ours(struct naming *p, struct collection *c, struct graves *deleted, int64_t id, int64_t now_s, struct err *e)
{
	struct naming_ours o = {
		.id = id,
		.old_name = BUF_INIT(BUF_UNBOUNDED),
		.name = BUF_INIT(BUF_UNBOUNDED),
		.folded = BUF_INIT(BUF_UNBOUNDED),
	};
	int64_t mod_s = 0, usn = 0;

	if (named_get(c, p->kind, id, &o.old_name, &mod_s, &usn, e) != 1)
		goto fail;
	buf_set(&o.name, o.old_name.data, o.old_name.len);
	if (find_free(p, c, deleted, &o.name, &o.folded, e) != 0)
		goto fail;
	o.mod_s = mod_s < now_s ? now_s : mod_s + 1;
	p->ours = xrealloc(p->ours, (p->n_ours + 1) * sizeof *p->ours);
	p->ours[p->n_ours++] = o;
	return 0;
fail:
	buf_release(&o.old_name);
	buf_release(&o.name);
	buf_release(&o.folded);
	return -1;
}

/* Two incoming objects of one name: no client has such, but the file must stay sound. The later one gets the `+`. */
static int part_twins(struct naming *p, struct collection *c, struct graves *deleted, int64_t now_s, struct err *e)
{
	struct buf folded = BUF_INIT(BUF_UNBOUNDED);
	int rc = 0;

	for (size_t k = 1; k < p->n_accepted; k++) {
		struct naming_in *in = &p->in[p->by_name[k]];

		if (!slice_eq(buf_slice(&p->in[p->by_name[k - 1]].folded), buf_slice(&in->folded)))
			continue;
		rc = find_free(p, c, deleted, &in->name, &folded, e);
		if (rc != 0)
			break;
		buf_set(&in->folded, folded.data, folded.len);
		in->renamed = true;
		in->mod_s = in->mod_s < now_s ? now_s : in->mod_s + 1;
		qsort_r(p->by_name, p->n_accepted, sizeof *p->by_name, by_name, p->in);
		k = 0;
	}
	buf_release(&folded);
	return rc;
}

int naming_plan(struct naming *p, struct collection *c, struct graves *deleted, int64_t min_usn, int64_t now_s, struct err *e)
{
	for (size_t i = 0; i < p->n_in; i++)
		p->by_id[i] = i;
	qsort_r(p->by_id, p->n_in, sizeof *p->by_id, by_id, p->in);
	if (decide(p, c, deleted, min_usn, e) != 0)
		return -1;
	for (size_t i = 0; i < p->n_in; i++) {
		struct naming_in *in = &p->in[i];

		buf_set(&in->name, in->wanted.p, in->wanted.len);
		unicase_fold(in->wanted, &in->folded);
		if (in->accept)
			p->by_name[p->n_accepted++] = i;
	}
	qsort_r(p->by_name, p->n_accepted, sizeof *p->by_name, by_name, p->in);
	if (part_twins(p, c, deleted, now_s, e) != 0)
		return -1;
	for (size_t i = 0; i < p->n_in; i++) {
		int64_t holder;
		int rc;

		if (!p->in[i].accept)
			continue;
		rc = lasting_holder(p, c, deleted, buf_slice(&p->in[i].name), &holder, e);
		if (rc < 0 || (rc == 1 && rename_ours(p, c, deleted, holder, now_s, e) != 0))
			return -1;
	}
	return 0;
}

static bool changes_name(const struct naming_in *in)
{
	return in->accept && in->here && !unicase_equal(buf_slice(&in->here_name), buf_slice(&in->name));
}

/* Out of the way, under a name that nobody else has. */
static int park(const struct naming *p, struct collection *c, int64_t id, int64_t usn, struct err *e)
{
	char name[32];

	snprintf(name, sizeof name, "\177%lld", (long long)id); /* names from clients have no control characters */
	return named_rename(c, p->kind, id, slice_of(name), 0, usn, e);
}

int naming_apply(const struct naming *p, struct home *h, struct collection *c, int64_t usn, struct err *e)
{
	for (size_t i = 0; i < p->n_in; i++) {
		const struct naming_in *in = &p->in[i];

		if (changes_name(in) && (home_name_note(h, p->kind, in->id, usn, buf_slice(&in->here_name), e) != 0 ||
					 park(p, c, in->id, usn, e) != 0))
			return -1;
	}
	for (size_t i = 0; i < p->n_ours; i++)
		if (home_name_note(h, p->kind, p->ours[i].id, usn, buf_slice(&p->ours[i].old_name), e) != 0 ||
		    named_rename(c, p->kind, p->ours[i].id, buf_slice(&p->ours[i].name), p->ours[i].mod_s, usn, e) != 0)
			return -1;
	return 0;
}
