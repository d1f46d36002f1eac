/*
 * ankisync-admin: what its files share. A noun (user, …) is a file; what it can do is a table of verbs, out of which the
 * command line is parsed, help is printed and words are completed (verbs.c).
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"
#include "core/call.h"

/* Exit codes are those of sysexits.h. */
struct admin {
	const char *config_path; /* -c; NULL: the usual place */
	struct config config;
	struct server server;
	bool has_config, is_open;
};

/* The settings alone. 0 or an exit code, with the message printed. */
int admin_configure(struct admin *a);
/*
 * Settings and data. Root becomes the user to whom the data folder belongs, so that no file in it ends up with an owner
 * that locks out the workers; read what only root may read before. 0 or an exit code, with the message printed.
 */
int admin_open(struct admin *a);
void admin_close(struct admin *a);

/* Print "ankisync-admin: message" to stderr. say_error returns the exit code that fits the kind, fail_with the given one. */
int say_error(const struct err *e);
int fail_with(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct flag {
	const char *name;  /* "--random" */
	const char *value; /* "FILE"; NULL: takes none */
	const char *help;
};

enum { FLAGS_MAX = 12 };
struct args {
	char **words;
	int n_words;
	bool json; /* --json, which every verb has: what it prints is one JSON value */
	const char *flags[FLAGS_MAX]; /* by the verb's table: NULL absent, "" there (without value), else the value */
};

enum word_kind { WORDS_ANY, WORDS_USERS, WORDS_FILES }; /* what completion offers */

struct verb {
	const char *noun, *name;
	const char *words; /* as in "NAME", "[NAME]" */
	int min_words, max_words;
	enum word_kind kind;
	const struct flag *flags; /* ended by a NULL name; may be NULL */
	const char *help;         /* one line */
	int (*run)(struct admin *a, const struct args *args);
};

/* Tables of verbs, each ended by a NULL name. */
extern const struct verb media_verbs[], session_verbs[], user_verbs[];
#define JSON_FLAG "--json"

/* verbs.c */
extern const struct verb *const all_verbs[]; /* ended by NULL */
const struct verb *verb_find(const char *noun, const char *name);
bool noun_known(const char *noun);
/* Help to stdout: of all nouns, of one (verb NULL), of one verb. 0 or EX_USAGE. */
int print_help(const char *noun, const char *name);
/* One candidate a line for the last of `words`. Always 0. */
int print_candidates(struct admin *a, int n_words, char **words);

#endif
