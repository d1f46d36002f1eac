/*
 * How much room a user may take: what the account says (limit_bytes, 0: as much as there is), counted over the current
 * collection and the media files, and what must stay free on the disk for everybody's syncs.
 */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

#include "core/call.h"

struct quota {
	int64_t limit_bytes;      /* 0: none */
	int64_t collection_bytes;
};

/* Needs the user's lock. */
int quota_load(struct server *s, struct home *h, struct quota *q, struct err *e);
/* May media grow from `before` to `after` bytes? 0, or -1 with ERR_REFUSED and a sentence for the user. Less is always welcome. */
int quota_check_media(const struct quota *q, int64_t before, int64_t after, struct err *e);
/* Is there room on the disk for `bytes` more? 0, or -1 with ERR_FULL. */
int quota_check_disk(struct server *s, struct home *h, uint64_t bytes, struct err *e);
/*
 * For `meta`'s msg: when nine tenths of the limit are used, appends a sentence that says so, as HTML (it holds nothing that
 * would need escaping). Else appends nothing. Needs the lock.
 */
int quota_notice(struct server *s, struct home *h, struct buf *html, struct err *e);

#endif
