noinst_LIBRARIES += format/libformat.a
format_libformat_a_SOURCES = \
	format/blob.c format/blob.h \
	format/card_data.c format/card_data.h \
	format/day.c format/day.h \
	format/deck.c format/deck.h \
	format/deck_config.c format/deck_config.h \
	format/entity_table.h \
	format/keys.c format/keys.h \
	format/media_tag.c format/media_tag.h \
	format/name_parts.c format/name_parts.h \
	format/names.c format/names.h \
	format/packed_rows.c format/packed_rows.h \
	format/note_text.c format/note_text.h \
	format/notetype.c format/notetype.h \
	format/rows.c format/rows.h \
	format/schema11.c format/schema11.h \
	format/tags.c format/tags.h \
	format/unicase.c format/unicase.h \
	format/unicase_table.h
format_libformat_a_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(UTF8PROC_CFLAGS) $(PROTOBUFC_CFLAGS)
EXTRA_DIST += format/gen-tables

# What protoc-c makes of blobs.proto, in the build tree only.
nodist_format_libformat_a_SOURCES = format/blobs.pb-c.c format/blobs.pb-c.h
EXTRA_DIST += format/blobs.proto
BUILT_SOURCES += format/blobs.pb-c.c format/blobs.pb-c.h
CLEANFILES += format/blobs.pb-c.c format/blobs.pb-c.h
format/blobs.pb-c.c: format/blobs.proto
	$(AM_V_GEN)$(MKDIR_P) format && $(PROTOC_C) --proto_path=$(top_srcdir)/format --c_out=format $(top_srcdir)/format/blobs.proto
format/blobs.pb-c.h: format/blobs.pb-c.c
	@test -f $@ || { rm -f format/blobs.pb-c.c && $(MAKE) $(AM_MAKEFLAGS) format/blobs.pb-c.c; }

check_PROGRAMS += tests/unit/test-deck
tests_unit_test_deck_SOURCES = tests/unit/test-deck.c tests/unit/objects.c tests/unit/objects.h tests/unit/vectors.h
tests_unit_test_deck_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_deck_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-day
tests_unit_test_day_SOURCES = tests/unit/test-day.c tests/unit/vectors.h
tests_unit_test_day_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_day_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-deck-config
tests_unit_test_deck_config_SOURCES = tests/unit/test-deck-config.c tests/unit/objects.c tests/unit/objects.h tests/unit/vectors.h
tests_unit_test_deck_config_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_deck_config_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-names
tests_unit_test_names_SOURCES = tests/unit/test-names.c tests/unit/vectors.h
tests_unit_test_names_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_names_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-note-text
tests_unit_test_note_text_SOURCES = tests/unit/test-note-text.c tests/unit/vectors.h
tests_unit_test_note_text_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_note_text_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-notetype
tests_unit_test_notetype_SOURCES = tests/unit/test-notetype.c tests/unit/objects.c tests/unit/objects.h tests/unit/vectors.h
tests_unit_test_notetype_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_notetype_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-rows
tests_unit_test_rows_SOURCES = tests/unit/test-rows.c tests/unit/vectors.h
tests_unit_test_rows_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_rows_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)

check_PROGRAMS += tests/unit/test-unicase
tests_unit_test_unicase_SOURCES = tests/unit/test-unicase.c tests/unit/vectors.h
tests_unit_test_unicase_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_unicase_LDADD = $(FORMAT_LIBS) $(TEST_LIBS)
