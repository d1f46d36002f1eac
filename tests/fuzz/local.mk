# See the top of Makefile.am. Targets of libFuzzer: tests/fuzz/run builds them with clang, in a folder of their own. Each
# links the lowest library that it needs, and has what it replaces in its own file.
FUZZERS = tests/fuzz/fuzz-calls tests/fuzz/fuzz-form tests/fuzz/fuzz-gzip tests/fuzz/fuzz-head tests/fuzz/fuzz-import \
	tests/fuzz/fuzz-json tests/fuzz/fuzz-objects tests/fuzz/fuzz-text tests/fuzz/fuzz-zip tests/fuzz/fuzz-zstd
EXTRA_PROGRAMS += $(FUZZERS)
CLEANFILES += $(FUZZERS)
FUZZ_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(FCGI_CFLAGS) $(SQLITE_CFLAGS) $(ZLIB_CFLAGS) $(UTF8PROC_CFLAGS) $(CMOCKA_CFLAGS)
FUZZ_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_fuzz_calls_SOURCES = tests/fuzz/fuzz-calls.c tests/fuzz/fuzz.h tests/fuzz/memory.h tests/faults/image.c tests/faults/image.h \
	tests/unit/files.c tests/unit/files.h tests/unit/place.c tests/unit/place.h tests/unit/zips.c tests/unit/zips.h
tests_fuzz_fuzz_calls_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_calls_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_calls_LDADD = $(CORE_LIBS) $(TEST_LIBS)

tests_fuzz_fuzz_form_SOURCES = tests/fuzz/fuzz-form.c tests/fuzz/fuzz.h tests/fuzz/pieces.h
tests_fuzz_fuzz_form_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_form_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_form_LDADD = fcgi/libworker.a $(BASE_LIBS) $(FCGI_LIBS)

tests_fuzz_fuzz_gzip_SOURCES = tests/fuzz/fuzz-gzip.c tests/fuzz/fuzz.h tests/fuzz/pieces.h
tests_fuzz_fuzz_gzip_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_gzip_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_gzip_LDADD = $(BASE_LIBS)

tests_fuzz_fuzz_head_SOURCES = tests/fuzz/fuzz-head.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_head_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_head_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_head_LDADD = fcgi/libworker.a $(CORE_LIBS) $(FCGI_LIBS)

tests_fuzz_fuzz_import_SOURCES = tests/fuzz/fuzz-import.c tests/fuzz/fuzz.h tests/fuzz/memory.h tests/unit/files.c tests/unit/files.h
tests_fuzz_fuzz_import_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_import_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_import_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)

tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz-json.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_json_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_json_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_json_LDADD = $(BASE_LIBS)

tests_fuzz_fuzz_objects_SOURCES = tests/fuzz/fuzz-objects.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_objects_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_objects_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_objects_LDADD = $(FORMAT_LIBS)

tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz-text.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_text_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_text_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_text_LDADD = $(FORMAT_LIBS)

tests_fuzz_fuzz_zip_SOURCES = tests/fuzz/fuzz-zip.c tests/fuzz/fuzz.h tests/unit/zips.c tests/unit/zips.h
tests_fuzz_fuzz_zip_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_zip_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_zip_LDADD = core/libcore.a $(FORMAT_LIBS) $(ARCHIVE_LIBS) $(TEST_LIBS)

tests_fuzz_fuzz_zstd_SOURCES = tests/fuzz/fuzz-zstd.c tests/fuzz/fuzz.h tests/fuzz/pieces.h
tests_fuzz_fuzz_zstd_CFLAGS = $(FUZZ_CFLAGS)
tests_fuzz_fuzz_zstd_LDFLAGS = $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_zstd_LDADD = $(BASE_LIBS)
