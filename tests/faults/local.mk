# See the top of Makefile.am. Programs that suites of tests/run.d build and run.
EXTRA_PROGRAMS += tests/faults/media-faults
tests_faults_media_faults_SOURCES = tests/faults/media-faults.c tests/faults/watch.c tests/faults/watch.h \
	tests/unit/zips.c tests/unit/zips.h
tests_faults_media_faults_CFLAGS = $(AM_CFLAGS) -U_FORTIFY_SOURCE $(JSONC_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_faults_media_faults_LDADD = $(CORE_LIBS) $(TEST_LIBS)
CLEANFILES += tests/faults/media-faults
