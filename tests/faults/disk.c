/* See disk.h. */
#include "tests/faults/disk.h"

#include <fcntl.h>
#include <limits.h>

#include "base/buf.h"
#include "tests/faults/shim.h"

enum { SECTOR = 512, FDS = 1024, NODES_MAX = 4096, ENTRIES_MAX = 64 };

struct change {      /* since the last sync */
	uint64_t at;
	const char *data; /* NULL: the length becomes `at` */
	size_t len;
	/* Of a folder. */
	char *add, *drop;
	int node;         /* behind `add` */
};

struct entry {
	char *name;
	int node;
};

struct folder {
	struct entry list[ENTRIES_MAX];
	int n;
};

struct node {
	bool is_dir;
	struct buf bytes; /* synced */
	struct folder synced, now;
	struct change *changes;
	size_t n_changes;
};

struct disk {
	struct node *nodes;
	int n;
	int fds[2][FDS];
	size_t at; /* in the trace */
	int acks;
};

static void __attribute__((noreturn)) die(const char *what, const char *path)
{
	fprintf(stderr, "disk: %s: %s\n", what, path);
	exit(2);
}

static int node_new(struct disk *d, bool is_dir)
{
	if (d->n == NODES_MAX)
		die("too many files", "");
	d->nodes[d->n] = (struct node){ .is_dir = is_dir, .bytes = BUF_INIT(BUF_UNBOUNDED) };
	return d->n++;
}

static struct change *change_new(struct node *n)
{
	n->changes = realloc(n->changes, (n->n_changes + 1) * sizeof *n->changes);
	n->changes[n->n_changes] = (struct change){ .node = -1 };
	return &n->changes[n->n_changes++];
}

static void node_sync(struct node *n);

/* --- names --- */

static int folder_find(const struct folder *f, const char *name)
{
	for (int i = 0; i < f->n; i++)
		if (strcmp(f->list[i].name, name) == 0)
			return i;
	return -1;
}

static void folder_drop(struct folder *f, const char *name)
{
	int i = folder_find(f, name);

	if (i < 0)
		return;
	free(f->list[i].name);
	f->list[i] = f->list[--f->n];
}

static void folder_put(struct folder *f, const char *name, int node)
{
	folder_drop(f, name);
	if (f->n == ENTRIES_MAX)
		die("too many names", name);
	f->list[f->n++] = (struct entry){ strdup(name), node };
}

static void folder_apply(struct folder *f, const struct change *c)
{
	if (c->drop)
		folder_drop(f, c->drop);
	if (c->add)
		folder_put(f, c->add, c->node);
}

static void folder_clear(struct folder *f)
{
	while (f->n)
		folder_drop(f, f->list[0].name);
}

static void folder_copy(struct folder *to, const struct folder *from)
{
	folder_clear(to);
	for (int i = 0; i < from->n; i++)
		folder_put(to, from->list[i].name, from->list[i].node);
}

/* The folder that holds the last part of `path`, which is in *name afterwards. */
static int walk(struct disk *d, const char *path, const char **name)
{
	int at = 0;

	path += strlen(shim->root);
	while (*path == '/')
		path++;
	for (;;) {
		const char *slash = strchr(path, '/');
		char part[NAME_MAX + 1];
		int i;

		if (!slash) {
			*name = path;
			return at;
		}
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		i = folder_find(&d->nodes[at].now, part);
		if (i < 0)
			die("no such folder", path);
		at = d->nodes[at].now.list[i].node;
		path = slash + 1;
	}
}

static void rename_entry(struct disk *d, int dir, const char *drop, const char *add, int node)
{
	struct change *c = change_new(&d->nodes[dir]);

	c->drop = drop ? strdup(drop) : NULL;
	c->add = add ? strdup(add) : NULL;
	c->node = node;
	folder_apply(&d->nodes[dir].now, c);
}

/* --- bytes --- */

static void set_length(struct buf *b, uint64_t n)
{
	static const char zeros[4096];

	while (b->len < n)
		buf_put(b, zeros, n - b->len < sizeof zeros ? n - b->len : sizeof zeros);
	b->len = n;
}

