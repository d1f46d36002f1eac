/* Tag names (collection-format.md §3.9). */
#ifndef FORMAT_TAGS_H
#define FORMAT_TAGS_H

#include "base/buf.h"

/* The normalised name (parts NFC, cleaned, trimmed, `blank` for nothing); replaces the content of out. */
void tag_normalize(struct slice name, struct buf *out);
/* Cut the last `::` part off: *parent is a prefix of name. false when there is none. */
bool tag_parent(struct slice name, struct slice *parent);
/*
 * `ancestor` is the stored spelling of the nearest ancestor of `name`: it replaces as many leading parts of the name as
 * it has itself. Replaces the content of out.
 */
void tag_adopt(struct slice name, struct slice ancestor, struct buf *out);

#endif
