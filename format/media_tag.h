/* The first step from a field to its sort text, for note_text.c alone (collection-format.md §5.2). */
#ifndef FORMAT_MEDIA_TAG_H
#define FORMAT_MEDIA_TAG_H

#include "base/buf.h"

/* Put a file name between spaces in the place of each media tag. Linear in the length of the text. */
void media_tags_to_names(struct buf *text);

/*
 * Does the text at p (before end) begin with `word` (lower case), letters in any case and U+017F counting as s? Its
 * length there, else 0.
 */
size_t letters_match(const char *p, const char *end, const char *word);

#endif
