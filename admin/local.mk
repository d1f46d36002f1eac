# See the top of Makefile.am.
sbin_PROGRAMS += admin/ankisync-admin
admin_ankisync_admin_SOURCES = \
	admin/admin.h \
	admin/main.c \
	admin/media.c admin/media.h \
	admin/media_check.c \
	admin/media_export.c \
	admin/print.c admin/print.h \
	admin/secret.c admin/secret.h \
	admin/session.c \
	admin/user.c admin/user.h \
	admin/user_add.c \
	admin/user_env.c \
	admin/user_quota.c \
	admin/user_show.c \
	admin/verbs.c
admin_ankisync_admin_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS)
admin_ankisync_admin_LDADD = $(CORE_LIBS)

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = deploy/bash-completion/ankisync-admin
dist_man_MANS += man/ankisync-admin.8
EXTRA_DIST += tests/cli/run
