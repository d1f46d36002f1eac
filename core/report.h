/*
 * The log's lines about users and their syncs (design.md §9): one for each sync that ends, with who, from where, what moved,
 * how long it took and how it ended. Names are looked up when a line is written, and only then: no request pays for them,
 * and a renamed user appears under the new name.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "base/log.h"
#include "core/call.h"
#include "storage/session.h"

/*
 * Fill c->name from accounts.db, and for clients that send forms c->client from what they said in their last `meta` (if the
 * user's lock is held; `h` may be NULL). For whoever writes a line; fails silently, since a line without a name is better
 * than none.
 */
void report_describe(struct server *s, struct home *h, struct call *c);

/* As log_begin, with the fields user, from and client. The caller adds others and ends the line with log_end. */
bool report_begin(struct server *s, struct home *h, struct call *c, enum log_level level, const char *event);

/*
 * The line of a normal sync that ended. `counts`: what the sanity check compared, when it did not fit; else NULL.
 * report_overtaken: another device begins, and nobody will hear of this one again.
 */
void report_sync(struct server *s, struct home *h, struct call *c, const struct session *session, const char *outcome,
		 const char *counts);
void report_overtaken(struct server *s, struct home *h, const struct session *session);

#endif
