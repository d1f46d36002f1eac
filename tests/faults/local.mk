# See the top of Makefile.am. Programs that suites of tests/run.d build and run.
EXTRA_PROGRAMS += tests/faults/media-faults
tests_faults_media_faults_SOURCES = tests/faults/media-faults.c tests/faults/watch.c tests/faults/watch.h \
	tests/unit/zips.c tests/unit/zips.h
tests_faults_media_faults_CFLAGS = $(AM_CFLAGS) -U_FORTIFY_SOURCE $(JSONC_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_faults_media_faults_LDADD = $(CORE_LIBS) $(TEST_LIBS)
CLEANFILES += tests/faults/media-faults

# The same for every operation, and what a power loss leaves. Built from names of libc: only when asked for.
EXTRA_PROGRAMS += tests/faults/faults
tests_faults_faults_SOURCES = \
	tests/faults/client.c tests/faults/client.h \
	tests/faults/disk.c tests/faults/disk.h \
	tests/faults/power.c tests/faults/power.h \
	tests/faults/image.c tests/faults/image.h \
	tests/faults/main.c \
	tests/faults/run.c tests/faults/run.h \
	tests/faults/shim.c tests/faults/shim.h \
	tests/faults/state.c tests/faults/state.h \
	tests/unit/zips.c tests/unit/zips.h
tests_faults_faults_CFLAGS = $(AM_CFLAGS) -U_FORTIFY_SOURCE $(JSONC_CFLAGS) $(SQLITE_CFLAGS) $(ARGON2_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_faults_faults_LDADD = $(CORE_LIBS) $(TEST_LIBS)
CLEANFILES += tests/faults/faults

# The same shim for real programs, by LD_PRELOAD.
tests/faults/preload.so: $(srcdir)/tests/faults/shim.c $(srcdir)/tests/faults/shim.h
	@$(MKDIR_P) tests/faults
	$(CC) $(AM_CPPFLAGS) $(AM_CFLAGS) -U_FORTIFY_SOURCE -DFAULTS_PRELOAD $(CFLAGS) -fPIC -shared -o $@ $(srcdir)/tests/faults/shim.c
CLEANFILES += tests/faults/preload.so
