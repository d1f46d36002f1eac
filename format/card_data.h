/* Column `data` of a card, for rows.c alone (collection-format.md §3.6). */
#ifndef FORMAT_CARD_DATA_H
#define FORMAT_CARD_DATA_H

#include "base/buf.h"

/* `data` (valid UTF-8) as it is to be stored: itself when it is in that form already, else a text appended to scratch. */
struct slice card_data_rewrite(struct slice data, struct buf *scratch);

#endif
