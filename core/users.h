/*
 * Users as a whole, account and home together: what the admin command and the importers do. In the order that keeps both
 * right whatever dies in between (design.md §8): the user's lock, accounts.db, then the keys in the home. Each takes effect
 * at the user's next request.
 */
#ifndef CORE_USERS_H
#define CORE_USERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/call.h"
#include "storage/accounts.h"

/*
 * New users, all or none: name and hash are set (also limit and origin), uid and created_s are filled in. ERR_CONFLICT
 * names the user that exists. A home without an account may stay behind when the process dies or the commit fails; it
 * holds nothing.
 */
int users_create(struct server *s, struct account *list, size_t n, struct err *e);
/* A new password ends all keys. `origin` may be NULL (accounts.h). */
int users_set_hash(struct server *s, const char *uid, const char *hash, const uint8_t origin[ACCOUNT_DIGEST_BYTES],
		   struct err *e);
/*
 * One key of the user ends (its SHA-256), or all of them (NULL), and with it a sync that it has begun: that client must log
 * in again. 1, 0 when the user has no such key, -1.
 */
int users_revoke(struct server *s, const char *uid, const uint8_t hash[ACCOUNT_DIGEST_BYTES], struct err *e);
/* Any state but ACCOUNT_ENABLED ends all keys. */
int users_set_state(struct server *s, const char *uid, enum account_state state, struct err *e);
/*
 * Account and home go, for good. When it stops half-way the user may not log in any more, is listed as ACCOUNT_LEAVING, and
 * a second call does the rest.
 */
int users_remove(struct server *s, const char *uid, struct err *e);

#endif
