/* See tags.h. */
#include "format/tags.h"

#include "format/name_parts.h"

void tag_normalize(struct slice name, struct buf *out)
{
	struct slice part;
	const char *between = "";

	buf_reset(out);
	for (struct name_parts parts = { name, false }; name_parts_next(&parts, &part); between = "::") {
		buf_puts(out, between);
		name_put_part(out, part, NAME_OF_TAG);
	}
}

bool tag_parent(struct slice name, struct slice *parent)
{
	for (size_t i = name.len; i >= 2; i--) {
		if (name.p[i - 2] == ':' && name.p[i - 1] == ':') {
			*parent = (struct slice){ name.p, i - 2 };
			return true;
		}
	}
	return false;
}

void tag_adopt(struct slice name, struct slice ancestor, struct buf *out)
{
	struct name_parts own = { name, false }, theirs = { ancestor, false };
	struct slice part;

	buf_set(out, ancestor.p, ancestor.len);
	while (name_parts_next(&theirs, &part))
		name_parts_next(&own, &part);
	while (name_parts_next(&own, &part)) {
		buf_puts(out, "::");
		buf_put(out, part.p, part.len);
	}
}
