/* See media_zip.h. Unpacking is libarchive's; what is allowed is said here (hardening.md §4, "libarchive"). */
#include "core/media_zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <zlib.h>

#include "base/utf8.h"
#include "format/names.h"

enum {
	META_MAX_BYTES = 50 << 10,
	MEMBER_NAME_MAX = 8,
	END_BYTES = 22,               /* of the end record, without a comment */
	ENTRY_BYTES = 46,             /* of the directory, without its name */
	DIRECTORY_MAX_BYTES = 64 << 10,
	READ_BYTES = 128 << 10,
};

static const char meta_name[] = "_meta";

struct member {
	char name[MEMBER_NAME_MAX + 1];
	int content;
};

struct reading {
	struct archive *a;
	const struct media_zip_limits *limits;
	struct contents_put *put;
	struct member members[MEDIA_ZIP_MEMBERS_MAX];
	size_t n;      /* members but `_meta` */
	size_t seen;   /* with `_meta` */
	int64_t total; /* bytes unpacked */
	struct buf meta, directory;
	bool has_meta;
	/* How libarchive reads a spooled file: what fails there is not the zip's fault, which it would say. */
	const struct spool *zip;
	uint64_t at;
	char *piece;
	struct err trouble;
};

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_BAD_REQUEST, "zip: %s", what);
}

static int archive_failed(struct reading *r, struct err *e)
{
	const char *text = archive_error_string(r->a);

	if (r->trouble.kind != ERR_NONE) {
		if (e)
			*e = r->trouble;
		return -1;
	}
	if (archive_errno(r->a) == ENOMEM)
		return err_set(e, ERR_INTERNAL, "zip: out of memory");
	return bad(e, text ? text : "unreadable");
}

