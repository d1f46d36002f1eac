/* Zips for tests, byte by byte: right ones, and such as no client would make. */
#ifndef TESTS_UNIT_ZIPS_H
#define TESTS_UNIT_ZIPS_H

#include "base/buf.h"

struct zip_part {
	const char *name;
	const char *data;
	size_t len;       /* 0: strlen(data) */
	bool deflated;
	int method;       /* 0: as `deflated` says; else this number in both headers */
	int flags;
	uint32_t mode;    /* 0: 0100644 */
	bool wrong_crc;
	uint32_t claims;  /* unpacked size in the headers; 0: the true one */
};

/* Replaces the content of out. */
void zip_make(struct buf *out, const struct zip_part *parts, size_t n);
#define ZIP_MAKE(out, ...)                                                                                              \
	zip_make(out, (const struct zip_part[]){ __VA_ARGS__ }, sizeof((const struct zip_part[]){ __VA_ARGS__ }) / sizeof(struct zip_part))

#endif
