/* The reply to applyChanges (merge.h). */
#include "base/json.h"
#include "core/merge.h"
#include "storage/settings.h"

/*
 * One kind's rows for the reply, in the order of naming_order, and the names that the client may have for them now. (That it
 * may have the present one already is of no matter: nobody else gets that one.)
 */
struct listing {
	const struct merge *m;
	const struct naming *plan;
	struct collection *c;
	struct graves *deleted;
	struct buf *out;
	struct naming_row *rows;
	struct naming_hold *holds;
	size_t n, cap, n_holds, cap_holds;
	int64_t *printed;
	char **copies; /* of names */
	size_t n_copies, cap_copies;
};

/* Room for one more element: `list` and its capacity grow. */
#define GROW(list, n, cap) \
	do { \
		if ((n) == (cap)) { \
			(cap) = (cap) ? 2 * (cap) : 16; \
			(list) = xrealloc((list), (cap) * sizeof *(list)); \
		} \
	} while (0)

static void add_row(struct listing *l, int64_t id, struct slice final, bool free)
{
	GROW(l->rows, l->n, l->cap);
	l->rows[l->n++] = (struct naming_row){ id, final, free };
}

static void add_hold(struct listing *l, int64_t id, struct slice name)
{
	GROW(l->holds, l->n_holds, l->cap_holds);
	l->holds[l->n_holds++] = (struct naming_hold){ id, name };
}

static struct slice keep(struct listing *l, struct slice name)
{
	char *copy = xmalloc(name.len + 1);

	if (name.len)
		memcpy(copy, name.p, name.len);
	GROW(l->copies, l->n_copies, l->cap_copies);
	l->copies[l->n_copies++] = copy;
	return (struct slice){ copy, name.len };
}

/* What the client has not seen. */
static int add_pending(int64_t id, struct slice name, void *arg, struct err *e)
{
	struct listing *l = arg;
	const struct naming_in *in = naming_incoming(l->plan, id);
	const struct naming_ours *renamed = naming_renamed(l->plan, id);

	(void)e;
	if (l->plan->kind == NAMED_DECK && graves_have(l->deleted, GRAVE_DECK, id))
		return 0;
	add_row(l, id, renamed ? buf_slice(&renamed->name) : keep(l, name), in && in->accept);
	if (in)
		add_hold(l, id, in->wanted);
	return 0;
}

/* Which of the names that a row had since then this client has seen last, nobody knows. */
static int add_old_name(int64_t id, struct slice name, void *arg, struct err *e)
{
	struct listing *l = arg;

	(void)e;
	if (!naming_incoming(l->plan, id))
		add_hold(l, id, keep(l, name));
	return 0;
}

static int collect(struct listing *l, struct home *h, struct err *e)
{
	if (named_each_pending(l->c, l->plan->kind, l->m->min_usn, add_pending, l, e) != 0)
		return -1;
	/* And what it has seen, but cannot know that it must be renamed. */
	for (size_t i = 0; i < l->plan->n_ours; i++) {
		const struct naming_ours *o = &l->plan->ours[i];

		if (!o->news)
			add_row(l, o->id, buf_slice(&o->name), false);
	}
	return l->n ? home_names_each(h, l->plan->kind, l->m->min_usn, add_old_name, l, e) : 0;
}

static void begin_element(struct buf *out)
{
	if (out->data[out->len - 1] != '[')
		buf_putc(out, ',');
}

/* Of a row that was listed a moment ago. */
static int gone(int64_t id, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "object %lld is listed, but is not there", (long long)id);
}

static int emit_deck(struct listing *l, int64_t id, struct slice name, struct err *e)
{
	const struct naming_ours *renamed = naming_renamed(l->plan, id);
	struct deck d;
	int rc;

	deck_init(&d);
	rc = deck_get(l->c, id, &d, e);
	buf_set(&d.name, name.p, name.len);
	if (renamed)
		d.mod_s = renamed->mod_s;
	if (rc == 1)
		rc = deck_print(l->out, &d, e);
	else if (rc == 0)
		rc = gone(id, e);
	deck_release(&d);
	return rc;
}

static int emit_notetype(struct listing *l, int64_t id, struct slice name, struct err *e)
{
	const struct naming_ours *renamed = naming_renamed(l->plan, id);
	struct notetype t;
	int rc;

	notetype_init(&t);
	rc = notetype_get(l->c, id, &t, e);
	buf_set(&t.name, name.p, name.len);
	if (renamed)
		t.mod_s = renamed->mod_s;
	if (rc == 1)
		rc = notetype_print(l->out, &t, e);
	else if (rc == 0)
		rc = gone(id, e);
	notetype_release(&t);
	return rc;
}

