noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
	base/banned.h \
	base/buf.c base/buf.h \
	base/clock.c base/clock.h \
	base/digest.c base/digest.h \
	base/err.c base/err.h \
	base/json.c base/json.h \
	base/json_guard.c base/json_guard.h \
	base/utf8.c base/utf8.h
base_libbase_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS) $(CRYPTO_CFLAGS) $(INIH_CFLAGS)

check_PROGRAMS += tests/unit/test-json
tests_unit_test_json_SOURCES = tests/unit/test-json.c
tests_unit_test_json_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_json_LDADD = $(BASE_LIBS) $(TEST_LIBS)
