/* The guard in front of json-c, for base/json.c alone. */
#ifndef BASE_JSON_GUARD_H
#define BASE_JSON_GUARD_H

#include "base/json.h"

/* The member that lists an object's doubled keys. U+0001 never stands in a key that means something. */
#define JSON_MARK "\001twice"
#define JSON_MARK_ESCAPED "\\u0001twice"

/*
 * Check `text`. 0, with `rewritten` filled when json-c must be given that text instead (else it stays empty); or -1 with
 * ERR_BAD_REQUEST or ERR_TOO_BIG.
 */
int json_guard(struct slice text, const struct json_limits *limits, struct buf *rewritten, struct err *e);

#endif
