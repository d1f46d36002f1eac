/*
 * The zips of downloadFiles (protocol.md §5.3): files stored as they are, and `_meta` with their names. Lengths and checksums
 * are known beforehand, so the zip is written as a stream whose length is known, and needs no more memory than its
 * directory; a library would first have to read all.
 */
#ifndef CORE_MEDIA_PACK_H
#define CORE_MEDIA_PACK_H

#include "base/stream.h"
#include "storage/contents.h"

struct media_pack;

struct media_pack *media_pack_new(void);
/* The descriptor is the pack's from here on. At most CONTENTS_PUT_MAX files, each below 4 GiB. */
void media_pack_add(struct media_pack *p, struct slice name, const struct content *content, int fd);
/* One that is at hand: copied. */
void media_pack_add_data(struct media_pack *p, struct slice name, const struct content *content, struct slice data);
/* Nothing more comes: the length of the whole. */
uint64_t media_pack_end(struct media_pack *p);
/* A file that is shorter by now is ERR_DAMAGED half-way. */
struct source *media_pack_source(struct media_pack *p);
void media_pack_free(struct media_pack *p); /* accepts NULL */

#endif
