/* The order `unicase` of names in collection files: full case folding of Unicode 12.1 with a twist (collection-format.md §6). */
#ifndef FORMAT_UNICASE_H
#define FORMAT_UNICASE_H

#include "base/buf.h"

/* <0, 0, >0. Bytes that are not UTF-8 compare as U+FFFD. NUL has no special meaning. */
int unicase_compare(struct slice a, struct slice b);
bool unicase_equal(struct slice a, struct slice b);
/* The folded text: equal bytes exactly when unicase_equal. Replaces the content of out. */
void unicase_fold(struct slice a, struct buf *out);

#endif
