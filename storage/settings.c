/* See settings.h. */
#include "storage/settings.h"

#include "format/day.h"
#include "format/tags.h"
#include "storage/collection_priv.h"

enum { LEVELS_MAX = 10, LONG_TAG_BYTES = 1000 };

/* The stored spelling of a tag that is equal under unicase: 1 with a copy in *found, 0, -1. */
static int tag_find(struct collection *c, struct slice name, struct buf *found, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, TAG_FIND, e);
	struct slice s;
	int rc;

	if (!st)
		return -1;
	sql_bind_text(st, 1, name);
	rc = sql_step(&c->sql, st, e);
	if (rc == 1) {
		s = sql_column(st, 0);
		buf_set(found, s.p, s.len);
		sqlite3_reset(st);
	}
	return rc;
}

/*
 * The nearest ancestor that exists: 1 with its spelling, 0, -1. Somebody may send a tag of a hundred thousand levels, or
 * thousands of long ones, and looking for each of their levels would take minutes.
 */
static int nearest_ancestor(struct collection *c, struct slice name, struct buf *found, struct err *e)
{
	int rc = 0;

	if (name.len > LONG_TAG_BYTES)
		return 0;
	for (int level = 0; rc == 0 && level < LEVELS_MAX && tag_parent(name, &name); level++)
		rc = tag_find(c, name, found, e);
	return rc;
}

int tag_add(struct collection *c, struct slice name, int64_t usn, struct err *e)
{
	struct buf clean = BUF_INIT(BUF_UNBOUNDED), found = BUF_INIT(BUF_UNBOUNDED), adopted = BUF_INIT(BUF_UNBOUNDED);
	const struct buf *final = &clean;
	sqlite3_stmt *st;
	int rc = -1;

	tag_normalize(name, &clean);
	switch (tag_find(c, buf_slice(&clean), &found, e)) {
	case 1:
		rc = 0;
		goto out;
	case -1:
		goto out;
	}
	switch (nearest_ancestor(c, buf_slice(&clean), &found, e)) {
	case 1:
		tag_adopt(buf_slice(&clean), buf_slice(&found), &adopted);
		final = &adopted;
		break;
	case -1:
		goto out;
	}
	st = sql_stmt(&c->sql, TAG_ADD, e);
	if (!st)
		goto out;
	sql_bind_text(st, 1, buf_slice(final));
	sqlite3_bind_int64(st, 2, usn);
	rc = sql_run(&c->sql, st, e);
out:
	buf_release(&clean);
	buf_release(&found);
	buf_release(&adopted);
	return rc;
}

int tag_each_pending(struct collection *c, int64_t min_usn, tag_fn *fn, void *arg, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, TAGS_PENDING, e);
	int rc;

	if (!st)
		return -1;
	sqlite3_bind_int64(st, 1, min_usn);
	while ((rc = sql_step(&c->sql, st, e)) == 1)
		if (fn(sql_column(st, 0), arg, e) != 0) {
			sqlite3_reset(st);
			return -1;
		}
	return rc;
}

static bool is_json(sqlite3_stmt *st, int column)
{
	struct json_object *o = NULL;
	bool ok;

	if (sqlite3_column_type(st, column) != SQLITE_BLOB)
		return false;
	ok = json_parse(sql_column(st, column), &JSON_LIMITS_PAYLOAD, &o, NULL) == 0;
	json_object_put(o);
	return ok;
}

int conf_get(struct collection *c, const char *key, struct buf *val, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, CONFIG_GET, e);
	int rc;

	if (!st)
		return -1;
	sql_bind_text(st, 1, slice_of(key));
	rc = sql_step(&c->sql, st, e);
	if (rc == 1) {
		struct slice s = sql_column(st, 0);

		if (is_json(st, 0))
			buf_set(val, s.p, s.len);
		else
			rc = 0;
		sqlite3_reset(st);
	}
	return rc;
}

