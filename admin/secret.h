/* Where the admin command gets a password from. Never from its arguments: every local user can read those. */
#ifndef ADMIN_SECRET_H
#define ADMIN_SECRET_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Is it one that can be typed into a client and hashed? Not empty, at most 1 KiB, UTF-8, no NUL, no end of line. 0, or -1
 * with ERR_BAD_REQUEST.
 */
int secret_check(struct slice password, struct err *e);

/* The four sources. Each fills *out and has checked it; whoever called wipes it. 0 or -1. */
int secret_ask(const char *user, struct buf *out, struct err *e); /* terminal, twice, without echo */
int secret_read(FILE *from, const char *name, struct buf *out, struct err *e); /* to its end; one final newline is cut */
int secret_read_file(const char *path, struct buf *out, struct err *e);
void secret_random(struct buf *out); /* 103 bits */

void secret_wipe(struct buf *b); /* overwrite, and free */

/* Ask on the terminal: 1 yes, 0 no, -1 there is no terminal. */
int terminal_confirm(const char *question);

#endif
