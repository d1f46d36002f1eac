/*
 * The zips of uploadChanges (protocol.md §5.3), read as a stranger's: every member is hashed and stored on its way in
 * (contents.h), and the list `_meta` says which names they have for the user. Anything that no client would send makes the
 * whole zip ERR_BAD_REQUEST.
 */
#ifndef CORE_MEDIA_ZIP_H
#define CORE_MEDIA_ZIP_H

#include <stdint.h>

#include "base/json.h"
#include "core/spool.h"
#include "storage/media.h"

enum {
	MEDIA_ZIP_CHANGES_MAX = 25,
	MEDIA_ZIP_MEMBERS_MAX = 64, /* `_meta` and members that nobody names included */
	MEDIA_NAME_MAX_BYTES = 255,
};

struct media_upload {
	struct media_change changes[MEDIA_ZIP_CHANGES_MAX];
	size_t n;
	struct json_object *list; /* owns the names */
};
#define MEDIA_UPLOAD_INIT { .n = 0 }

struct media_zip_limits {
	int64_t file_bytes;  /* of one member, unpacked */
	int64_t total_bytes; /* of all of them */
};

/* 0 with *up and the contents in `put`, or -1. Either way media_upload_release is due. */
int media_zip_read(const struct spool *zip, const struct media_zip_limits *limits, struct contents_put *put,
		   struct media_upload *up, struct err *e);
void media_upload_release(struct media_upload *up);

/* 0 when a file may have this name: 1 to 255 bytes of UTF-8 in NFC; not `.`, `..`; no `/`, `\` or NUL. Else -1 with *e. */
int media_name_check(struct slice name, struct err *e);

#endif
