/* ankisync-admin: the command line, who runs it, and how it ends. See admin.h. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "admin/admin.h"
#include "storage/base_dir.h"

static void say(const char *kind, const char *fmt, va_list ap)
{
	fprintf(stderr, "ankisync-admin: %s", kind);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int fail_with(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	return code;
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("note: ", fmt, ap);
	va_end(ap);
}

static int exit_code(enum err_kind kind)
{
	switch (kind) {
	case ERR_NONE:
		return EX_OK;
	case ERR_BAD_REQUEST:
	case ERR_TOO_BIG:
	case ERR_REFUSED:
	case ERR_DAMAGED:
		return EX_DATAERR;
	case ERR_CONFLICT:
		return EX_CANTCREAT;
	case ERR_NOT_FOUND: /* an account, or its home: deleted by somebody else meanwhile */
	case ERR_BAD_LOGIN:
		return EX_NOUSER;
	case ERR_DENIED:
		return EX_NOPERM;
	case ERR_BUSY:
		return EX_TEMPFAIL;
	case ERR_FULL:
	case ERR_CUT_OFF:
		return EX_IOERR;
	default:
		return EX_SOFTWARE;
	}
}

int say_error(const struct err *e)
{
	return fail_with(exit_code(e->kind), "%s%s", e->msg, e->kind == ERR_BUSY ? "; try again in a moment" : "");
}

int admin_configure(struct admin *a)
{
	struct err e = ERR_INIT;

	if (a->has_config)
		return 0;
	if (config_load(&a->config, a->config_path, &e) != 0)
		return fail_with(EX_CONFIG, "%s", e.msg);
	a->has_config = true;
	return 0;
}

/* From root to the owner of the folder, for good. */
static int become_owner(const char *base)
{
	struct passwd *pw;
	struct stat st;
	gid_t gid;

	if (geteuid() != 0 || stat(base, &st) != 0 || st.st_uid == 0)
		return 0;
	pw = getpwuid(st.st_uid);
	gid = pw ? pw->pw_gid : st.st_gid;
	if ((pw ? initgroups(pw->pw_name, gid) : setgroups(0, NULL)) != 0 || setgid(gid) != 0 || setuid(st.st_uid) != 0)
		return fail_with(EX_OSERR, "cannot become the user to whom %s belongs (%s): %s; start this as that user", base,
				 pw ? pw->pw_name : "without a name", strerror(errno));
	return 0;
}

int admin_open(struct admin *a)
{
	struct err e = ERR_INIT;
	bool is_new;
	int rc;

	if (a->is_open)
		return 0;
	rc = admin_configure(a);
	if (rc == 0)
		rc = become_owner(a->config.sync_base);
	if (rc != 0)
		return rc;
	is_new = access(a->config.sync_base, F_OK) != 0;
	if (base_dir_make(a->config.sync_base, &e) != 0)
		return e.kind == ERR_INTERNAL ? fail_with(EX_CANTCREAT, "%s", e.msg) : say_error(&e);
	if (is_new && geteuid() == 0)
		note("%s is new and belongs to root; if the workers run as another user: chown -R USER %s", a->config.sync_base,
		     a->config.sync_base);
	if (server_open(&a->server, &a->config, &e) != 0)
		return say_error(&e);
	a->is_open = true;
	return 0;
}

void admin_close(struct admin *a)
{
	if (a->is_open)
		server_close(&a->server);
	if (a->has_config)
		config_release(&a->config);
	a->is_open = a->has_config = false;
}

/* --- the command line --- */

/* argv[*i] is an option of this name: its value (the next word, or what stands behind =), or NULL. */
static const char *value_of(int argc, char **argv, int *i, const char *name)
{
	size_t n = strlen(name);

	if (argv[*i][n] == '=')
		return argv[*i] + n + 1;
	return *i + 1 < argc ? argv[++*i] : NULL;
}

