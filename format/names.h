/* Deck names (collection-format.md §3.10) and normal form C. */
#ifndef FORMAT_NAMES_H
#define FORMAT_NAMES_H

#include "base/buf.h"

/* Wire -> native (`::` becomes U+001F, parts cleaned); native -> wire. Each replaces the content of out. */
void deck_name_native(struct slice wire, struct buf *out);
void deck_name_wire(struct slice native, struct buf *out);
/* NFC of valid UTF-8; replaces the content of out. */
void name_nfc(struct slice text, struct buf *out);
bool name_is_nfc(struct slice text);
/* White space as Unicode's White_Space property says. */
bool name_is_space(uint32_t code);

#endif