int conf_put(struct collection *c, struct slice key, struct slice val, int64_t usn, int64_t now_s, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, CONFIG_PUT, e);

	if (!st)
		return -1;
	sql_bind_text(st, 1, key);
	sqlite3_bind_int64(st, 2, usn);
	sqlite3_bind_int64(st, 3, now_s);
	sql_bind_blob(st, 4, val);
	return sql_run(&c->sql, st, e);
}

struct conf_entry {
	const char *key;
	struct json_object *value;
	bool same; /* as it is in the table */
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct conf_entry *)a)->key, ((const struct conf_entry *)b)->key);
}

static struct conf_entry *sorted_entries(struct json_object *map, size_t *n)
{
	struct conf_entry *list = xcalloc((size_t)json_object_object_length(map), sizeof *list);

	*n = 0;
	json_object_object_foreach(map, key, value)
	{
		if (!json_is_mark(key))
			list[(*n)++] = (struct conf_entry){ key, value, false };
	}
	qsort(list, *n, sizeof *list, by_key);
	return list;
}

/* Mark what is there already. Keys that are in the table only go into `gone`, with their lengths before them. */
static int compare_conf(struct collection *c, struct conf_entry *list, size_t n, struct buf *gone, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, CONFIG_ALL, e);
	struct buf text = BUF_INIT(BUF_UNBOUNDED);
	size_t i = 0;
	int rc;

	if (!st)
		return -1;
	while ((rc = sql_step(&c->sql, st, e)) == 1) {
		struct slice key = sql_column(st, 0), stored = sql_column(st, 1);

		while (i < n && strcmp(list[i].key, key.p) < 0)
			i++;
		if (i == n || !slice_eq_str(key, list[i].key)) {
			buf_put(gone, &key.len, sizeof key.len);
			buf_put(gone, key.p, key.len);
			continue;
		}
		buf_reset(&text);
		json_put_value(&text, list[i].value);
		list[i].same = sqlite3_column_type(st, 1) == SQLITE_BLOB && slice_eq(stored, buf_slice(&text));
	}
	buf_release(&text);
	return rc;
}

static int delete_keys(struct collection *c, const struct buf *gone, struct err *e)
{
	for (size_t at = 0; at < gone->len;) {
		sqlite3_stmt *st = sql_stmt(&c->sql, CONFIG_DELETE, e);
		struct slice key;

		memcpy(&key.len, gone->data + at, sizeof key.len);
		key.p = gone->data + at + sizeof key.len;
		at += sizeof key.len + key.len;
		if (!st)
			return -1;
		sql_bind_text(st, 1, key);
		if (sql_run(&c->sql, st, e) != 0)
			return -1;
	}
	return 0;
}

int conf_replace(struct collection *c, struct json_object *map, int64_t usn, int64_t now_s, struct err *e)
{
	struct buf gone = BUF_INIT(BUF_UNBOUNDED), text = BUF_INIT(BUF_UNBOUNDED);
	size_t n;
	struct conf_entry *list = sorted_entries(map, &n);
	int rc = compare_conf(c, list, n, &gone, e);

	if (rc == 0)
		rc = delete_keys(c, &gone, e);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (list[i].same)
			continue;
		buf_reset(&text);
		json_put_value(&text, list[i].value);
		rc = conf_put(c, slice_of(list[i].key), buf_slice(&text), usn, now_s, e);
	}
	free(list);
	buf_release(&gone);
	buf_release(&text);
	return rc;
}

int conf_print(struct collection *c, struct buf *out, struct err *e)
{
	sqlite3_stmt *st = sql_stmt(&c->sql, CONFIG_ALL, e);
	bool first = true;
	int rc;

	if (!st)
		return -1;
	buf_putc(out, '{');
	while ((rc = sql_step(&c->sql, st, e)) == 1) {
		struct slice key = sql_column(st, 0), val;

		if (!is_json(st, 1))
			continue;
		val = sql_column(st, 1);
		if (!first)
			buf_putc(out, ',');
		first = false;
		json_put_str(out, key);
		buf_putc(out, ':');
		buf_put(out, val.p, val.len);
	}
	buf_putc(out, '}');
	return rc;
}

