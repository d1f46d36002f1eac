/* UTF-8: well-formed sequences, and the maximal invalid parts that lossy decoding replaces (collection-format.md §6.1). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Length of the well-formed sequence at p (1..4; no surrogates, nothing overlong, at most U+10FFFF), 0 if there is none. */
size_t utf8_sequence(const char *p, size_t n);
/* Length of the maximal invalid part at p (1..3), where utf8_sequence said 0. One part is one U+FFFD. */
size_t utf8_bad_part(const char *p, size_t n);
bool utf8_valid(struct slice s);
/* Code point at p; *used bytes are consumed. An invalid part gives U+FFFD. n must not be 0. */
uint32_t utf8_decode(const char *p, size_t n, size_t *used);
/* Write a code point (a Unicode scalar value): 1..4 bytes. */
size_t utf8_encode(uint32_t code, char *out);
/* Append one. */
void utf8_put(struct buf *b, uint32_t code);
/* Append a text, with U+FFFD for each invalid part. */
void utf8_put_lossy(struct buf *b, struct slice s);

#endif
