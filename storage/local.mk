# See the top of Makefile.am.
noinst_LIBRARIES += storage/libstorage.a
storage_libstorage_a_SOURCES = \
	storage/accounts.c storage/accounts.h \
	storage/accounts_file.c storage/accounts_file.h \
	storage/base_dir.c storage/base_dir.h \
	storage/changes.c storage/changes.h \
	storage/collection.c storage/collection.h \
	storage/collection_priv.h \
	storage/collection_sql.c \
	storage/contents.c storage/contents.h \
	storage/contents_aio.c \
	storage/contents_put.c \
	storage/contents_sync.c storage/contents_sync.h \
	storage/export11.c storage/export11.h \
	storage/foreign.c storage/foreign.h \
	storage/generations.c \
	storage/home.c storage/home.h \
	storage/home_priv.h \
	storage/import_copy.c storage/import_copy.h \
	storage/import_file.c storage/import_file.h \
	storage/import_upgrade.c storage/import_upgrade.h \
	storage/importer.c storage/importer.h \
	storage/keys.c \
	storage/media.c storage/media.h \
	storage/media_apply.c \
	storage/media_check.c \
	storage/media_priv.h \
	storage/media_sweep.c \
	storage/objects.c storage/objects.h \
	storage/overlay.c storage/overlay.h \
	storage/schema18.c storage/schema18.h \
	storage/session.c storage/session.h \
	storage/settings.c storage/settings.h \
	storage/snapshot.c storage/snapshot.h \
	storage/sql.c storage/sql.h
storage_libstorage_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(JSONC_CFLAGS) $(ZLIB_CFLAGS)

check_PROGRAMS += tests/unit/test-home
tests_unit_test_home_SOURCES = tests/unit/test-home.c tests/unit/test.h
tests_unit_test_home_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_home_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-importer
tests_unit_test_importer_SOURCES = tests/unit/test-importer.c tests/unit/files.c tests/unit/files.h
tests_unit_test_importer_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_importer_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-media
tests_unit_test_media_SOURCES = tests/unit/test-media.c tests/unit/test.h
tests_unit_test_media_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_media_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-accounts
tests_unit_test_accounts_SOURCES = tests/unit/test-accounts.c
tests_unit_test_accounts_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_accounts_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-overlay
tests_unit_test_overlay_SOURCES = tests/unit/test-overlay.c tests/unit/files.c tests/unit/files.h
tests_unit_test_overlay_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_overlay_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-sql
tests_unit_test_sql_SOURCES = tests/unit/test-sql.c tests/unit/files.c tests/unit/files.h
tests_unit_test_sql_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sql_LDADD = $(STORAGE_LIBS) $(TEST_LIBS)