struct day_values {
	struct buf sched_ver, rollover, creation_offset, local_offset, last_unburied;
};

static int read_day_value(struct collection *c, const char *key, struct buf *b, struct slice *s, struct err *e)
{
	int rc = conf_get(c, key, b, e);

	*s = rc == 1 ? buf_slice(b) : (struct slice){ NULL, 0 };
	return rc < 0 ? -1 : 0;
}

static int read_day_config(struct collection *c, struct day_values *v, struct day_config *d, struct err *e)
{
	if (read_day_value(c, "schedVer", &v->sched_ver, &d->sched_ver, e) != 0 ||
	    read_day_value(c, "rollover", &v->rollover, &d->rollover, e) != 0 ||
	    read_day_value(c, "creationOffset", &v->creation_offset, &d->creation_offset, e) != 0 ||
	    read_day_value(c, "localOffset", &v->local_offset, &d->local_offset, e) != 0)
		return -1;
	return read_day_value(c, "lastUnburied", &v->last_unburied, &d->last_unburied, e);
}

static int restore_buried(struct collection *c, struct err *e)
{
	int64_t (*rows)[2] = NULL;
	size_t n = 0;
	sqlite3_stmt *st = sql_stmt(&c->sql, CARDS_BURIED, e);
	int rc;

	if (!st)
		return -1;
	/* The list first: the updates move entries of the index that is being read. */
	while ((rc = sql_step(&c->sql, st, e)) == 1) {
		rows = xrealloc(rows, (n + 1) * sizeof *rows);
		rows[n][0] = sqlite3_column_int64(st, 0);
		rows[n++][1] = day_restored_queue(sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2));
	}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		st = sql_stmt(&c->sql, CARD_SET_QUEUE, e);
		if (!st) {
			rc = -1;
			break;
		}
		sqlite3_bind_int64(st, 1, rows[i][0]);
		sqlite3_bind_int64(st, 2, rows[i][1]);
		rc = sql_run(&c->sql, st, e);
	}
	free(rows);
	return rc;
}

static int put_day_value(struct collection *c, const char *key, int64_t v, int64_t usn, int64_t now_s, struct err *e)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)v);
	return conf_put(c, slice_of(key), slice_of(text), usn, now_s, e);
}

static int carry_out(struct collection *c, const struct day_plan *plan, int64_t usn, int64_t now_s, struct err *e)
{
	if (plan->write_rollover && put_day_value(c, "rollover", 4, usn, now_s, e) != 0)
		return -1;
	if (!plan->unbury)
		return 0;
	if (restore_buried(c, e) != 0)
		return -1;
	return put_day_value(c, "lastUnburied", plan->today, usn, now_s, e);
}

int collection_unbury(struct collection *c, int64_t now_s, struct err *e)
{
	struct day_values v = {
		BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED),
		BUF_INIT(BUF_UNBOUNDED),
	};
	struct day_config d;
	struct day_plan plan;
	struct col_row col;
	int rc = -1;

	if (collection_col(c, &col, e) != 0 || read_day_config(c, &v, &d, e) != 0)
		goto out;
	day_plan(now_s, col.crt_s, &d, &plan);
	if (!plan.unbury && !plan.write_rollover) {
		rc = 0;
		goto out;
	}
	if (collection_begin_loose(c, e) != 0)
		goto out;
	if (carry_out(c, &plan, col.usn, now_s, e) == 0)
		rc = collection_commit(c, e);
	else
		collection_rollback(c);
out:
	buf_release(&v.sched_ver);
	buf_release(&v.rollover);
	buf_release(&v.creation_offset);
	buf_release(&v.local_offset);
	buf_release(&v.last_unburied);
	return rc;
}
