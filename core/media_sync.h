/* Media methods (protocol.md §2.2, §5). */
#ifndef CORE_MEDIA_SYNC_H
#define CORE_MEDIA_SYNC_H

#include "core/call.h"

/* Each runs under the user's lock. */
call_fn media_begin;
call_fn media_changes;
call_fn media_sanity;
/* The reply is a stream that needs the lock no more. */
call_fn media_download;

/* Takes slot and lock itself: receiving and unpacking need nobody's exclusion. (core/media_upload.c) */
call_fn media_upload;

#endif