static bool is_option(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && (!word[n] || (word[n] == '=' && n > 2));
}

/* An option of the verb into args. 0 or an exit code. */
static int take_flag(const struct verb *v, int argc, char **argv, int *i, struct args *args)
{
	int n = 0;

	if (strcmp(argv[*i], JSON_FLAG) == 0) {
		args->json = true;
		return 0;
	}
	if (is_option(argv[*i], JSON_FLAG))
		return fail_with(EX_USAGE, "%s takes no value", JSON_FLAG);
	for (const struct flag *f = v->flags; f && f->name; f++, n++) {
		if (!is_option(argv[*i], f->name))
			continue;
		if (!f->value && argv[*i][strlen(f->name)])
			return fail_with(EX_USAGE, "%s takes no value", f->name);
		args->flags[n] = f->value ? value_of(argc, argv, i, f->name) : "";
		if (!args->flags[n])
			return fail_with(EX_USAGE, "%s needs a value: %s %s", f->name, f->name, f->value);
		return 0;
	}
	return fail_with(EX_USAGE, "%s %s has no option %s; see: ankisync-admin help %s %s", v->noun, v->name, argv[*i], v->noun,
			 v->name);
}

static int run_verb(struct admin *a, const struct verb *v, int argc, char **argv)
{
	struct args args = { .words = xcalloc((size_t)argc + 1, sizeof *args.words) };
	bool options = true;
	int rc = 0;

	for (int i = 0; i < argc && rc == 0; i++) {
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1])
			rc = take_flag(v, argc, argv, &i, &args);
		else
			args.words[args.n_words++] = argv[i];
	}
	if (rc == 0 && (args.n_words < v->min_words || args.n_words > v->max_words))
		rc = fail_with(EX_USAGE, "%s %s takes %s; see: ankisync-admin help %s %s", v->noun, v->name,
			       *v->words ? v->words : "no words", v->noun, v->name);
	if (rc == 0)
		rc = v->run(a, &args);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = fail_with(EX_IOERR, "cannot write the output");
	free(args.words);
	return rc;
}

static int run(struct admin *a, int argc, char **argv)
{
	const struct verb *v;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *name = argv[i][1] == '-' ? "--config" : "-c";

		if (strcmp(argv[i], "--version") == 0) {
			puts("ankisync-admin " VERSION);
			return 0;
		}
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return print_help(NULL, NULL);
		if (!is_option(argv[i], name))
			return fail_with(EX_USAGE, "there is no option %s; see: ankisync-admin help", argv[i]);
		a->config_path = value_of(argc, argv, &i, name);
		if (!a->config_path)
			return fail_with(EX_USAGE, "%s needs a value: %s FILE", name, name);
	}
	if (i == argc) {
		print_help(NULL, NULL);
		return EX_USAGE;
	}
	argc -= i;
	argv += i;
	if (strcmp(argv[0], "help") == 0)
		return print_help(argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL);
	if (strcmp(argv[0], "complete") == 0)
		return print_candidates(a, argc - 1, argv + 1);
	if (argc == 1 && noun_known(argv[0])) {
		print_help(argv[0], NULL);
		return EX_USAGE;
	}
	v = argc > 1 ? verb_find(argv[0], argv[1]) : NULL;
	if (!v)
		return fail_with(EX_USAGE, "there is no \"%s%s%s\"; see: ankisync-admin help", argv[0], argc > 1 ? " " : "",
				 argc > 1 ? argv[1] : "");
	for (int k = 2; k < argc && strcmp(argv[k], "--") != 0; k++)
		if (strcmp(argv[k], "--help") == 0 || strcmp(argv[k], "-h") == 0)
			return print_help(argv[0], argv[1]);
	return run_verb(a, v, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	struct admin a = { .config_path = NULL };
	int rc;

	umask(077);
	rc = run(&a, argc, argv);
	admin_close(&a);
	return rc;
}
