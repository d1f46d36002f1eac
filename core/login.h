/* Who is it: `hostKey` trades a password for a key, and every other call shows that key (design.md §3 "key", §8). */
#ifndef CORE_LOGIN_H
#define CORE_LOGIN_H

#include <stdint.h>

#include "core/call.h"
#include "storage/home.h"

/*
 * The method `hostKey` (protocol.md §2.1): AREA_SYNC, METHOD_NO_KEY, payload at most LOGIN_BODY_MAX bytes. Each login makes
 * a key of its own, "uid.secret". ERR_BAD_LOGIN for a wrong name or password (the log says which), ERR_BUSY when logins
 * are slowed or too many passwords are being hashed. Wipes c->payload.
 */
enum { LOGIN_BODY_MAX = 65536 };
call_fn login_host_key;

/*
 * Whose key is this? 0 with the home (borrowed, see homes_get) and what login_key_again needs, or -1: ERR_BAD_LOGIN for a
 * key that nobody has, ERR_BUSY when there is no user at all. Needs no lock. A key that was good a moment ago passes here
 * even if it has ended since: it is login_key_again that counts.
 */
int login_key(struct server *s, struct slice key, struct home **h, uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e);
/* Is it still a key of this home? Asked once the user's lock is held, it holds as long. 0, or -1 with ERR_BAD_LOGIN. */
int login_key_again(struct server *s, struct home *h, const uint8_t hash[HOME_KEY_HASH_BYTES], struct err *e);

#endif
