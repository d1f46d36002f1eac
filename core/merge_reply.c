/* The reply to applyChanges (merge.h). */
#include "base/json.h"
#include "core/merge.h"
#include "storage/settings.h"

/* One kind's rows for the reply, in the order of naming_order. */
struct listing {
	const struct merge *m;
	const struct naming *plan;
	struct home *home;
	struct collection *c;
	struct graves *deleted;
	struct buf *out;
	int64_t *ids;
	size_t n;
};

static void add_id(struct listing *l, int64_t id)
{
	l->ids = xrealloc(l->ids, (l->n + 1) * sizeof *l->ids);
	l->ids[l->n++] = id;
}

static int add_deck(const struct deck *d, void *arg, struct err *e)
{
	struct listing *l = arg;

	(void)e;
	if (!graves_have(l->deleted, GRAVE_DECK, d->id))
		add_id(l, d->id);
	return 0;
}

static bool listed(const struct listing *l, int64_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->ids[i] == id)
			return true;
	return false;
}

/* What the client has not seen, and what it cannot know that it must rename. */
static int collect(struct listing *l, struct err *e)
{
	if (l->plan->kind == NAMED_DECK) {
		if (deck_each_pending(l->c, l->m->min_usn, add_deck, l, e) != 0)
			return -1;
	} else if (notetype_ids_pending(l->c, l->m->min_usn, &l->ids, &l->n, e) != 0) {
		return -1;
	}
	for (size_t i = 0; i < l->plan->n_ours; i++)
		if (!listed(l, l->plan->ours[i].id))
			add_id(l, l->plan->ours[i].id);
	return 0;
}

static int print_one(struct listing *l, int64_t id, struct slice name, struct err *e)
{
	const struct naming_ours *renamed = naming_renamed(l->plan, id);
	struct notetype t;
	struct deck d;
	int rc;

	deck_init(&d);
	notetype_init(&t);
	if (l->plan->kind == NAMED_DECK) {
		rc = deck_get(l->c, id, &d, e);
		buf_set(&d.name, name.p, name.len);
		d.mod_s = renamed ? renamed->mod_s : d.mod_s;
		rc = rc == 1 ? deck_print(l->out, &d, e) : -1;
	} else {
		rc = notetype_get(l->c, id, &t, e);
		buf_set(&t.name, name.p, name.len);
		t.mod_s = renamed ? renamed->mod_s : t.mod_s;
		rc = rc == 1 ? notetype_print(l->out, &t, e) : -1;
	}
	deck_release(&d);
	notetype_release(&t);
	return rc;
}

static int emit(int64_t id, struct slice name, void *arg, struct err *e)
{
	struct listing *l = arg;

	if (l->out->data[l->out->len - 1] != '[')
		buf_putc(l->out, ',');
	return print_one(l, id, name, e);
}

/* The name that we give a row, and the one that the client has for it now. */
static int fill_row(struct listing *l, struct naming_row *row, struct buf *now, struct buf *before, struct err *e)
{
	const struct naming_in *in = naming_incoming(l->plan, row->id);
	const struct naming_ours *renamed = naming_renamed(l->plan, row->id);
	int64_t mod_s, usn;
	int rc;

	if (named_get(l->c, l->plan->kind, row->id, now, &mod_s, &usn, e) != 1)
		return -1;
	row->final = renamed ? buf_slice(&renamed->name) : buf_slice(now);
	row->free = in && in->accept;
	row->held = buf_slice(now);
	if (in) {
		row->held = in->wanted;
		return 0;
	}
	rc = home_name_before(l->home, l->plan->kind, row->id, l->m->min_usn, before, e);
	if (rc == 1)
		row->held = buf_slice(before);
	return rc < 0 ? -1 : 0;
}

static int print_named(const struct merge *m, const struct naming *plan, struct home *h, struct collection *c, struct graves *deleted,
		       struct buf *out, struct err *e)
{
	struct listing l = { .m = m, .plan = plan, .home = h, .c = c, .deleted = deleted, .out = out };
	struct naming_row *rows = NULL;
	struct buf *names = NULL;
	int rc = -1;

	buf_putc(out, '[');
	if (collect(&l, e) != 0)
		goto out;
	rows = xcalloc(l.n, sizeof *rows);
	names = xcalloc(2 * l.n, sizeof *names);
	for (size_t i = 0; i < 2 * l.n; i++)
		buf_init(&names[i], BUF_UNBOUNDED);
	for (size_t i = 0; i < l.n; i++) {
		rows[i].id = l.ids[i];
		if (fill_row(&l, &rows[i], &names[2 * i], &names[2 * i + 1], e) != 0)
			goto out;
	}
	rc = naming_order(rows, l.n, emit, &l, e);
out:
	buf_putc(out, ']');
	for (size_t i = 0; names && i < 2 * l.n; i++)
		buf_release(&names[i]);
	free(names);
	free(rows);
	free(l.ids);
	return rc;
}

static int print_config(const struct deck_config *o, void *arg, struct err *e)
{
	struct buf *out = arg;

	if (out->data[out->len - 1] != '[')
		buf_putc(out, ',');
	return deck_config_print(out, o, e);
}

static int print_tag(struct slice tag, void *arg, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	if (out->data[out->len - 1] != '[')
		buf_putc(out, ',');
	json_put_str(out, tag);
	return 0;
}

int merge_print_reply(const struct merge *m, struct home *h, struct collection *c, struct graves *deleted, bool with_conf,
		      struct buf *out, struct err *e)
{
	struct col_row col;

	buf_puts(out, "{\"models\":");
	if (print_named(m, &m->notetypes, h, c, deleted, out, e) != 0)
		return -1;
	buf_puts(out, ",\"decks\":[");
	if (print_named(m, &m->decks, h, c, deleted, out, e) != 0)
		return -1;
	buf_puts(out, ",[");
	if (deck_config_each_pending(c, m->min_usn, print_config, out, e) != 0)
		return -1;
	buf_puts(out, "]],\"tags\":[");
	if (tag_each_pending(c, m->min_usn, print_tag, out, e) != 0)
		return -1;
	buf_putc(out, ']');
	if (with_conf) {
		if (collection_col(c, &col, e) != 0)
			return -1;
		buf_puts(out, ",\"conf\":");
		if (conf_print(c, out, e) != 0)
			return -1;
		buf_printf(out, ",\"crt\":%lld", (long long)col.crt_s);
	}
	buf_putc(out, '}');
	return buf_check(out, e);
}
