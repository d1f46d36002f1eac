/*
 * libFuzzer: names, tags, the order of names, what is computed from fields, card data, days, and lines of the log.
 *
 * The input: three texts with line feeds between them (the third holds all the rest). Cleaning a name comes to an end,
 * normal form C is utf8proc's, the order is one, the quick way through card data gives what the slow one gives, and a line
 * of the log is one line.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <utf8proc.h>

#include "base/log.h"
#include "base/utf8.h"
#include "format/card_data.h"
#include "format/day.h"
#include "format/names.h"
#include "format/note_text.h"
#include "format/tags.h"
#include "format/unicase.h"
#include "tests/fuzz/fuzz.h"

typedef void clean_fn(struct slice text, struct buf *out);

static void native_of_native(struct slice native, struct buf *out)
{
	struct buf wire = BUF_INIT(BUF_UNBOUNDED);

	deck_name_wire(native, &wire);
	deck_name_native(buf_slice(&wire), out);
	buf_release(&wire);
}

/* Removing a character may leave what is cleaned otherwise the next time, in official as well: `:` NUL `:`. But it comes to an end. */
static void clean_settles(const char *what, struct slice text, clean_fn *clean, clean_fn *again)
{
	enum { TIMES = 10 };
	struct buf before = BUF_INIT(BUF_UNBOUNDED), after = BUF_INIT(BUF_UNBOUNDED);

	clean(text, &after);
	for (int i = 0; i < TIMES && !slice_eq(buf_slice(&before), buf_slice(&after)); i++) {
		assert(utf8_valid(buf_slice(&after)) && after.len);
		buf_set(&before, after.data, after.len);
		again(buf_slice(&before), &after);
	}
	fuzz_same(what, buf_slice(&before), buf_slice(&after));
	buf_release(&before);
	buf_release(&after);
}

static void adopt(struct slice name)
{
	struct buf tag = BUF_INIT(BUF_UNBOUNDED), out = BUF_INIT(BUF_UNBOUNDED);
	struct slice parent;

	tag_normalize(name, &tag);
	if (tag_parent(buf_slice(&tag), &parent)) {
		assert(parent.len + 2 <= tag.len);
		if (strstr(tag.data, ":::")) /* from the end it is cut elsewhere than from the beginning, in official as well */
			goto out;
		tag_adopt(buf_slice(&tag), parent, &out);
		fuzz_same("a tag and itself under its own parent", buf_slice(&tag), buf_slice(&out));
	}
out:
	buf_release(&tag);
	buf_release(&out);
}

static void normal_form(struct slice text)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	utf8proc_uint8_t *want;
	utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.len, &want,
					  UTF8PROC_STABLE | UTF8PROC_COMPOSE);

	assert(n >= 0);
	name_nfc(text, &out);
	fuzz_same("normal forms", buf_slice(&out), (struct slice){ (const char *)want, (size_t)n });
	assert(name_is_nfc(buf_slice(&out)));
	free(want);
	buf_release(&out);
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void order(const struct slice t[3])
{
	struct buf folded[2] = { BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED) };
	int ab = sign(unicase_compare(t[0], t[1])), bc = sign(unicase_compare(t[1], t[2])), ac = sign(unicase_compare(t[0], t[2]));

	assert(unicase_compare(t[0], t[0]) == 0 && sign(unicase_compare(t[1], t[0])) == -ab);
	if (ab <= 0 && bc <= 0)
		assert(ac <= 0 && (ac < 0) == (ab < 0 || bc < 0));
	if (ab >= 0 && bc >= 0)
		assert(ac >= 0 && (ac > 0) == (ab > 0 || bc > 0));
	for (int i = 0; i < 2; i++)
		unicase_fold(t[i], &folded[i]);
	assert(unicase_equal(t[0], t[1]) == (ab == 0));
	assert(slice_eq(buf_slice(&folded[0]), buf_slice(&folded[1])) == (ab == 0));
	buf_release(&folded[0]);
	buf_release(&folded[1]);
}

static void fields(struct slice text)
{
	struct buf sfld = BUF_INIT(BUF_UNBOUNDED), stripped = BUF_INIT(BUF_UNBOUNDED);
	struct slice rest = text, first = fuzz_cut(&rest, 0x1f);
	uint32_t csum, again;

	note_text(text, 0, &sfld, &csum);
	note_text_strip(first, &stripped);
	fuzz_same("sort fields", buf_slice(&sfld), buf_slice(&stripped));
	assert(utf8_valid(buf_slice(&sfld)));
	note_text(first, 5, &sfld, &again);
	assert(sfld.len == 0 && csum == again);
	buf_release(&sfld);
	buf_release(&stripped);
}

