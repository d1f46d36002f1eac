/* What is computed from a note's fields: sort field and checksum (collection-format.md §5). */
#ifndef FORMAT_NOTE_TEXT_H
#define FORMAT_NOTE_TEXT_H

#include <stdint.h>

#include "base/buf.h"

/*
 * `flds` are the fields, joined by U+001F, control characters already removed. sfld is set to the stripped sort field (""
 * when there is no such field), *csum to the checksum of field 0. Linear in the length of the text.
 */
void note_text(struct slice flds, uint32_t sort_field, struct buf *sfld, uint32_t *csum);
/* media(), tags(), entities() of §5.2–5.3 in turn; replaces the content of out. */
void note_text_strip(struct slice field, struct buf *out);

#endif
