/* See name_parts.h. */
#include "format/name_parts.h"

#include "base/utf8.h"

bool name_parts_next(struct name_parts *p, struct slice *part)
{
	const char *hit;

	if (p->end)
		return false;
	hit = p->rest.len ? memmem(p->rest.p, p->rest.len, "::", 2) : NULL;
	if (hit) {
		*part = (struct slice){ p->rest.p, (size_t)(hit - p->rest.p) };
		p->rest = (struct slice){ hit + 2, p->rest.len - part->len - 2 };
	} else {
		*part = p->rest;
		p->end = true;
	}
	return true;
}

static bool is_dropped(uint32_t code, enum name_kind kind)
{
	return code < 0x20 || code == 0x7F || (kind == NAME_OF_TAG && (code == 0x20 || code == 0x3000));
}

static bool is_trimmed(uint32_t code, enum name_kind kind)
{
	return name_is_space(code) || (kind == NAME_OF_DECK && code == ':');
}

void name_put_part(struct buf *out, struct slice part, enum name_kind kind)
{
	size_t start = out->len, keep = start, end = start, used;
	bool leading = true;

	name_put_nfc(out, part);
	/* The cleaned text is never longer: move it down in place. `end` is behind the last character that stays. */
	for (size_t i = start; i < out->len; i += used) {
		uint32_t code = utf8_decode(out->data + i, out->len - i, &used);
		bool trimmed = is_trimmed(code, kind);

		if (is_dropped(code, kind) || (leading && trimmed))
			continue;
		leading = false;
		memmove(out->data + keep, out->data + i, used);
		keep += used;
		if (!trimmed)
			end = keep;
	}
	buf_truncate(out, end);
	if (end == start)
		buf_puts(out, "blank");
}
