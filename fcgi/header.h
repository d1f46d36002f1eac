/* The header `anki-sync` of clients since January 2023: who asks, and in which version (protocol.md §1.1). */
#ifndef FCGI_HEADER_H
#define FCGI_HEADER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct sync_header {
	int version;          /* 8..11 */
	struct slice key;     /* host key, "" at login */
	struct slice client;
	struct slice session; /* key of the client's operation */
	struct json_object *json; /* holds the texts */
};

/*
 * *h is valid only after 0, until sync_header_release. -1: ERR_BAD_REQUEST (not JSON, a key missing or of the wrong type, a
 * version below 8 or above 255), ERR_VERSION (12 to 255; whatever else such a header holds, since we cannot know).
 */
int sync_header_parse(struct slice text, struct sync_header *h, struct err *e);
void sync_header_release(struct sync_header *h); /* accepts a zeroed struct */

#endif
