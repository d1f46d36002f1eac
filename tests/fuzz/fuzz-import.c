/*
 * libFuzzer: uploaded collection files. What the importing child does is done here in process (without its sandbox).
 *
 * The input is the file. Whatever comes: a refusal with a sentence for the user, or a collection that passes
 * integrity_check, can be printed as clients get it, and imports again as it is, without anything to mend.
 */
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "storage/collection.h"
#include "storage/import_file.h"
#include "storage/objects.h"
#include "storage/settings.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory.h"
#include "tests/unit/files.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

enum { PAGE_SIZE_AT = 16, CHANGES_AT = 24, PAGES_AT = 28, VALID_FOR_AT = 92, HEADER_BYTES = 100 };

static const char *src, *dst, *again;

static int print_deck(const struct deck *d, void *out, struct err *e)
{
	return deck_print(out, d, e);
}

static int print_options(const struct deck_config *c, void *out, struct err *e)
{
	return deck_config_print(out, c, e);
}

static void printable(void)
{
	struct buf out = BUF_INIT(BUF_UNBOUNDED);
	struct err e = ERR_INIT;
	struct collection *c = collection_open(dst, true, &e);
	int64_t *ids = NULL;
	size_t n = 0;

	if (!c || collection_prepare_all(c, &e) != 0 || deck_each_pending(c, INT64_MIN, print_deck, &out, &e) != 0 ||
	    deck_config_each_pending(c, INT64_MIN, print_options, &out, &e) != 0 ||
	    notetype_ids_pending(c, INT64_MIN, &ids, &n, &e) != 0) {
		fprintf(stderr, "imported, but %s\n", e.msg);
		abort();
	}
	for (size_t i = 0; i < n; i++) {
		struct notetype t;

		notetype_init(&t);
		assert(notetype_get(c, ids[i], &t, &e) == 1 && notetype_print(&out, &t, &e) == 0);
		notetype_release(&t);
	}
	buf_reset(&out);
	assert(conf_print(c, &out, &e) == 0);
	json_object_put(fuzz_printed(buf_slice(&out)));
	free(ids);
	collection_close(c);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import_result first, second;
	struct err e = ERR_INIT;

	unlink(src);
	unlink(dst);
	files_write(src, 0, data, size);
	if (import_file(src, dst, &first, &e) != 0) {
		assert(e.kind == ERR_REFUSED && e.msg[0]);
		return 0;
	}
	assert(strcmp(files_ask(dst, "PRAGMA integrity_check"), "ok") == 0);
	unlink(again);
	if (import_file(dst, again, &second, &e) != 0) {
		fprintf(stderr, "imported once, but %s\n", e.msg);
		abort();
	}
	assert(second.mended == 0 && second.schema == 18 && second.cards == first.cards && second.notes == first.notes &&
	       second.revlog == first.revlog && second.notetypes == first.notetypes && second.decks == first.decks &&
	       second.deck_configs == first.deck_configs);
	printable();
	return 0;
}

static void put_be32(uint8_t *p, size_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Mostly one page is changed, and the length stays one that the header promises: else hardly anything would get past it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t page, at;

	if (size < 2 * HEADER_BYTES || seed % 16 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	page = (size_t)data[PAGE_SIZE_AT] << 8 | data[PAGE_SIZE_AT + 1];
	if (page < 512 || (page & (page - 1)) || size < page)
		page = 512;
	if (seed % 8 == 1 && size >= page && size + page <= max_size) { /* pages moved by one whole page */
		at = (seed >> 8) % (size / page) * page;
		memmove(data + at + page, data + at, size - at);
		size += page;
	} else {
		at = (seed >> 8) % ((size + page - 1) / page) * page;
		/* a piece of a page: its header, or any */
		if (seed % 4)
			at += (seed >> 4) % 4 ? (seed >> 12) % page : 0;
		if (at < HEADER_BYTES && seed % 32)
			at = HEADER_BYTES;
		if (at >= size)
			at = size - 1;
		page = size - at < 64 ? size - at : 64;
		LLVMFuzzerMutate(data + at, page, page);
	}
	if (size >= HEADER_BYTES && seed % 32 != 2) {
		page = (size_t)data[PAGE_SIZE_AT] << 8 | data[PAGE_SIZE_AT + 1];
		if (page >= 512 && size >= page) {
			size -= size % page;
			put_be32(data + PAGES_AT, size / page);
			memcpy(data + VALID_FOR_AT, data + CHANGES_AT, 4);
		}
	}
	return size;
}

static void cleanup(void)
{
	files_teardown(NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct rlimit most = { 64 << 20, 64 << 20 }; /* as the child has it */
	struct import_result r;
	struct err e = ERR_INIT;

	(void)argc;
	(void)argv;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &most);
	sqlite3_config(SQLITE_CONFIG_URI, 1);
	files_in_memory();
	src = files_path("src");
	dst = files_path("dst");
	again = files_path("again");
	/* One that must be accepted: or everything is refused and nothing is tested. */
	if (import_file(files_golden("rich-18", "golden"), dst, &r, &e) != 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	atexit(cleanup);
	return 0;
}