static int emit(int64_t id, struct slice name, void *arg, struct err *e)
{
	struct listing *l = arg;

	begin_element(l->out);
	++*l->printed;
	return l->plan->kind == NAMED_DECK ? emit_deck(l, id, name, e) : emit_notetype(l, id, name, e);
}

static int print_named(const struct merge *m, const struct naming *plan, struct home *h, struct collection *c, struct graves *deleted,
		       struct buf *out, int64_t *printed, struct err *e)
{
	struct listing l = { .m = m, .plan = plan, .c = c, .deleted = deleted, .out = out, .printed = printed };
	int rc = -1;

	if (collect(&l, h, e) == 0)
		rc = naming_order(l.rows, l.n, l.holds, l.n_holds, emit, &l, e);
	for (size_t i = 0; i < l.n_copies; i++)
		free(l.copies[i]);
	free(l.copies);
	free(l.rows);
	free(l.holds);
	return rc;
}

/* --- what is to be stored otherwise than it was sent: with a later time, or another name --- */

static bool amended(const struct naming_in *in, int64_t sent_s)
{
	return in->accept && in->mod_s != sent_s;
}

static int print_amended_notetypes(const struct merge *m, struct buf *out, int64_t *printed, struct err *e)
{
	for (size_t i = 0; i < m->in.n_notetypes; i++) {
		const struct naming_in *in = &m->notetypes.in[i];
		struct notetype t = m->in.notetypes[i]; /* its name and time are ours to say */

		if (!amended(in, t.mod_s))
			continue;
		t.name = in->name;
		t.mod_s = in->mod_s;
		begin_element(out);
		++*printed;
		if (notetype_print(out, &t, e) != 0)
			return -1;
	}
	return 0;
}

static int print_amended_decks(const struct merge *m, struct buf *out, int64_t *printed, struct err *e)
{
	for (size_t i = 0; i < m->in.n_decks; i++) {
		const struct naming_in *in = &m->decks.in[i];
		struct deck d = m->in.decks[i];

		if (!amended(in, d.mod_s))
			continue;
		d.name = in->name;
		d.mod_s = in->mod_s;
		begin_element(out);
		++*printed;
		if (deck_print(out, &d, e) != 0)
			return -1;
	}
	return 0;
}

static int print_amended_configs(const struct merge *m, struct buf *out, int64_t *printed, struct err *e)
{
	for (size_t i = 0; i < m->in.n_configs; i++) {
		struct deck_config o = m->in.configs[i];

		if (!m->configs[i].accept || m->configs[i].mod_s == o.mod_s)
			continue;
		o.mod_s = m->configs[i].mod_s;
		begin_element(out);
		++*printed;
		if (deck_config_print(out, &o, e) != 0)
			return -1;
	}
	return 0;
}

/* --- the whole --- */

struct printing {
	struct buf *out;
	int64_t printed;
};

static int print_config(const struct deck_config *o, void *arg, struct err *e)
{
	struct printing *p = arg;

	begin_element(p->out);
	p->printed++;
	return deck_config_print(p->out, o, e);
}

static int print_tag(struct slice tag, void *arg, struct err *e)
{
	struct printing *p = arg;

	(void)e;
	begin_element(p->out);
	p->printed++;
	json_put_str(p->out, tag);
	return 0;
}

int merge_print_reply(const struct merge *m, struct home *h, struct collection *c, struct graves *deleted, bool with_conf,
		      struct buf *out, struct session_moved *moved, struct err *e)
{
	struct printing configs = { .out = out }, tags = { .out = out };
	struct col_row col;

	buf_puts(out, "{\"models\":[");
	if (print_named(m, &m->notetypes, h, c, deleted, out, &moved->notetypes, e) != 0 ||
	    print_amended_notetypes(m, out, &moved->notetypes, e) != 0)
		return -1;
	buf_puts(out, "],\"decks\":[[");
	if (print_named(m, &m->decks, h, c, deleted, out, &moved->decks, e) != 0 ||
	    print_amended_decks(m, out, &moved->decks, e) != 0)
		return -1;
	buf_puts(out, "],[");
	if (deck_config_each_pending(c, m->min_usn, print_config, &configs, e) != 0 ||
	    print_amended_configs(m, out, &configs.printed, e) != 0)
		return -1;
	buf_puts(out, "]],\"tags\":[");
	if (tag_each_pending(c, m->min_usn, print_tag, &tags, e) != 0)
		return -1;
	moved->options += configs.printed;
	moved->tags += tags.printed;
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
