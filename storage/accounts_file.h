/* The file accounts.db when there is none yet. For accounts.c. */
#ifndef STORAGE_ACCOUNTS_FILE_H
#define STORAGE_ACCOUNTS_FILE_H

#include "base/err.h"

/*
 * Make `path` (base/accounts.db), with tables and nothing in them, durably; `mode` as for sql_open. It appears whole, and of
 * two who make it at the same time one wins. ERR_DAMAGED when it was there before: homes of users are, or its journal.
 */
int accounts_file_make(const char *path, const char *base, unsigned mode, struct err *e);

#endif
