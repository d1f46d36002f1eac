/* Media methods (protocol.md §2.2). */
#ifndef CORE_MEDIA_SYNC_H
#define CORE_MEDIA_SYNC_H

#include "core/call.h"

/* Each runs under the user's lock. */
call_fn media_begin;
call_fn media_changes;

#endif
