/* The method `meta`: how things stand, and whether this client may go on (protocol.md §2.1). */
#ifndef CORE_META_H
#define CORE_META_H

#include "core/call.h"
#include "storage/session.h"

call_fn meta_run;

/*
 * Generation, usn, mod and scm of the current collection; *c is NULL and everything 0 for an account that never received
 * one. Begins a view (collection.h). Needs the user's lock.
 */
int meta_stamp(struct home *h, struct collection **c, struct session_stamp *stamp, struct err *e);

#endif
