/* See merge.h. The reply is in merge_reply.c. */
#include "core/merge.h"

#include "core/verdict.h"
#include "storage/settings.h"

static void name_incoming(struct merge *m)
{
	naming_init(&m->notetypes, NAMED_NOTETYPE, m->in.n_notetypes);
	for (size_t i = 0; i < m->in.n_notetypes; i++) {
		const struct notetype *n = &m->in.notetypes[i];

		m->notetypes.in[i].id = n->id;
		m->notetypes.in[i].mod_s = n->mod_s;
		m->notetypes.in[i].wanted = buf_slice(&n->name);
	}
	naming_init(&m->decks, NAMED_DECK, m->in.n_decks);
	for (size_t i = 0; i < m->in.n_decks; i++) {
		const struct deck *d = &m->in.decks[i];

		m->decks.in[i].id = d->id;
		m->decks.in[i].mod_s = d->mod_s;
		m->decks.in[i].wanted = buf_slice(&d->name);
	}
}

/* Another number of fields or templates asks for a full sync on the client's side: it may not come this way. */
static int check_shape(const struct naming_in *in, const struct notetype *theirs, struct collection *c, struct err *e)
{
	struct notetype ours;
	int rc;

	if (!in->accept || !in->here)
		return 0;
	notetype_init(&ours);
	rc = notetype_get(c, in->id, &ours, e);
	if (rc == 1 && (ours.n_fields != theirs->n_fields || ours.n_templates != theirs->n_templates))
		rc = err_set(e, ERR_BAD_REQUEST, "note type %lld: %zu fields and %zu templates, here %zu and %zu", (long long)in->id,
			     theirs->n_fields, theirs->n_templates, ours.n_fields, ours.n_templates);
	notetype_release(&ours);
	return rc < 0 ? -1 : 0;
}

/* Of several with one id, which no client sends, each meets the one before. */
static int decide_configs(struct merge *m, struct collection *c, struct err *e)
{
	struct deck_config ours;
	int rc = 0;

	m->configs = xcalloc(m->in.n_configs, sizeof *m->configs);
	deck_config_init(&ours);
	for (size_t i = 0; rc >= 0 && i < m->in.n_configs; i++) {
		const struct deck_config *theirs = &m->in.configs[i];
		struct merge_config *fate = &m->configs[i];

		fate->mod_s = theirs->mod_s;
		rc = deck_config_get(c, theirs->id, &ours, e);
		fate->accept = rc == 0 || verdict_theirs(ours.usn >= m->min_usn, ours.mod_s, &fate->mod_s);
	}
	deck_config_release(&ours);
	return rc < 0 ? -1 : 0;
}

int merge_prepare(struct merge *m, struct slice payload, struct collection *c, struct graves *deleted, int64_t min_usn,
		  int64_t now_s, struct err *e)
{
	*m = (struct merge){ .min_usn = min_usn, .now_s = now_s };
	if (incoming_parse(&m->in, payload, e) != 0)
		return -1;
	name_incoming(m);
	if (naming_plan(&m->notetypes, c, deleted, min_usn, now_s, e) != 0 || naming_plan(&m->decks, c, deleted, min_usn, now_s, e) != 0)
		return -1;
	for (size_t i = 0; i < m->in.n_notetypes; i++)
		if (check_shape(&m->notetypes.in[i], &m->in.notetypes[i], c, e) != 0)
			return -1;
	return decide_configs(m, c, e);
}

void merge_release(struct merge *m)
{
	naming_release(&m->notetypes);
	naming_release(&m->decks);
	free(m->configs);
	m->configs = NULL;
	incoming_release(&m->in);
}

static int apply_notetypes(struct merge *m, struct home *h, struct collection *c, int64_t usn, struct err *e)
{
	if (naming_apply(&m->notetypes, h, c, usn, e) != 0)
		return -1;
	for (size_t i = 0; i < m->in.n_notetypes; i++) {
		struct notetype *n = &m->in.notetypes[i];

		if (!m->notetypes.in[i].accept)
			continue;
		buf_set(&n->name, m->notetypes.in[i].name.data, m->notetypes.in[i].name.len);
		n->mod_s = m->notetypes.in[i].mod_s;
		n->usn = (int32_t)usn;
		if (notetype_put(c, n, e) != 0)
			return -1;
	}
	return 0;
}

static int apply_decks(struct merge *m, struct home *h, struct collection *c, int64_t usn, struct err *e)
{
	if (naming_apply(&m->decks, h, c, usn, e) != 0)
		return -1;
	for (size_t i = 0; i < m->in.n_decks; i++) {
		struct deck *d = &m->in.decks[i];

		if (!m->decks.in[i].accept)
			continue;
		buf_set(&d->name, m->decks.in[i].name.data, m->decks.in[i].name.len);
		d->mod_s = m->decks.in[i].mod_s;
		d->usn = (int32_t)usn;
		if (deck_put(c, d, e) != 0)
			return -1;
	}
	return 0;
}

static int apply_configs(struct merge *m, struct collection *c, int64_t usn, struct err *e)
{
	for (size_t i = 0; i < m->in.n_configs; i++) {
		struct deck_config *o = &m->in.configs[i];

		if (!m->configs[i].accept)
			continue;
		o->mod_s = m->configs[i].mod_s;
		o->usn = (int32_t)usn;
		if (deck_config_put(c, o, e) != 0)
			return -1;
	}
	return 0;
}

int merge_apply(struct merge *m, struct home *h, struct collection *c, int64_t usn, struct err *e)
{
	struct col_row col;

	if (apply_notetypes(m, h, c, usn, e) != 0 || apply_decks(m, h, c, usn, e) != 0 || apply_configs(m, c, usn, e) != 0)
		return -1;
	for (size_t i = 0; i < m->in.n_tags; i++)
		if (tag_add(c, m->in.tags[i], usn, e) != 0)
			return -1;
	if (m->in.has_crt) {
		if (collection_col(c, &col, e) != 0)
			return -1;
		col.crt_s = m->in.crt_s;
		if (collection_set_col(c, &col, e) != 0)
			return -1;
	}
	return m->in.conf ? conf_replace(c, m->in.conf, usn, m->now_s, e) : 0;
}