static void put_bytes(struct buf *b, uint64_t at, const char *p, size_t n)
{
	if (b->len < at + n)
		set_length(b, at + n);
	memcpy(b->data + at, p, n);
}

static void apply(struct buf *b, const struct change *c)
{
	if (c->data)
		put_bytes(b, c->at, c->data, c->len);
	else
		set_length(b, c->at);
}

static void node_sync(struct node *n)
{
	for (size_t i = 0; i < n->n_changes; i++) {
		if (n->is_dir)
			folder_apply(&n->synced, &n->changes[i]);
		else
			apply(&n->bytes, &n->changes[i]);
		free(n->changes[i].add);
		free(n->changes[i].drop);
	}
	n->n_changes = 0;
}

/* --- the trace --- */

struct disk *disk_new(const struct image *start)
{
	struct disk *d = xcalloc(1, sizeof *d);
	char path[PATH_MAX];
	const char *name;

	d->nodes = xcalloc(NODES_MAX, sizeof *d->nodes);
	node_new(d, true);
	for (size_t i = 0; i < start->n; i++) {
		int node = node_new(d, start->files[i].is_dir), dir;

		snprintf(path, sizeof path, "%s/%s", shim->root, start->files[i].path);
		dir = walk(d, path, &name);
		rename_entry(d, dir, NULL, name, node);
		node_sync(&d->nodes[dir]);
		if (start->files[i].len)
			buf_put(&d->nodes[node].bytes, start->files[i].data, start->files[i].len);
	}
	return d;
}

void disk_free(struct disk *d)
{
	for (int i = 0; i < d->n; i++) {
		node_sync(&d->nodes[i]);
		free(d->nodes[i].changes);
		folder_clear(&d->nodes[i].now);
		folder_clear(&d->nodes[i].synced);
		buf_release(&d->nodes[i].bytes);
	}
	free(d->nodes);
	free(d);
}

static void take_open(struct disk *d, const struct shim_record *r, const char *path)
{
	const char *name;
	int dir = walk(d, path, &name), i = *name ? folder_find(&d->nodes[dir].now, name) : -1, node;

	if (!*name) {
		node = 0;
	} else if (i >= 0) {
		node = d->nodes[dir].now.list[i].node;
		if (r->at & O_TRUNC)
			change_new(&d->nodes[node])->at = 0;
	} else {
		node = node_new(d, false);
		rename_entry(d, dir, NULL, name, node);
	}
	d->fds[r->child][r->fd] = node;
}

static void take_rename(struct disk *d, const char *from, const char *to)
{
	const char *old, *new;
	int dir = walk(d, from, &old), i = folder_find(&d->nodes[dir].now, old);

	if (walk(d, to, &new) != dir || i < 0)
		die("a rename between folders", to);
	rename_entry(d, dir, old, new, d->nodes[dir].now.list[i].node);
}

int disk_next(struct disk *d)
{
	const struct shim_record *r = (const struct shim_record *)(shim->trace + d->at);
	const char *data = (const char *)(r + 1), *name;
	struct change *c;
	int dir;

	if (d->at >= shim->trace_len)
		return 0;
	d->at += sizeof *r + ((r->len + 7) & ~(size_t)7);
	switch (r->op) {
	case OP_OPEN:
		take_open(d, r, data);
		break;
	case OP_WRITE:
	case OP_TRUNCATE:
		c = change_new(&d->nodes[d->fds[r->child][r->fd]]);
		c->at = r->at;
		c->data = r->op == OP_WRITE ? data : NULL;
		c->len = r->len;
		break;
	case OP_SYNC:
		node_sync(&d->nodes[d->fds[r->child][r->fd]]);
		break;
	case OP_SYNC_ALL:
		for (int i = 0; i < d->n; i++)
			node_sync(&d->nodes[i]);
		break;
	case OP_RENAME:
		take_rename(d, data, data + strlen(data) + 1);
		break;
	case OP_UNLINK:
	case OP_RMDIR:
		dir = walk(d, data, &name);
		rename_entry(d, dir, name, NULL, -1);
		break;
	case OP_MKDIR:
		dir = walk(d, data, &name);
		rename_entry(d, dir, NULL, name, node_new(d, true));
		break;
	case OP_ACK:
		d->acks++;
		break;
	}
	return 1;
}

