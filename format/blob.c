/* See blob.h. */
#include "format/blob.h"

#include "base/utf8.h"

/* protobuf-c asks for what the blob tells it to: a list of two-byte messages costs forty times its size. */
static void *budget_alloc(void *budget, size_t n)
{
	size_t *left = budget;

	if (n > *left)
		return NULL;
	*left -= n;
	return malloc(n);
}

static void budget_free(void *budget, void *p)
{
	(void)budget;
	free(p);
}

static const ProtobufCFieldDescriptor *fields_end(const ProtobufCMessage *m)
{
	return m->descriptor->fields + m->descriptor->n_fields;
}

/* Clients refuse a text that is not UTF-8, and could not tell it from a damaged file. */
static bool texts_are_utf8(const ProtobufCMessage *m)
{
	for (const ProtobufCFieldDescriptor *f = m->descriptor->fields; f < fields_end(m); f++) {
		const char *at = (const char *)m + f->offset, *count = (const char *)m + f->quantifier_offset;
		ProtobufCMessage *const *inner = (ProtobufCMessage *const *)at;
		size_t n = 1;

		if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && *(const uint32_t *)count != f->id)
			continue;
		if (f->type == PROTOBUF_C_TYPE_BYTES && f->id != BLOB_OTHER)
			if (!utf8_valid(blob_slice(*(const ProtobufCBinaryData *)at)))
				return false;
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			n = *(const size_t *)count;
			inner = *(ProtobufCMessage **const *)at;
		}
		for (size_t i = 0; i < n; i++)
			if (inner[i] && !texts_are_utf8(inner[i]))
				return false;
	}
	return true;
}

void *blob_unpack(const ProtobufCMessageDescriptor *type, struct slice blob, struct err *e)
{
	size_t budget = BLOB_MEMORY;
	ProtobufCAllocator allocator = { budget_alloc, budget_free, &budget };
	ProtobufCMessage *m = NULL;

	if (blob.len > BLOB_MAX) {
		err_set(e, ERR_DAMAGED, "%s of %zu bytes; at most %zu", type->short_name, blob.len, BLOB_MAX);
		return NULL;
	}
	m = protobuf_c_message_unpack(type, &allocator, blob.len, (const uint8_t *)blob.p);
	if (!m) {
		err_set(e, ERR_DAMAGED, "%s of %zu bytes cannot be decoded", type->short_name, blob.len);
		return NULL;
	}
	if (!texts_are_utf8(m)) {
		err_set(e, ERR_DAMAGED, "%s has a text that is not UTF-8", type->short_name);
		blob_free(m);
		return NULL;
	}
	return m;
}

void blob_free(void *message)
{
	protobuf_c_message_free_unpacked(message, NULL); /* plain free(), as budget_free does */
}

int blob_pack(const void *message, struct buf *out, struct err *e)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	char *room;

	buf_reset(out);
	if (n > BLOB_MAX)
		return err_set(e, ERR_TOO_BIG, "%zu bytes; an object has room for %zu", n, BLOB_MAX);
	room = buf_room(out, n);
	if (!room)
		return buf_check(out, e);
	protobuf_c_message_pack(message, (uint8_t *)room);
	out->len += n;
	room[n] = 0;
	return 0;
}

struct slice blob_slice(ProtobufCBinaryData d)
{
	return (struct slice){ (const char *)d.data, d.len };
}

ProtobufCBinaryData blob_data(struct slice s)
{
	return (ProtobufCBinaryData){ s.len, (uint8_t *)s.p };
}

struct pool_block {
	struct pool_block *before;
	max_align_t memory[];
};

void *pool_get(struct pool *p, size_t count, size_t size)
{
	struct pool_block *b = xcalloc(1, sizeof *b + count * size);

	b->before = p->last;
	p->last = b;
	return b->memory;
}

void pool_release(struct pool *p)
{
	while (p->last) {
		struct pool_block *b = p->last;

		p->last = b->before;
		free(b);
	}
}
