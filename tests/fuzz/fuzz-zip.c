/*
 * libFuzzer: zips of uploadChanges, from memory. The store of contents is replaced by one that counts.
 *
 * The input is the zip; or, where it does not begin like one, the `_meta` of a zip that has the members 0, 1 and (empty) 2.
 * Whatever comes: nothing out of bounds, no more bytes than allowed, an error is a bad request, and what is accepted has
 * names that may be and members that were there.
 */
#include <zlib.h>

#include "base/utf8.h"
#include "core/media_zip.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/zips.h"

enum { FILE_MAX_BYTES = 100000, ALL_MAX_BYTES = 150000 };

struct contents_put {
	struct content contents[CONTENTS_PUT_MAX];
	size_t n;
	int64_t bytes;
	bool inside;
};

int contents_put_begin(struct contents_put *p, struct err *e)
{
	assert(!p->inside);
	if (p->n == CONTENTS_PUT_MAX)
		return err_set(e, ERR_BAD_REQUEST, "too many");
	p->contents[p->n++] = (struct content){ .bytes = 0 };
	p->inside = true;
	return 0;
}

int contents_put_write(struct contents_put *p, const void *data, size_t n, struct err *e)
{
	struct content *c = &p->contents[p->n - 1];

	(void)e;
	assert(p->inside);
	if (n == 0)
		return 0;
	c->crc32 = (uint32_t)crc32(c->crc32, data, (uInt)n); /* the zip's own is compared with it */
	c->bytes += (int64_t)n;
	p->bytes += (int64_t)n;
	assert(p->contents[p->n - 1].bytes <= FILE_MAX_BYTES && p->bytes <= ALL_MAX_BYTES);
	return 0;
}

int contents_put_end(struct contents_put *p, struct err *e)
{
	(void)e;
	assert(p->inside);
	p->inside = false;
	return 0;
}

size_t contents_put_count(const struct contents_put *p)
{
	return p->n;
}

const struct content *contents_put_content(const struct contents_put *p, size_t i)
{
	assert(i < p->n);
	return &p->contents[i];
}

/* Not called: everything is in memory. */
int home_temp(struct home *h, char name[HOME_NAME_MAX], int *fd, struct err *e)
{
	(void)h;
	(void)name;
	(void)fd;
	return err_set(e, ERR_INTERNAL, "no files here");
}

int home_dirfd(const struct home *h)
{
	(void)h;
	return -1;
}

const char *home_path(const struct home *h)
{
	(void)h;
	return "";
}

/* Each pair of the list became a change, in its order. */
static void same_list(const struct media_upload *up, struct slice meta)
{
	struct json_object *list = fuzz_printed(meta);
	struct slice name, member;
	size_t n;

	assert(json_is_array(list, &n) && n == up->n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *pair = json_at(list, i);
		bool deleted = !json_is_str(json_at(pair, 1), &member) || member.len == 0;

		assert(json_is_str(json_at(pair, 0), &name) && slice_eq(name, up->changes[i].name));
		assert(up->changes[i].content == (deleted ? -1 : slice_eq_str(member, "0") ? 0 : 1));
	}
	json_object_put(list);
}

static bool read_zip(struct slice bytes, const struct slice *meta)
{
	const struct media_zip_limits limits = { FILE_MAX_BYTES, ALL_MAX_BYTES };
	struct spool zip = { .memory = malloc(bytes.len ? bytes.len : 1), .bytes = bytes.len, .fd = -1 };
	struct media_upload up = MEDIA_UPLOAD_INIT;
	struct contents_put put = { .n = 0 };
	struct err e = ERR_INIT;

	if (bytes.len)
		memcpy(zip.memory, bytes.p, bytes.len);
	if (media_zip_read(&zip, &limits, &put, &up, &e) != 0) {
		assert(e.kind == ERR_BAD_REQUEST && e.msg[0]);
	} else {
		assert(up.n <= MEDIA_ZIP_CHANGES_MAX && !put.inside);
		for (size_t i = 0; i < up.n; i++) {
			struct slice name = up.changes[i].name;

			assert(name.len && name.len <= MEDIA_NAME_MAX_BYTES && utf8_valid(name) && !memchr(name.p, '/', name.len));
			assert(up.changes[i].content < (int)put.n);
			assert(up.changes[i].content < 0 || put.contents[up.changes[i].content].bytes > 0);
		}
		if (meta)
			same_list(&up, *meta);
	}
	media_upload_release(&up);
	spool_release(&zip);
	return e.kind == ERR_NONE;
}

static bool read_list(struct slice meta)
{
	struct buf zip = BUF_INIT(BUF_UNBOUNDED);
	bool accepted;

	ZIP_MAKE(&zip, { .name = "0", .data = "zero" }, { .name = "1", .data = "one" }, { .name = "2", .data = "" },
		 { .name = "_meta", .data = meta.len ? meta.p : "", .len = meta.len });
	accepted = read_zip(buf_slice(&zip), &meta);
	buf_release(&zip);
	return accepted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = { (const char *)data, size };
	static bool begun;

	/* Or everything is refused and nothing is tested. */
	assert(begun || read_list(SLICE("[[\"a\",\"0\"],[\"b\",null]]")));
	begun = true;
	if (size >= 2 && memcmp(data, "PK", 2) == 0)
		read_zip(input, NULL);
	else
		read_list(input);
	return 0;
}