static uint32_t little(const unsigned char *p, int bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/*
 * libarchive reads the whole directory at once, 300 bytes of memory for 46 of the zip, so a large one must not get there.
 * Clients write no comment and nothing behind it: then there is just one place where the end record can be.
 */
static int read_directory(struct reading *r, const struct spool *zip, struct err *e)
{
	unsigned char end[END_BYTES];
	uint64_t at;
	uint32_t entries, size, offset;

	if (zip->bytes < END_BYTES)
		return bad(e, "too short");
	at = zip->bytes - END_BYTES;
	if (spool_read(zip, at, end, END_BYTES, e) != 0)
		return -1;
	if (memcmp(end, "PK\005\006", 4) != 0)
		return bad(e, "no directory at its end");
	entries = little(end + 10, 2);
	size = little(end + 12, 4);
	offset = little(end + 16, 4);
	if (little(end + 4, 4) != 0 || little(end + 8, 2) != entries || little(end + 20, 2) != 0)
		return bad(e, "of several parts, or with a comment");
	if (entries > MEDIA_ZIP_MEMBERS_MAX)
		return bad(e, "too many members");
	if (size < ENTRY_BYTES || size > DIRECTORY_MAX_BYTES || (uint64_t)offset + size != at)
		return bad(e, "the directory is not where it should be");
	if (spool_read(zip, offset, buf_room(&r->directory, size), size, e) != 0)
		return -1;
	r->directory.len = size;
	return 0;
}

/*
 * The checksum that the directory gives for a member. libarchive is told not to compute it, since we need it of every file
 * anyway: twice would be the dearest part of reading a zip.
 */
static int check_crc32(const struct reading *r, const char *name, uint32_t crc32, struct err *e)
{
	const unsigned char *at = (const void *)r->directory.data;
	size_t left = r->directory.len, name_len = strlen(name);

	while (left >= ENTRY_BYTES && memcmp(at, "PK\001\002", 4) == 0) {
		size_t n = little(at + 28, 2), size = ENTRY_BYTES + n + little(at + 30, 2) + little(at + 32, 2);

		if (size > left)
			break;
		if (n == name_len && memcmp(at + ENTRY_BYTES, name, n) == 0)
			return little(at + 16, 4) == crc32 ? 0 : bad(e, "a member with a wrong checksum");
		at += size;
		left -= size;
	}
	return bad(e, "a member that the directory does not name");
}

static bool is_digits(const char *name)
{
	size_t n = strspn(name, "0123456789");

	return n > 0 && n <= MEMBER_NAME_MAX && name[n] == 0;
}

static int check_member(struct reading *r, struct archive_entry *entry, const char *name, struct err *e)
{
	const char *format = archive_format_name(r->a);

	if (++r->seen > MEDIA_ZIP_MEMBERS_MAX)
		return bad(e, "too many members");
	if (archive_entry_filetype(entry) != AE_IFREG)
		return bad(e, "a member that is no file");
	if (archive_entry_is_encrypted(entry))
		return bad(e, "an encrypted member");
	if (!format || (!strstr(format, "(uncompressed)") && !strstr(format, "(deflation)")))
		return bad(e, "a member packed in another way");
	if (!name || (strcmp(name, meta_name) != 0 && !is_digits(name)))
		return bad(e, "a member's name");
	return 0;
}

/* The next piece of a member: 1, 0 at its end, -1. Whatever sizes the zip claims, the bytes that come are counted. */
static int next_block(struct reading *r, const void **p, size_t *n, int64_t *so_far, struct err *e)
{
	int64_t offset;

	switch (archive_read_data_block(r->a, p, n, &offset)) {
	case ARCHIVE_EOF:
		return 0;
	case ARCHIVE_OK:
		break;
	default:
		return archive_failed(r, e);
	}
	if (offset != *so_far)
		return bad(e, "a member with holes");
	*so_far += (int64_t)*n;
	r->total += (int64_t)*n;
	if (*so_far > r->limits->file_bytes)
		return err_set(e, ERR_BAD_REQUEST, "zip: a file of more than %lld bytes", (long long)r->limits->file_bytes);
	if (r->total > r->limits->total_bytes)
		return err_set(e, ERR_BAD_REQUEST, "zip: more than %lld bytes", (long long)r->limits->total_bytes);
	return 1;
}

static int read_meta(struct reading *r, struct err *e)
{
	int64_t so_far = 0;
	const void *p;
	size_t n;
	int rc;

	if (r->has_meta)
		return bad(e, "two members _meta");
	r->has_meta = true;
	while ((rc = next_block(r, &p, &n, &so_far, e)) == 1)
		if (so_far > META_MAX_BYTES || buf_append(&r->meta, p, n, NULL) != 0)
			return bad(e, "_meta is too long");
	if (rc == 0)
		rc = check_crc32(r, meta_name, (uint32_t)crc32_z(0, (const void *)r->meta.data, r->meta.len), e);
	return rc;
}

static int read_file(struct reading *r, const char *name, struct err *e)
{
	struct member *m = &r->members[r->n];
	int64_t so_far = 0;
	const void *p;
	size_t n;
	int rc;

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->members[i].name, name) == 0)
			return bad(e, "two members of one name");
	snprintf(m->name, sizeof m->name, "%s", name);
	if (contents_put_begin(r->put, e) != 0)
		return -1;
	while ((rc = next_block(r, &p, &n, &so_far, e)) == 1)
		if (contents_put_write(r->put, p, n, e) != 0)
			return -1;
	if (rc != 0 || contents_put_end(r->put, e) != 0)
		return -1;
	m->content = (int)contents_put_count(r->put) - 1;
	r->n++;
	return check_crc32(r, name, contents_put_content(r->put, (size_t)m->content)->crc32, e);
}

static int read_members(struct reading *r, struct err *e)
{
	for (;;) {
		struct archive_entry *entry;
		int rc = archive_read_next_header(r->a, &entry);
		const char *name;

		if (rc == ARCHIVE_EOF)
			return r->has_meta ? 0 : bad(e, "no _meta");
		if (rc != ARCHIVE_OK)
			return archive_failed(r, e);
		name = archive_entry_pathname(entry);
		if (check_member(r, entry, name, e) != 0)
			return -1;
		if ((strcmp(name, meta_name) == 0 ? read_meta(r, e) : read_file(r, name, e)) != 0)
			return -1;
	}
}

static la_ssize_t on_read(struct archive *a, void *arg, const void **p)
{
	struct reading *r = arg;
	uint64_t left = r->zip->bytes - r->at;
	size_t n = left < READ_BYTES ? (size_t)left : READ_BYTES;

	(void)a;
	if (spool_read(r->zip, r->at, r->piece, n, &r->trouble) != 0)
		return ARCHIVE_FATAL;
	r->at += n;
	*p = r->piece;
	return (la_ssize_t)n;
}

static la_int64_t on_seek(struct archive *a, void *arg, la_int64_t by, int from)
{
	struct reading *r = arg;
	la_int64_t to = by + (la_int64_t)(from == SEEK_SET ? 0 : from == SEEK_CUR ? r->at : r->zip->bytes);

	(void)a;
	if (to < 0 || (uint64_t)to > r->zip->bytes)
		return ARCHIVE_FATAL;
	r->at = (uint64_t)to;
	return to;
}

