/* Rights given up for good, as far as the kernel can (hardening.md §2.1). What it lacks is no error. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/err.h"

/*
 * From now on this process opens no file but: `file` for reading, and regular files in `folder` for reading, writing,
 * making and removing. Other descriptors stay open. 0, or -1.
 */
int sandbox_files(const char *file, const char *folder, struct err *e);
/* And it makes no connection, starts no process or program, looks into no other process. 0, or -1. */
int sandbox_calls(struct err *e);

#endif
