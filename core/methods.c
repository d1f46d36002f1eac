/* The methods of the protocol (protocol.md §2): one row each. */
#include "core/call.h"
#include "core/full_sync.h"
#include "core/login.h"
#include "core/media_sync.h"
#include "core/meta.h"
#include "core/normal_sync.h"

/*
 * What comes with applyChanges is held several times over while it is compared with ours: as text, as a tree, as objects, as
 * folded names. A collection's note types, decks and options have a few MB.
 */
enum { SMALL = 65536, GRAVES_MAX = 1 << 20, CHANGES_MAX = 64 << 20 };

static const struct method methods[] = {
	{ "hostKey", AREA_SYNC, METHOD_NO_KEY, LOGIN_BODY_MAX, login_host_key },
	{ "meta", AREA_SYNC, METHOD_LOCKED, SMALL, meta_run },
	{ "start", AREA_SYNC, METHOD_LOCKED, GRAVES_MAX * 16, normal_start },
	{ "applyGraves", AREA_SYNC, METHOD_LOCKED | METHOD_SESSION, GRAVES_MAX, normal_apply_graves },
	{ "applyChanges", AREA_SYNC, METHOD_LOCKED | METHOD_SESSION, CHANGES_MAX, normal_apply_changes },
	{ "chunk", AREA_SYNC, METHOD_LOCKED | METHOD_SESSION | METHOD_NO_BODY, 0, normal_chunk },
	{ "applyChunk", AREA_SYNC, METHOD_LOCKED | METHOD_SESSION, 0, normal_apply_chunk },
	{ "sanityCheck2", AREA_SYNC, METHOD_LOCKED | METHOD_SESSION, SMALL, normal_sanity_check },
	{ "finish", AREA_SYNC, METHOD_LOCKED | METHOD_SESSION | METHOD_NO_BODY, 0, normal_finish },
	{ "abort", AREA_SYNC, METHOD_LOCKED | METHOD_NO_BODY, 0, normal_abort },
	{ "upload", AREA_SYNC, METHOD_STREAM, 0, full_upload },
	{ "download", AREA_SYNC, METHOD_LOCKED | METHOD_NO_BODY, 0, full_download },
	{ "begin", AREA_MSYNC, METHOD_LOCKED, SMALL, media_begin },
	{ "mediaChanges", AREA_MSYNC, METHOD_LOCKED, SMALL, media_changes },
	{ "uploadChanges", AREA_MSYNC, METHOD_STREAM, 0, media_upload },
	{ "downloadFiles", AREA_MSYNC, METHOD_LOCKED, SMALL, media_download },
	{ "mediaSanity", AREA_MSYNC, METHOD_LOCKED, SMALL, media_sanity },
};

const struct method *method_find(enum call_area area, struct slice name)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (methods[i].area & area && slice_eq_str(name, methods[i].name))
			return &methods[i];
	return NULL;
}

const struct method *method_find_any(struct slice name)
{
	return method_find(AREA_SYNC | AREA_MSYNC, name);
}
