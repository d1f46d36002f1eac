/* See names.h. */
#include "format/names.h"

#include <assert.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "format/name_parts.h"

enum { NAME_MAX_BYTES = 4 << 20 }; /* twelve bytes of memory for each: what is longer is no name, and stays as it is */

struct mark {
	utf8proc_int32_t code;
	utf8proc_propval_t class;
};

/* Put each run of marks into the order of their combining classes; a counting sort, because a client may send millions. */
static void order_marks(utf8proc_int32_t *codes, size_t n)
{
	struct mark *marks = NULL;

	for (size_t from = 0, to; from < n; from = to) {
		size_t place[256] = { 0 }, sum = 0, len;
		bool ordered = true;

		to = from + 1;
		if (!utf8proc_get_property(codes[from])->combining_class)
			continue;
		while (to < n && utf8proc_get_property(codes[to])->combining_class)
			to++;
		len = to - from;
		if (len == 1)
			continue;
		marks = xrealloc(marks, len * sizeof *marks);
		for (size_t i = 0; i < len; i++) {
			marks[i] = (struct mark){ codes[from + i], utf8proc_get_property(codes[from + i])->combining_class };
			ordered = ordered && (i == 0 || marks[i - 1].class <= marks[i].class);
			place[marks[i].class & 255]++;
		}
		if (ordered)
			continue;
		for (size_t class = 0; class < 256; class++) {
			size_t count = place[class];

			place[class] = sum;
			sum += count;
		}
		for (size_t i = 0; i < len; i++)
			codes[from + place[marks[i].class & 255]++] = marks[i].code;
	}
	free(marks);
}

/*
 * Append the normal form of a piece. Not utf8proc_map: its ordering of marks takes quadratic time. STABLE is what keeps
 * excluded compositions (U+0958 and the like) apart.
 */
static void put_composed(struct buf *out, struct slice piece)
{
	utf8proc_int32_t *codes = NULL;
	size_t n = 0, cap = 0;
	utf8proc_ssize_t composed;
	int boundary = 0;

	for (size_t i = 0, used; i < piece.len; i += used) {
		utf8proc_int32_t code = (utf8proc_int32_t)utf8_decode(piece.p + i, piece.len - i, &used);
		utf8proc_ssize_t wrote;

		/* No canonical decomposition has more than four code points. */
		if (cap - n < 8) {
			cap = cap ? 2 * cap : 64;
			codes = xrealloc(codes, cap * sizeof *codes);
		}
		wrote = utf8proc_decompose_char(code, codes + n, 8, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
		assert(wrote > 0 && wrote <= 8);
		n += (size_t)wrote;
	}
	order_marks(codes, n);
	composed = utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	assert(composed >= 0);
	for (utf8proc_ssize_t i = 0; i < composed; i++)
		utf8_put(out, (uint32_t)codes[i]);
	free(codes);
}

/*
 * Code points below U+0300 are in normal form C, and nothing in front of them composes with them: they cut a text into
 * pieces that can be normalised one by one. All bytes of such code points are below 0xCC.
 */
static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0xCC)
			return false;
	return true;
}

void name_put_nfc(struct buf *out, struct slice text)
{
	size_t done = 0, begin = 0, used;

	if (is_plain(text) || text.len > NAME_MAX_BYTES) {
		buf_put(out, text.p, text.len);
		return;
	}
	for (size_t i = 0; i < text.len; i += used) {
		if (utf8_decode(text.p + i, text.len - i, &used) < 0x300) {
			begin = i;
			continue;
		}
		/* The piece begins at the character before, which a mark may change: e + U+0301. */
		buf_put(out, text.p + done, begin - done);
		for (i += used; i < text.len; i += used)
			if (utf8_decode(text.p + i, text.len - i, &used) < 0x300)
				break;
		put_composed(out, (struct slice){ text.p + begin, i - begin });
		done = begin = i;
		used = 0;
	}
	buf_put(out, text.p + done, text.len - done);
}

void name_nfc(struct slice text, struct buf *out)
{
	buf_reset(out);
	name_put_nfc(out, text);
}

bool name_is_nfc(struct slice text)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	bool same;

	if (is_plain(text))
		return true;
	name_nfc(text, &out);
	same = slice_eq(text, buf_slice(&out));
	buf_release(&out);
	return same;
}

bool name_is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

void deck_name_native(struct slice wire, struct buf *out)
{
	struct slice part;
	const char *between = "";

	buf_reset(out);
	for (struct name_parts parts = { wire, false }; name_parts_next(&parts, &part); between = "\x1f") {
		buf_puts(out, between);
		name_put_part(out, part, NAME_OF_DECK);
	}
}

void deck_name_wire(struct slice native, struct buf *out)
{
	size_t from = 0;

	buf_reset(out);
	for (size_t i = 0; i < native.len; i++) {
		if (native.p[i] != 0x1F)
			continue;
		buf_put(out, native.p + from, i - from);
		buf_puts(out, "::");
		from = i + 1;
	}
	buf_put(out, native.p + from, native.len - from);
}