int disk_acks(const struct disk *d)
{
	return d->acks;
}

/* --- states --- */

struct choosing {
	const struct disk *d;
	enum disk_choice choice;
	uint64_t random;
	struct image *out;
};

static uint32_t draw(struct choosing *c)
{
	c->random = c->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(c->random >> 33);
}

enum part { NONE, ALL, BEGINNING, ANY };

static enum part part_of(struct choosing *c, bool is_dir)
{
	switch (c->choice) {
	case DISK_LOST:
		return NONE;
	case DISK_KEPT:
		return ALL;
	case DISK_NAMES_ONLY:
		return is_dir ? ALL : NONE;
	case DISK_BYTES_ONLY:
		return is_dir ? NONE : ALL;
	default:
		return (enum part)(draw(c) % 4);
	}
}

/* A write of which each sector is there or not; what it lengthened the file by may be zeros. */
static void apply_torn(struct choosing *c, struct buf *b, const struct change *w)
{
	if (!w->data) {
		apply(b, w);
		return;
	}
	for (uint64_t at = w->at, end; at < w->at + w->len; at = end) {
		end = (at / SECTOR + 1) * SECTOR;
		if (end > w->at + w->len)
			end = w->at + w->len;
		if (draw(c) % 2)
			put_bytes(b, at, w->data + (at - w->at), end - at);
	}
}

static void choose_bytes(struct choosing *c, const struct node *n, struct image_file *f)
{
	struct buf b = BUF_INIT(BUF_UNBOUNDED);
	enum part part = part_of(c, false);
	size_t end = part == NONE ? 0 : part == BEGINNING ? draw(c) % (n->n_changes + 1) : n->n_changes;

	buf_put(&b, n->bytes.data ? n->bytes.data : "", n->bytes.len);
	for (size_t i = 0; i < end; i++) {
		if (part != ANY)
			apply(&b, &n->changes[i]);
		else if (draw(c) % 2)
			(void)(draw(c) % 2 ? apply(&b, &n->changes[i]) : apply_torn(c, &b, &n->changes[i]));
	}
	/* The write that was going on. */
	if (part == BEGINNING && end < n->n_changes)
		apply_torn(c, &b, &n->changes[end]);
	f->data = (char *)b.data;
	f->len = b.len;
}

static void choose(struct choosing *c, int node, const char *path)
{
	const struct node *n = &c->d->nodes[node];
	struct folder f = { .n = 0 };
	enum part part = part_of(c, true);
	size_t end = part == NONE ? 0 : part == BEGINNING ? draw(c) % (n->n_changes + 1) : n->n_changes;

	folder_copy(&f, &n->synced);
	for (size_t i = 0; i < end; i++)
		if (part != ANY || draw(c) % 2)
			folder_apply(&f, &n->changes[i]);
	for (int i = 0; i < f.n; i++) {
		const struct node *child = &c->d->nodes[f.list[i].node];
		size_t len = strlen(f.list[i].name);
		char full[PATH_MAX];

		if (len > 4 && strcmp(f.list[i].name + len - 4, "-shm") == 0)
			continue;
		snprintf(full, sizeof full, "%s%s%s", path, *path ? "/" : "", f.list[i].name);
		c->out->files = realloc(c->out->files, (c->out->n + 1) * sizeof *c->out->files);
		c->out->files[c->out->n] = (struct image_file){ .path = strdup(full), .is_dir = child->is_dir };
		c->out->n++;
		if (child->is_dir)
			choose(c, f.list[i].node, full);
		else
			choose_bytes(c, child, &c->out->files[c->out->n - 1]);
	}
	folder_clear(&f);
}

void disk_state(const struct disk *d, enum disk_choice choice, uint64_t seed, struct image *out)
{
	struct choosing c = { d, choice, seed * 0x9e3779b97f4a7c15u + 1, out };

	*out = (struct image){ .n = 0 };
	choose(&c, 0, "");
}
