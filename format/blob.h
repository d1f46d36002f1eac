/*
 * Blobs: protocol buffers as they lie in the config columns of a collection, to and from the structs that protoc-c makes
 * of blobs.proto. What comes in may have been written by anybody.
 */
#ifndef FORMAT_BLOB_H
#define FORMAT_BLOB_H

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Bytes of one blob, and what decoding one may take. hardening.md §4 says 1 and 8 MiB; but a note type whose CSS embeds a
 * font is larger than that, the official server has no limit, and a client whose object is refused can never sync again.
 */
#define BLOB_MAX ((size_t)16 << 20)
#define BLOB_MEMORY ((size_t)64 << 20)
#define BLOB_OTHER 255              /* the field of unknown JSON keys: any bytes, where other `bytes` are UTF-8 */

/*
 * The message, to be given to blob_free; or NULL with ERR_DAMAGED: not a blob of this type, a text that is not UTF-8, or
 * one of the limits above. Fields that the .proto does not name are kept in the message and come out of blob_pack again.
 */
void *blob_unpack(const ProtobufCMessageDescriptor *type, struct slice blob, struct err *e);
void blob_free(void *message); /* accepts NULL */

/*
 * Replace the content of `out` by the encoded message. The message may lie on the stack and its bytes may be borrowed.
 * 0, or -1 with ERR_TOO_BIG.
 */
int blob_pack(const void *message, struct buf *out, struct err *e);

/* The same bytes, borrowed. */
struct slice blob_slice(ProtobufCBinaryData d);
ProtobufCBinaryData blob_data(struct slice s);

/* Memory for a message in the making (lists, messages within): zeroed, freed all at once. */
struct pool {
	struct pool_block *last;
};

void *pool_get(struct pool *p, size_t count, size_t size);
void pool_release(struct pool *p);

#endif
