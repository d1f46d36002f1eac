/*
 * The normal sync, a method per step (protocol.md §3, design.md §5). State between the steps is the session file; the
 * collection is not written before the one commit (un-burying excepted).
 */
#ifndef CORE_NORMAL_SYNC_H
#define CORE_NORMAL_SYNC_H

#include "core/call.h"

/* Each runs under the user's lock. */
call_fn normal_start;
call_fn normal_apply_graves;
call_fn normal_apply_changes;
call_fn normal_chunk;
call_fn normal_apply_chunk;
call_fn normal_sanity_check;
call_fn normal_finish;
call_fn normal_abort;

#endif
