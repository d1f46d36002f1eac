# See the top of Makefile.am.
noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/call.c core/call.h \
	core/commit.c core/commit.h \
	core/full_sync.c core/full_sync.h \
	core/graves.c core/graves.h \
	core/incoming.c core/incoming.h \
	core/login.c core/login.h \
	core/media_check.c core/media_check.h \
	core/media_pack.c core/media_pack.h \
	core/media_sync.c core/media_sync.h \
	core/media_upload.c \
	core/media_zip.c core/media_zip.h \
	core/merge.c core/merge.h \
	core/merge_reply.c \
	core/meta.c core/meta.h \
	core/methods.c \
	core/naming.c core/naming.h \
	core/naming_order.c \
	core/normal_sync.c core/normal_sync.h \
	core/password.c core/password.h \
	core/phc.c core/phc.h \
	core/quota.c core/quota.h \
	core/report.c core/report.h \
	core/shapes.c core/shapes.h \
	core/spool.c core/spool.h \
	core/throttle.c core/throttle.h \
	core/users.c core/users.h \
	core/verdict.h
core_libcore_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(ARGON2_CFLAGS) $(CRYPTO_CFLAGS) $(ARCHIVE_CFLAGS) $(ZLIB_CFLAGS)

check_PROGRAMS += tests/unit/test-naming-order
tests_unit_test_naming_order_SOURCES = tests/unit/test-naming-order.c tests/unit/test.h
tests_unit_test_naming_order_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_naming_order_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-full-sync
tests_unit_test_full_sync_SOURCES = tests/unit/test-full-sync.c tests/unit/files.c tests/unit/files.h
tests_unit_test_full_sync_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_full_sync_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-login
tests_unit_test_login_SOURCES = tests/unit/test-login.c tests/unit/test.h
tests_unit_test_login_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_login_LDADD = $(CORE_LIBS) $(TEST_LIBS)
tests_unit_test_login_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=argon2id_hash_raw -Wl,--wrap=PKCS5_PBKDF2_HMAC

check_PROGRAMS += tests/unit/test-password
tests_unit_test_password_SOURCES = tests/unit/test-password.c tests/unit/test.h
tests_unit_test_password_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_password_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-throttle
tests_unit_test_throttle_SOURCES = tests/unit/test-throttle.c tests/unit/test.h
tests_unit_test_throttle_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_throttle_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-sync
tests_unit_test_sync_SOURCES = tests/unit/test-sync.c tests/unit/place.c tests/unit/place.h tests/unit/vectors.h
tests_unit_test_sync_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sync_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-media-zip
tests_unit_test_media_zip_SOURCES = tests/unit/test-media-zip.c tests/unit/zips.c tests/unit/zips.h tests/unit/test.h
tests_unit_test_media_zip_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_media_zip_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-media-sync
tests_unit_test_media_sync_SOURCES = tests/unit/test-media-sync.c tests/unit/zips.c tests/unit/zips.h tests/unit/test.h
tests_unit_test_media_sync_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_media_sync_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-old-clients
tests_unit_test_old_clients_SOURCES = tests/unit/test-old-clients.c tests/unit/place.c tests/unit/place.h tests/unit/vectors.h
tests_unit_test_old_clients_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_old_clients_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-histories
tests_unit_test_histories_SOURCES = tests/unit/test-histories.c tests/unit/device.c tests/unit/device_sync.c \
	tests/unit/device.h tests/unit/place.c tests/unit/place.h tests/unit/vectors.h
tests_unit_test_histories_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_histories_LDADD = $(CORE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-report
tests_unit_test_report_SOURCES = tests/unit/test-report.c tests/unit/place.c tests/unit/place.h tests/unit/vectors.h
tests_unit_test_report_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_report_LDADD = $(CORE_LIBS) $(TEST_LIBS)
