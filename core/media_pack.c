/* See media_pack.h. */
#include "core/media_pack.h"

#include <assert.h>
#include <errno.h>
#include <zlib.h>

#include "base/json.h"

enum {
	ZIP_VERSION = 10,           /* needed: 1.0, stored files only */
	UNIX = 3 << 8,
	DATE = 1 << 5 | 1,       /* 1980-01-01, the oldest that there is */
	MODE = 0100644,
	FILES_MAX = CONTENTS_PUT_MAX,
};

struct packed {
	int fd;                  /* -1: it is in `text` */
	uint64_t left;           /* bytes of the file still to be read */
	size_t head_end;         /* of its local header, in `text` */
};

struct media_pack {
	struct source source;
	struct packed files[FILES_MAX];
	size_t n, at;            /* which one is being read; n: the end of the text */
	struct buf text;         /* all that is not in the files: headers, short contents, `_meta`, the directory */
	struct buf meta, directory;
	size_t done;             /* of text */
	uint64_t bytes;          /* written so far, while files are added */
};

static void put(struct buf *b, uint64_t v, int bytes)
{
	while (bytes--) {
		buf_putc(b, (char)(v & 255));
		v >>= 8;
	}
}

/* What the local header and the directory have in common. */
static void put_facts(struct buf *b, uint32_t crc, uint64_t bytes, size_t name_len)
{
	put(b, ZIP_VERSION, 2);
	put(b, 0, 2); /* flags */
	put(b, 0, 2); /* stored */
	put(b, 0, 2); /* midnight */
	put(b, DATE, 2);
	put(b, crc, 4);
	put(b, bytes, 4);
	put(b, bytes, 4);
	put(b, name_len, 2);
	put(b, 0, 2); /* extra */
}

/* A member's local header into the text, and its line into the directory. */
static void put_member(struct media_pack *p, const char *name, uint32_t crc, uint64_t bytes)
{
	size_t before = p->text.len;

	put(&p->directory, 0x02014b50, 4);
	put(&p->directory, UNIX | ZIP_VERSION, 2);
	put_facts(&p->directory, crc, bytes, strlen(name));
	put(&p->directory, 0, 6); /* comment, disk, inner attributes */
	put(&p->directory, (uint64_t)MODE << 16, 4);
	put(&p->directory, p->bytes, 4);
	buf_puts(&p->directory, name);

	put(&p->text, 0x04034b50, 4);
	put_facts(&p->text, crc, bytes, strlen(name));
	buf_puts(&p->text, name);
	p->bytes += p->text.len - before + bytes;
}

static ssize_t read_text(struct media_pack *p, size_t end, void *to, size_t n)
{
	size_t got = end - p->done < n ? end - p->done : n;

	memcpy(to, p->text.data + p->done, got);
	p->done += got;
	return (ssize_t)got;
}

static ssize_t read_file(struct packed *f, void *to, size_t n, struct err *e)
{
	ssize_t got;

	do
		got = read(f->fd, to, n < f->left ? n : (size_t)f->left);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_errno(e, "a media file");
	if (got == 0)
		return err_set(e, ERR_DAMAGED, "a media file became shorter while it was read");
	f->left -= (uint64_t)got;
	return got;
}

/* One piece, 0 at the end. */
static ssize_t read_piece(struct media_pack *p, void *to, size_t n, struct err *e)
{
	while (p->at < p->n) {
		struct packed *f = &p->files[p->at];

		if (p->done < f->head_end)
			return read_text(p, f->head_end, to, n);
		if (f->left)
			return read_file(f, to, n, e);
		p->at++;
	}
	return read_text(p, p->text.len, to, n);
}

static ssize_t pack_read(struct source *source, void *to, size_t n, struct err *e)
{
	struct media_pack *p = (struct media_pack *)source;
	size_t sum = 0;

	/* Full pieces are cheaper for whoever compresses them. */
	while (sum < n) {
		ssize_t got = read_piece(p, (char *)to + sum, n - sum, e);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		sum += (size_t)got;
	}
	return (ssize_t)sum;
}

struct media_pack *media_pack_new(void)
{
	struct media_pack *p = xcalloc(1, sizeof *p);

	p->source.read = pack_read;
	buf_init(&p->text, BUF_UNBOUNDED);
	buf_init(&p->meta, BUF_UNBOUNDED);
	buf_init(&p->directory, BUF_UNBOUNDED);
	return p;
}

static void add(struct media_pack *p, struct slice name, const struct content *content, int fd, struct slice data)
{
	struct packed *f = &p->files[p->n];
	char member[8];

	assert(p->n < FILES_MAX && content->bytes <= UINT32_MAX);
	snprintf(member, sizeof member, "%zu", p->n);
	put_member(p, member, content->crc32, (uint64_t)content->bytes);
	buf_put(&p->text, data.p, data.len);
	*f = (struct packed){ .fd = fd, .left = fd < 0 ? 0 : (uint64_t)content->bytes, .head_end = p->text.len };
	buf_puts(&p->meta, p->n++ ? ",\"" : "{\"");
	buf_puts(&p->meta, member);
	buf_puts(&p->meta, "\":");
	json_put_str(&p->meta, name);
}

void media_pack_add(struct media_pack *p, struct slice name, const struct content *content, int fd)
{
	add(p, name, content, fd, SLICE(""));
}

void media_pack_add_data(struct media_pack *p, struct slice name, const struct content *content, struct slice data)
{
	assert((int64_t)data.len == content->bytes);
	add(p, name, content, -1, data);
}

uint64_t media_pack_end(struct media_pack *p)
{
	uint64_t start;

	buf_puts(&p->meta, p->n ? "}" : "{}");
	put_member(p, "_meta", (uint32_t)crc32_z(0, (const void *)p->meta.data, p->meta.len), p->meta.len);
	buf_put(&p->text, p->meta.data, p->meta.len);
	start = p->bytes;
	buf_put(&p->text, p->directory.data, p->directory.len);
	put(&p->text, 0x06054b50, 4);
	put(&p->text, 0, 4); /* one disk */
	put(&p->text, p->n + 1, 2);
	put(&p->text, p->n + 1, 2);
	put(&p->text, p->directory.len, 4);
	put(&p->text, start, 4);
	put(&p->text, 0, 2); /* comment */
	p->bytes += p->directory.len + 22;
	return p->bytes;
}

struct source *media_pack_source(struct media_pack *p)
{
	return &p->source;
}

void media_pack_free(struct media_pack *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		if (p->files[i].fd >= 0)
			close(p->files[i].fd);
	buf_release(&p->text);
	buf_release(&p->meta);
	buf_release(&p->directory);
	free(p);
}
