# See the top of Makefile.am.
noinst_LIBRARIES += fcgi/libworker.a
fcgi_libworker_a_SOURCES = \
	fcgi/check.c fcgi/check.h \
	fcgi/confine.c fcgi/confine.h \
	fcgi/form.c fcgi/form.h \
	fcgi/header.c fcgi/header.h \
	fcgi/multipart.c fcgi/multipart.h \
	fcgi/page.c fcgi/page.h \
	fcgi/peers.c fcgi/peers.h \
	fcgi/records.c fcgi/records.h \
	fcgi/reply.c fcgi/reply.h \
	fcgi/request.c fcgi/request.h \
	fcgi/route.c fcgi/route.h \
	fcgi/serve.c fcgi/serve.h \
	fcgi/worker.c fcgi/worker.h
fcgi_libworker_a_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(JSONC_CFLAGS)

libexec_PROGRAMS += fcgi/ankisync.fcgi
fcgi_ankisync_fcgi_SOURCES = fcgi/main.c
fcgi_ankisync_fcgi_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(JSONC_CFLAGS)
fcgi_ankisync_fcgi_LDADD = fcgi/libworker.a $(CORE_LIBS) $(FCGI_LIBS)
dist_man_MANS += man/ankisync.fcgi.8 man/ankisync.conf.5

# These have a core of their own, from memory.
check_PROGRAMS += tests/unit/test-fcgi-head tests/unit/test-fcgi-body tests/unit/test-fcgi-form tests/unit/test-fcgi-serve
tests_unit_test_fcgi_head_SOURCES = tests/unit/test-fcgi-head.c
tests_unit_test_fcgi_head_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(JSONC_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fcgi_head_LDADD = fcgi/libworker.a $(BASE_LIBS) $(FCGI_LIBS) $(TEST_LIBS)
tests_unit_test_fcgi_body_SOURCES = tests/unit/test-fcgi-body.c
tests_unit_test_fcgi_body_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fcgi_body_LDADD = fcgi/libworker.a $(BASE_LIBS) $(FCGI_LIBS) $(TEST_LIBS)
tests_unit_test_fcgi_form_SOURCES = tests/unit/test-fcgi-form.c tests/unit/vectors.h tests/unit/test.h
tests_unit_test_fcgi_form_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS) $(ZLIB_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fcgi_form_LDADD = fcgi/libworker.a $(BASE_LIBS) $(FCGI_LIBS) $(TEST_LIBS)
tests_unit_test_fcgi_serve_SOURCES = tests/unit/test-fcgi-serve.c
tests_unit_test_fcgi_serve_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(JSONC_CFLAGS) $(ZSTD_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fcgi_serve_LDADD = fcgi/libworker.a $(BASE_LIBS) $(FCGI_LIBS) $(TEST_LIBS)

# The worker with a core that does as it is told, and a real one that leaves after some 40 requests, for tests/web. Not built
# by default.
EXTRA_PROGRAMS += tests/web/fake-worker tests/web/short-lived
CLEANFILES += tests/web/fake-worker tests/web/short-lived
tests_web_short_lived_SOURCES = fcgi/main.c fcgi/worker.c
tests_web_short_lived_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(JSONC_CFLAGS) -DLEAVE_AFTER_REQUESTS=40 -DLIVE_AT_LEAST_MS=300
tests_web_short_lived_LDADD = fcgi/libworker.a $(CORE_LIBS) $(FCGI_LIBS)
tests_web_fake_worker_SOURCES = fcgi/main.c tests/web/fake_core.c
tests_web_fake_worker_CFLAGS = $(AM_CFLAGS) $(FCGI_CFLAGS) $(JSONC_CFLAGS)
tests_web_fake_worker_LDADD = fcgi/libworker.a $(BASE_LIBS) $(FCGI_LIBS)
