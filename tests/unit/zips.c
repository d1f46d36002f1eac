/* See zips.h. */
#include "tests/unit/zips.h"

#include <zlib.h>

#include "tests/unit/test.h"

static void put(struct buf *b, uint64_t v, int bytes)
{
	while (bytes--) {
		buf_putc(b, (char)(v & 255));
		v >>= 8;
	}
}

static void deflate_into(struct buf *b, const char *data, size_t len)
{
	z_stream z = { 0 };
	size_t room = len + len / 1000 + 64;
	char *to = buf_room(b, room);

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b->len += z.total_out;
	deflateEnd(&z);
}

static void put_facts(struct buf *b, const struct zip_part *p, uint32_t crc, size_t packed, size_t unpacked)
{
	put(b, 20, 2);
	put(b, (uint64_t)p->flags, 2);
	put(b, (uint64_t)(p->method ? p->method : p->deflated ? 8 : 0), 2);
	put(b, 0, 2);
	put(b, 33, 2);
	put(b, crc, 4);
	put(b, packed, 4);
	put(b, p->claims ? p->claims : unpacked, 4);
	put(b, strlen(p->name), 2);
	put(b, 0, 2);
}

void zip_make(struct buf *out, const struct zip_part *parts, size_t n)
{
	struct buf directory = BUF_INIT(BUF_UNBOUNDED), packed = BUF_INIT(BUF_UNBOUNDED);
	size_t start;

	buf_reset(out);
	for (size_t i = 0; i < n; i++) {
		const struct zip_part *p = &parts[i];
		size_t len = p->len ? p->len : strlen(p->data);
		uint32_t crc = (uint32_t)crc32(0, (const Bytef *)p->data, (uInt)len) ^ (p->wrong_crc ? 1u : 0u);

		buf_reset(&packed);
		if (p->deflated)
			deflate_into(&packed, p->data, len);
		else
			buf_put(&packed, p->data, len);
		put(&directory, 0x02014b50, 4);
		put(&directory, 3 << 8 | 20, 2);
		put_facts(&directory, p, crc, packed.len, len);
		put(&directory, 0, 6);
		put(&directory, (uint64_t)(p->mode ? p->mode : 0100644) << 16, 4);
		put(&directory, out->len, 4);
		buf_puts(&directory, p->name);
		put(out, 0x04034b50, 4);
		put_facts(out, p, crc, packed.len, len);
		buf_puts(out, p->name);
		buf_put(out, packed.data, packed.len);
	}
	start = out->len;
	buf_put(out, directory.data, directory.len);
	put(out, 0x06054b50, 4);
	put(out, 0, 4);
	put(out, n, 2);
	put(out, n, 2);
	put(out, directory.len, 4);
	put(out, start, 4);
	put(out, 0, 2);
	buf_release(&directory);
	buf_release(&packed);
}
