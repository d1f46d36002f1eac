/* For names.c and tags.c alone: the parts of a name with `::` between them, and how a part is cleaned. */
#ifndef FORMAT_NAME_PARTS_H
#define FORMAT_NAME_PARTS_H

#include "format/names.h"

/* Begin with { name, false }. The empty name has one part, the empty one. */
struct name_parts {
	struct slice rest;
	bool end;
};

bool name_parts_next(struct name_parts *p, struct slice *part);

enum name_kind {
	NAME_OF_DECK, /* white space and colons go at both ends */
	NAME_OF_TAG,  /* U+0020 and U+3000 go everywhere, other white space at both ends */
};

/* Append the part: NFC, without ASCII control characters and what `kind` says; `blank` if nothing is left. */
void name_put_part(struct buf *out, struct slice part, enum name_kind kind);

/* Append the NFC of valid UTF-8. */
void name_put_nfc(struct buf *out, struct slice text);

#endif
