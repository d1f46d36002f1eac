noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
	base/banned.h \
	base/buf.c base/buf.h \
	base/clock.c base/clock.h \
	base/config.c base/config.h \
	base/digest.c base/digest.h \
	base/err.c base/err.h \
	base/json.c base/json.h \
	base/json_parse.c \
	base/json_print.c \
	base/log.c base/log.h \
	base/reach.c base/reach.h \
	base/sandbox.c base/sandbox.h \
	base/stream.c base/stream.h \
	base/stream_gzip.c \
	base/stream_backlog.c \
	base/stream_zstd.c \
	base/utf8.c base/utf8.h
base_libbase_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS) $(ISAL_CFLAGS) $(CRYPTO_CFLAGS) $(INIH_CFLAGS)

check_PROGRAMS += tests/unit/test-json
tests_unit_test_json_SOURCES = tests/unit/test-json.c
tests_unit_test_json_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_json_LDADD = $(BASE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-utf8
tests_unit_test_utf8_SOURCES = tests/unit/test-utf8.c
tests_unit_test_utf8_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_utf8_LDADD = $(BASE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-stream
tests_unit_test_stream_SOURCES = tests/unit/test-stream.c
tests_unit_test_stream_CFLAGS = $(AM_CFLAGS) $(ZSTD_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_stream_LDADD = $(BASE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-config
tests_unit_test_config_SOURCES = tests/unit/test-config.c
tests_unit_test_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) \
	-DSHIPPED='"$(abs_top_srcdir)/deploy/ankisync.conf"' -DMANUAL='"$(abs_top_srcdir)/man/ankisync.conf.5"' \
	-DSETUP='"$(abs_top_srcdir)/docs/setup.md"'
tests_unit_test_config_LDADD = $(BASE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-log
tests_unit_test_log_SOURCES = tests/unit/test-log.c
tests_unit_test_log_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_log_LDADD = $(BASE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-sandbox
tests_unit_test_sandbox_SOURCES = tests/unit/test-sandbox.c tests/unit/test.h
tests_unit_test_sandbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sandbox_LDADD = $(BASE_LIBS) $(TEST_LIBS)
