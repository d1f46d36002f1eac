/* See objects.h. */
#include "storage/objects.h"

#include "storage/collection_priv.h"

static void column_to_buf(sqlite3_stmt *st, int i, struct buf *b)
{
	struct slice s = sql_column(st, i);

	buf_set(b, s.p, s.len);
}

static void read_deck(sqlite3_stmt *st, struct deck *d)
{
	d->id = sqlite3_column_int64(st, 0);
	column_to_buf(st, 1, &d->name);
	d->mod_s = sqlite3_column_int64(st, 2);
	d->usn = sqlite3_column_int(st, 3);
	column_to_buf(st, 4, &d->common);
	column_to_buf(st, 5, &d->kind);
}

/* Bind ?1 and step once: 1 with the row still current (reset it!), 0, -1. */
static int step_by_id(struct collection *c, enum col_stmt n, int64_t id, sqlite3_stmt **st, struct err *e)
{
	*st = sql_stmt(&c->sql, (int)n, e);
	if (!*st)
		return -1;
	sqlite3_bind_int64(*st, 1, id);
	return sql_step(&c->sql, *st, e);
}

static int run_by_id(struct collection *c, enum col_stmt n, int64_t id, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, (int)n, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	return sql_run(&c->sql, st, e);
}

int deck_get(struct collection *c, int64_t id, struct deck *d, struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, DECK_GET, id, &st, e);

	if (rc == 1) {
		read_deck(st, d);
		sqlite3_reset(st);
	}
	return rc;
}

int deck_put(struct collection *c, const struct deck *d, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, DECK_PUT, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, d->id);
	sql_bind_text(st, 2, buf_slice(&d->name));
	sqlite3_bind_int64(st, 3, d->mod_s);
	sqlite3_bind_int64(st, 4, d->usn);
	sql_bind_blob(st, 5, buf_slice(&d->common));
	sql_bind_blob(st, 6, buf_slice(&d->kind));
	return sql_run(&c->sql, st, e);
}

int deck_delete(struct collection *c, int64_t id, struct err *e)
{
	return run_by_id(c, DECK_DELETE, id, e);
}

/* The five columns that option groups and note types begin with. */
static void read_five(sqlite3_stmt *st, int64_t *id, struct buf *name, int64_t *mod_s, int32_t *usn, struct buf *config)
{
	*id = sqlite3_column_int64(st, 0);
	column_to_buf(st, 1, name);
	*mod_s = sqlite3_column_int64(st, 2);
	*usn = sqlite3_column_int(st, 3);
	column_to_buf(st, 4, config);
}

static int put_five(struct collection *c, enum col_stmt n, int64_t id, const struct buf *name, int64_t mod_s, int32_t usn,
		    const struct buf *config, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, (int)n, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	sql_bind_text(st, 2, buf_slice(name));
	sqlite3_bind_int64(st, 3, mod_s);
	sqlite3_bind_int64(st, 4, usn);
	sql_bind_blob(st, 5, buf_slice(config));
	return sql_run(&c->sql, st, e);
}

int deck_config_get(struct collection *c, int64_t id, struct deck_config *o, struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, DECK_CONFIG_GET, id, &st, e);

	if (rc == 1) {
		read_five(st, &o->id, &o->name, &o->mod_s, &o->usn, &o->config);
		sqlite3_reset(st);
	}
	return rc;
}

int deck_config_put(struct collection *c, const struct deck_config *o, struct err *e)
{
	return put_five(c, DECK_CONFIG_PUT, o->id, &o->name, o->mod_s, o->usn, &o->config, e);
}

static int get_parts(struct collection *c, enum col_stmt n, struct notetype *t, struct notetype_part *(*add)(struct notetype *),
		     struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, n, t->id, &st, e);

	for (; rc == 1; rc = sql_step(&c->sql, st, e)) {
		struct notetype_part *part = add(t);

		column_to_buf(st, 0, &part->name);
		column_to_buf(st, 1, &part->config);
	}
	return rc;
}

int notetype_get(struct collection *c, int64_t id, struct notetype *n, struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, NOTETYPE_GET, id, &st, e);

	if (rc != 1)
		return rc;
	read_five(st, &n->id, &n->name, &n->mod_s, &n->usn, &n->config);
	sqlite3_reset(st);
	if (get_parts(c, FIELDS_GET, n, notetype_add_field, e) != 0 ||
	    get_parts(c, TEMPLATES_GET, n, notetype_add_template, e) != 0)
		return -1;
	return 1;
}

static int put_parts(struct collection *c, enum col_stmt n, int64_t id, const struct notetype_part *parts, size_t count,
		     struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		sqlite3_stmt *st = sql_stmt(&c->sql, (int)n, e);

		if (!st)
			return -1;
		sqlite3_bind_int64(st, 1, id);
		sqlite3_bind_int64(st, 2, (int64_t)i);
		sql_bind_text(st, 3, buf_slice(&parts[i].name));
		sql_bind_blob(st, 4, buf_slice(&parts[i].config));
		if (sql_run(&c->sql, st, e) != 0)
			return -1;
	}
	return 0;
}

