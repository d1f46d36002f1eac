/*
 * Streams: where bytes come from (source) and where they go (sink), and the codecs that stand between.
 * A source or sink is embedded in a larger struct; whoever made it ends it. Nothing here keeps a whole body in memory.
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* read: 1..n bytes; 0 at the end of a *complete* body, again and again; -1 with *e set (a body that stops half-way too). */
struct source {
	ssize_t (*read)(struct source *s, void *p, size_t n, struct err *e);
};

/* write: all n bytes or -1. */
struct sink {
	int (*write)(struct sink *s, const void *p, size_t n, struct err *e);
};

/* From memory (borrowed) and from a descriptor's current position (borrowed). */
struct mem_source {
	struct source source;
	struct slice rest;
};
void mem_source_init(struct mem_source *s, struct slice bytes);

struct fd_source {
	struct source source;
	int fd;
};
void fd_source_init(struct fd_source *s, int fd);

/* All n bytes, however often the system stops half-way. 1; 0 when the file ends before them; -1 with errno. */
int fd_read_at(int fd, void *p, size_t n, uint64_t at);
int fd_write_at(int fd, const void *p, size_t n, uint64_t at); /* 0, or -1 with errno */

/* Into a buffer, and into a descriptor. */
struct buf_sink {
	struct sink sink;
	struct buf *buf;
};
void buf_sink_init(struct buf_sink *s, struct buf *buf);

struct fd_sink {
	struct sink sink;
	int fd;
	uint64_t written;
};
void fd_sink_init(struct fd_sink *s, int fd);

/*
 * Bytes that are read again later: in memory while they are few, then in a file of `dir` that has no name and vanishes with
 * the process. Write first, then read: backlog_source gives all of it, from the beginning. The file is not begun, nor goes on
 * to grow, when it would leave less than `keep_free` bytes of the disk: ERR_FULL. Both borrowed pointers live as long.
 */
struct backlog {
	struct sink sink;
	struct source source;
	const char *dir;
	size_t in_memory;
	uint64_t keep_free;
	struct buf head; /* memory; unused as soon as there is a file */
	int fd;          /* -1: everything is in `head` */
	uint64_t bytes, at, checked;
};
void backlog_init(struct backlog *s, const char *dir, size_t in_memory, uint64_t keep_free);
struct source *backlog_source(struct backlog *s);
void backlog_release(struct backlog *s); /* accepts a zeroed struct; wipes the memory, where a password may have been */

/*
 * Decoders: sources that read from another source. Complete only when the frame (zstd) or member (gzip) has ended: an
 * input that ends earlier is ERR_BAD_REQUEST "truncated". What follows the first frame or member is read and ignored, so
 * that the web server is rid of the body. More than max_out bytes: ERR_TOO_BIG. Never believe a size that the frame
 * claims; zstd window at most 8 MiB (windowLogMax 23), else ERR_BAD_REQUEST. Input far longer than max_out is ERR_TOO_BIG
 * as well (2 MiB of slack), since blocks may be empty and trailing bytes are for nothing.
 * init borrows `from`; release frees the codec's memory (the zstd contexts are one per process and reset per use, so at
 * most one zstd decoder and one zstd encoder exist at a time).
 */
struct zstd_source {
	struct source source;
	struct source *from;
	uint64_t max_out, total_out, total_in;
	char *in;
	size_t in_len, in_pos;
	bool done, pending; /* pending: the decoder may hold output that did not fit */
};
void zstd_source_init(struct zstd_source *s, struct source *from, uint64_t max_out);
void zstd_source_release(struct zstd_source *s);

/*
 * `quick`: by ISA-L where we are built with it, three times as fast as zlib. For large bodies of people who have logged in;
 * strangers meet zlib only.
 */
struct gzip_source;
struct gzip_source *gzip_source_new(struct source *from, uint64_t max_out, bool quick);
struct source *gzip_source_source(struct gzip_source *s);
void gzip_source_free(struct gzip_source *s);

/* zstd encoder: a sink that writes one frame to another sink. finish ends the frame (also the empty one). */
struct zstd_sink {
	struct sink sink;
	struct sink *to;
	char *out;
};
void zstd_sink_init(struct zstd_sink *s, struct sink *to, int level);
int zstd_sink_finish(struct zstd_sink *s, struct err *e);
void zstd_sink_release(struct zstd_sink *s);

/* Append `in` as one frame, with its content size in the head. Not while a zstd_sink exists. 0 or -1. */
int zstd_compress(struct slice in, struct buf *out, int level, struct err *e);

/* Read to the end. 0 or -1. */
int source_to_buf(struct source *s, struct buf *b, struct err *e);
int source_to_sink(struct source *s, struct sink *to, uint64_t *copied, struct err *e);

#endif