static void card_data(struct slice text)
{
	struct buf scratch = BUF_INIT(BUF_UNBOUNDED), spaced = BUF_INIT(BUF_UNBOUNDED), slow = BUF_INIT(BUF_UNBOUNDED);
	struct slice quick = card_data_rewrite(text, &scratch), again;
	struct buf kept = BUF_INIT(BUF_UNBOUNDED);

	buf_set(&kept, quick.p, quick.len);
	json_object_put(fuzz_printed(buf_slice(&kept)));
	buf_putc(&spaced, ' '); /* the quick way is for texts without space */
	buf_put(&spaced, text.p, text.len);
	fuzz_same("both ways", buf_slice(&kept), card_data_rewrite(buf_slice(&spaced), &slow));
	buf_reset(&scratch);
	again = card_data_rewrite(buf_slice(&kept), &scratch);
	if (!strstr(kept.data, ":null")) /* a number beyond single precision, which official prints as null, too */
		fuzz_same("written again", buf_slice(&kept), again);
	buf_release(&scratch);
	buf_release(&spaced);
	buf_release(&slow);
	buf_release(&kept);
}

static void days(const struct slice t[3])
{
	const struct day_config c = { t[0], t[1], t[2], t[1], t[0] };
	struct day_plan plan;
	int64_t now = 0, crt = 0;

	memcpy(&now, t[0].p, t[0].len < 5 ? t[0].len : 5); /* the importer keeps times within 2^40 */
	memcpy(&crt, t[1].p, t[1].len < 5 ? t[1].len : 5);
	day_plan(now, crt, &c, &plan);
}

static void log_lines(struct slice key, struct slice value, const char *format)
{
	static int fd = -1;
	char path[40], line[16384], *text = strndup(value.p, value.len), *error = strndup(key.p, key.len);
	ssize_t n;

	if (fd < 0)
		fd = memfd_create("log", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	assert(ftruncate(fd, 0) == 0 && log_open(path, format, LOG_LEVEL_DEBUG, NULL) == 0);
	log_event(LOG_LEVEL_INFO, "sync", "client", text, "error", error, NULL);
	log_line(LOG_LEVEL_INFO, "%s: %s", text, error);
	n = pread(fd, line, sizeof line, 0);
	assert(n > 0 && n < (ssize_t)sizeof line && line[n - 1] == '\n');
	struct slice rest = { line, (size_t)n };
	for (int i = 0; i < 2; i++) {
		struct slice one = fuzz_cut(&rest, '\n');

		assert(one.len && utf8_valid(one));
		for (size_t k = 0; k < one.len; k++)
			assert((unsigned char)one.p[k] >= ' ' && (format[0] == 'j' || one.p[k] != 0x7f));
		if (format[0] == 'j')
			json_object_put(fuzz_printed(one));
	}
	assert(rest.len == 0);
	free(text);
	free(error);
}

/* Lossily: from the wire nothing else comes. */
static void make_valid(struct slice s, struct buf *out)
{
	for (size_t i = 0, used; i < s.len; i += used)
		utf8_put(out, utf8_decode(s.p + i, s.len - i, &used));
	if (!out->data)
		buf_set(out, "", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size }, raw[3], t[3];
	struct buf valid[3] = { BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED), BUF_INIT(BUF_UNBOUNDED) };

	if (size == 0)
		return 0;
	raw[0] = fuzz_cut(&rest, '\n');
	raw[1] = fuzz_cut(&rest, '\n');
	raw[2] = rest;
	order(raw);
	log_lines(raw[0], raw[1], "json");
	log_lines(raw[0], raw[1], "text");
	for (int i = 0; i < 3; i++) {
		make_valid(raw[i], &valid[i]);
		t[i] = buf_slice(&valid[i]);
		clean_settles("deck names", t[i], deck_name_native, native_of_native);
		clean_settles("tags", t[i], tag_normalize, tag_normalize);
		adopt(t[i]);
		normal_form(t[i]);
		fields(t[i]);
		card_data(t[i]);
	}
	order(t);
	days(t);
	for (int i = 0; i < 3; i++)
		buf_release(&valid[i]);
	return 0;
}