static int open_spooled(struct reading *r, const struct spool *zip)
{
	r->zip = zip;
	r->piece = xmalloc(READ_BYTES);
	archive_read_set_read_callback(r->a, on_read);
	archive_read_set_seek_callback(r->a, on_seek);
	archive_read_set_callback_data(r->a, r);
	return archive_read_open1(r->a);
}

static int open_zip(struct reading *r, const struct spool *zip, struct err *e)
{
	int rc;

	r->a = archive_read_new();
	if (!r->a)
		return err_set(e, ERR_INTERNAL, "zip: out of memory");
	/* The streaming reader ignores the directory and sees symbolic links as files: this one only. */
	if (archive_read_support_format_zip_seekable(r->a) != ARCHIVE_OK)
		return archive_failed(r, e);
	if (archive_read_set_format_option(r->a, "zip", "ignorecrc32", "1") != ARCHIVE_OK)
		return archive_failed(r, e);
	if (zip->fd < 0)
		rc = archive_read_open_memory(r->a, zip->memory, (size_t)zip->bytes);
	else
		rc = open_spooled(r, zip);
	return rc == ARCHIVE_OK ? 0 : archive_failed(r, e);
}

int media_name_check(struct slice name, struct err *e)
{
	if (name.len == 0 || name.len > MEDIA_NAME_MAX_BYTES)
		return err_set(e, ERR_BAD_REQUEST, "a file name of %zu bytes", name.len);
	if (slice_eq_str(name, ".") || slice_eq_str(name, "..") || memchr(name.p, '/', name.len) ||
	    memchr(name.p, '\\', name.len) || memchr(name.p, 0, name.len))
		return err_set(e, ERR_BAD_REQUEST, "a file name that is a path");
	if (!utf8_valid(name) || !name_is_nfc(name))
		return err_set(e, ERR_BAD_REQUEST, "a file name that is not in NFC");
	return 0;
}

/* A member that the list names. */
static int find_member(struct reading *r, struct slice name, int *content, struct err *e)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!slice_eq_str(name, r->members[i].name))
			continue;
		*content = r->members[i].content;
		return contents_put_content(r->put, (size_t)*content)->bytes > 0 ? 0 : bad(e, "an empty file");
	}
	return bad(e, "_meta names a member that is not there");
}

/* `[name, member]`, or `[name, null]` for a deletion; older clients write "" for null. */
static int parse_change(struct reading *r, struct json_object *pair, struct media_change *c, struct err *e)
{
	struct slice member;
	size_t n;

	if (!json_is_array(pair, &n) || n != 2 || !json_is_str(json_at(pair, 0), &c->name))
		return bad(e, "_meta: not a pair of names");
	if (media_name_check(c->name, e) != 0)
		return -1;
	c->content = -1;
	if (!json_at(pair, 1))
		return 0;
	if (!json_is_str(json_at(pair, 1), &member))
		return bad(e, "_meta: not a pair of names");
	return member.len ? find_member(r, member, &c->content, e) : 0;
}

static int parse_meta(struct reading *r, struct media_upload *up, struct err *e)
{
	const struct json_limits limits = { META_MAX_BYTES, MEDIA_ZIP_CHANGES_MAX + 2, 4 * MEDIA_ZIP_CHANGES_MAX, 2 };
	struct err why = ERR_INIT;
	size_t n;

	if (json_parse(buf_slice(&r->meta), &limits, &up->list, &why) != 0)
		return err_set(e, ERR_BAD_REQUEST, "zip: _meta: %s", why.msg);
	if (!json_is_array(up->list, &n) || n > MEDIA_ZIP_CHANGES_MAX)
		return bad(e, "_meta is no list of at most 25");
	for (size_t i = 0; i < n; i++)
		if (parse_change(r, json_at(up->list, i), &up->changes[i], e) != 0)
			return -1;
	up->n = n;
	return 0;
}

int media_zip_read(const struct spool *zip, const struct media_zip_limits *limits, struct contents_put *put,
		   struct media_upload *up, struct err *e)
{
	struct reading r = { .limits = limits, .put = put, .meta = BUF_INIT(META_MAX_BYTES),
			     .directory = BUF_INIT(DIRECTORY_MAX_BYTES) };
	int rc = -1;

	if (read_directory(&r, zip, e) == 0 && open_zip(&r, zip, e) == 0 && read_members(&r, e) == 0)
		rc = parse_meta(&r, up, e);
	archive_read_free(r.a);
	free(r.piece);
	buf_release(&r.meta);
	buf_release(&r.directory);
	return rc;
}

void media_upload_release(struct media_upload *up)
{
	json_object_put(up->list);
	*up = (struct media_upload)MEDIA_UPLOAD_INIT;
}