int notetype_put(struct collection *c, const struct notetype *n, struct err *e)
{
	if (put_five(c, NOTETYPE_PUT, n->id, &n->name, n->mod_s, n->usn, &n->config, e) != 0 ||
	    run_by_id(c, FIELDS_DELETE, n->id, e) != 0 || run_by_id(c, TEMPLATES_DELETE, n->id, e) != 0)
		return -1;
	if (put_parts(c, FIELD_ADD, n->id, n->fields, n->n_fields, e) != 0)
		return -1;
	return put_parts(c, TEMPLATE_ADD, n->id, n->templates, n->n_templates, e);
}

int notetype_shape(struct collection *c, int64_t id, size_t *n_fields, uint32_t *sort_field, struct err *e)
{
	sqlite3_stmt *st;
	int64_t count = 0;
	int rc = step_by_id(c, NOTETYPE_CONFIG, id, &st, e);

	if (rc != 1)
		return rc;
	rc = notetype_sort_field(sql_column(st, 0), sort_field, e);
	sqlite3_reset(st);
	if (rc != 0)
		return -1;
	rc = step_by_id(c, FIELD_COUNT, id, &st, e);
	if (rc != 1)
		return -1;
	count = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	*n_fields = (size_t)count;
	return 1;
}

int deck_each_pending(struct collection *c, int64_t min_usn, deck_fn *fn, void *arg, struct err *e)
{
	struct deck d;
	sqlite3_stmt *st;
	int rc = step_by_id(c, DECK_PENDING, min_usn, &st, e);

	deck_init(&d);
	while (rc == 1) {
		read_deck(st, &d);
		rc = fn(&d, arg, e) == 0 ? sql_step(&c->sql, st, e) : -1;
	}
	if (st)
		sqlite3_reset(st);
	deck_release(&d);
	return rc;
}

int deck_config_each_pending(struct collection *c, int64_t min_usn, deck_config_fn *fn, void *arg, struct err *e)
{
	struct deck_config o;
	sqlite3_stmt *st;
	int rc = step_by_id(c, DECK_CONFIG_PENDING, min_usn, &st, e);

	deck_config_init(&o);
	while (rc == 1) {
		read_five(st, &o.id, &o.name, &o.mod_s, &o.usn, &o.config);
		rc = fn(&o, arg, e) == 0 ? sql_step(&c->sql, st, e) : -1;
	}
	if (st)
		sqlite3_reset(st);
	deck_config_release(&o);
	return rc;
}

int notetype_ids_pending(struct collection *c, int64_t min_usn, int64_t **ids, size_t *n, struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, NOTETYPE_PENDING, min_usn, &st, e);

	*ids = NULL;
	*n = 0;
	for (; rc == 1; rc = sql_step(&c->sql, st, e)) {
		*ids = xrealloc(*ids, (*n + 1) * sizeof **ids);
		(*ids)[(*n)++] = sqlite3_column_int64(st, 0);
	}
	return rc;
}

int named_get(struct collection *c, enum named_kind kind, int64_t id, struct buf *name, int64_t *mod_s, int64_t *usn, struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, kind == NAMED_DECK ? DECK_GET : NOTETYPE_GET, id, &st, e);

	if (rc == 1) {
		column_to_buf(st, 1, name);
		*mod_s = sqlite3_column_int64(st, 2);
		*usn = sqlite3_column_int64(st, 3);
		sqlite3_reset(st);
	}
	return rc;
}

int named_each_pending(struct collection *c, enum named_kind kind, int64_t min_usn, named_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *st;
	int rc = step_by_id(c, kind == NAMED_DECK ? DECK_PENDING : NOTETYPE_PENDING, min_usn, &st, e);

	for (; rc == 1; rc = sql_step(&c->sql, st, e))
		if (fn(sqlite3_column_int64(st, 0), sql_column(st, 1), arg, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	return rc;
}

int named_holder(struct collection *c, enum named_kind kind, struct slice name, int64_t *id, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, kind == NAMED_DECK ? DECK_BY_NAME : NOTETYPE_BY_NAME, e);

	if (!st)
		return -1;
	sql_bind_text(st, 1, name);
	return sql_int(&c->sql, st, id, e);
}

int named_rename(struct collection *c, enum named_kind kind, int64_t id, struct slice name, int64_t mod_s, int64_t usn, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, kind == NAMED_DECK ? DECK_RENAME : NOTETYPE_RENAME, e);

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, id);
	sql_bind_text(st, 2, name);
	sqlite3_bind_int64(st, 3, mod_s);
	sqlite3_bind_int64(st, 4, usn);
	return sql_run(&c->sql, st, e);
}
