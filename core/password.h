/*
 * Passwords: the one file that hashes and compares them. New hashes are argon2id (19 MiB, t 2, p 1); hashes of other servers
 * are understood (migration-facts.md §2.2, §4.2) and renewed by whoever has the password at hand.
 *
 * Callers wipe their own copies of a password (explicit_bzero).
 */
#ifndef CORE_PASSWORD_H
#define CORE_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { PASSWORD_MAX_BYTES = 1024, PASSWORD_HASH_SIZE = 512 };

/* A new argon2id hash, as PHC string. About 25 ms and 19 MiB. */
int password_hash(struct slice password, char hash[PASSWORD_HASH_SIZE], struct err *e);

/*
 * Can this hash be verified, and at a cost that we accept? argon2id (m ≤ 256 MiB, t ≤ 10, p ≤ 4), `$pbkdf2-sha256$` and
 * `$pbkdf2-sha512$` (at most 5 million rounds), or 80 hex digits. 0, or -1 with ERR_BAD_REQUEST.
 */
int password_hash_check(struct slice hash, struct err *e);

/*
 * 1 right, 0 wrong, -1 (ERR_DAMAGED: a hash that password_hash_check refuses; ERR_INTERNAL). `name` is part of what the
 * Python servers hashed. An over-long password is wrong.
 */
int password_verify(struct slice name, struct slice password, const char *hash, struct err *e);
/* The work of verifying a new hash, for names that are not there. */
void password_verify_nobody(struct slice password);

/* Is this another scheme, or weaker than what password_hash makes? */
bool password_hash_is_old(const char *hash);
/* Does the name go into this hash, so that a renamed user could not log in? */
bool password_hash_has_name(const char *hash);

/*
 * The right to hash: at most two processes at a time have it, and never more than half of the workers (flock on files below
 * `base`, so it dies with its holder). `lowly`: takes the first place only and leaves the other to the rest.
 */
struct password_slot {
	int fd; /* -1: none */
};
#define PASSWORD_SLOT_INIT { -1 }
/* Waits at most wait_ms, then ERR_BUSY. */
int password_slot_take(struct password_slot *s, const char *base, int64_t workers, bool lowly, int64_t wait_ms,
		       struct err *e);
void password_slot_leave(struct password_slot *s); /* accepts one that is not taken */

#endif
