/* Full upload and download (protocol.md §4, design.md §6). */
#ifndef CORE_FULL_SYNC_H
#define CORE_FULL_SYNC_H

#include "core/call.h"

/* Takes slot and lock itself: receiving and rebuilding need nobody's exclusion. The reply is a bare text: OK, or a sentence for the user. */
call_fn full_upload;
/* Under the user's lock; the reply is a stream that needs it no more. */
call_fn full_download;

#endif
