/* How the verbs print: JSON members, times, and names that somebody else chose. */
#ifndef ADMIN_PRINT_H
#define ADMIN_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "storage/accounts.h"

/* `"key":value` behind "{" or another member. */
void put_text(struct buf *b, const char *key, const char *value);
void put_number(struct buf *b, const char *key, int64_t value);
void put_flag(struct buf *b, const char *key, bool value);

/* A user as `user list --json` shows them, without the closing "}". `state` NULL: the account's own. */
void put_account(struct buf *b, const struct account *account, const char *state);
const char *state_name(enum account_state state);

/* What is in *b, and the end of the line, to stdout; *b is released. */
void print_json(struct buf *b);

/* To stdout, with everything escaped that a terminal could take for its own. */
void print_name(struct slice name);
/* "2026-11-24 10:00:00" in local time. */
const char *local_time(int64_t unix_s, char text[32]);

#endif
