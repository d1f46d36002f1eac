/* The table of everything that ankisync-admin can do, its help, and the words that a shell may complete. */
#include <sysexits.h>

#include "admin/admin.h"
#include "storage/accounts.h"

const struct verb *const all_verbs[] = { user_verbs, session_verbs, media_verbs, NULL };

const struct verb *verb_find(const char *noun, const char *name)
{
	for (size_t i = 0; all_verbs[i]; i++)
		for (const struct verb *v = all_verbs[i]; v->name; v++)
			if (strcmp(v->noun, noun) == 0 && strcmp(v->name, name) == 0)
				return v;
	return NULL;
}

bool noun_known(const char *noun)
{
	for (size_t i = 0; all_verbs[i]; i++)
		if (strcmp(all_verbs[i]->noun, noun) == 0)
			return true;
	return false;
}

static void print_usage(const struct verb *v)
{
	printf("  ankisync-admin %s %s", v->noun, v->name);
	for (const struct flag *f = v->flags; f && f->name; f++)
		printf(f->value ? " [%s %s]" : " [%s]", f->name, f->value);
	printf(" [%s]%s%s\n", JSON_FLAG, *v->words ? " " : "", v->words);
}

static void print_flag(const struct flag *f)
{
	char left[64];

	snprintf(left, sizeof left, "%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
	printf("  %-22s %s\n", left, f->help);
}

static void print_verb(const struct verb *v)
{
	print_usage(v);
	printf("\n%s.\n\n", v->help);
	for (const struct flag *f = v->flags; f && f->name; f++)
		print_flag(f);
	print_flag(&(struct flag){ JSON_FLAG, NULL, "print JSON" });
}

int print_help(const char *noun, const char *name)
{
	const struct verb *one = noun && name ? verb_find(noun, name) : NULL;

	if (one) {
		print_verb(one);
		return 0;
	}
	if (noun && (name || !noun_known(noun)))
		return fail_with(EX_USAGE, "there is no \"%s%s%s\"; see: ankisync-admin help", noun, name ? " " : "", name ? name : "");
	puts("Usage: ankisync-admin [-c FILE] NOUN VERB [options] [words]\n");
	for (size_t i = 0; all_verbs[i]; i++)
		for (const struct verb *v = all_verbs[i]; v->name; v++)
			if (!noun || strcmp(noun, v->noun) == 0)
				printf("  %-8s %-12s %s\n", v->noun, v->name, v->help);
	puts("\n  help [NOUN [VERB]]    this, or more about one of them\n"
	     "  -c, --config FILE     settings (usually " SYSCONFDIR "/ankisync.conf; the environment overrides it)\n"
	     "  --version             which version this is");
	return 0;
}

static void offer(const char *candidate, const char *typed)
{
	if (strncmp(candidate, typed, strlen(typed)) == 0)
		puts(candidate);
}

static int offer_user(void *typed, const struct account *account, struct err *e)
{
	(void)e;
	offer(account->name, typed);
	return 0;
}

/* Completion must not ask, complain, or make a data folder: only if there is one that we may read. */
static void offer_users(struct admin *a, const char *typed)
{
	struct accounts *accounts = NULL;
	char path[4096];

	if (config_load(&a->config, a->config_path, NULL) != 0)
		return;
	snprintf(path, sizeof path, "%s/accounts.db", a->config.sync_base);
	if (access(path, R_OK | W_OK) == 0)
		accounts = accounts_open(a->config.sync_base, strcmp(a->config.journal, "rollback") == 0, true, NULL);
	if (accounts)
		accounts_list(accounts, offer_user, (void *)(uintptr_t)typed, NULL);
	accounts_close(accounts);
	config_release(&a->config);
}

int print_candidates(struct admin *a, int n_words, char **words)
{
	const char *typed = n_words ? words[n_words - 1] : "";
	const struct verb *v;

	if (n_words && n_words <= 2) {
		const char *last = "";

		if (n_words == 1)
			offer("help", typed);
		for (size_t i = 0; all_verbs[i]; i++)
			for (v = all_verbs[i]; v->name; v++) {
				const char *word = n_words == 1 ? v->noun : v->name;

				if ((n_words == 1 || strcmp(v->noun, words[0]) == 0) && strcmp(word, last) != 0)
					offer(word, typed);
				last = word;
			}
		return 0;
	}
	v = n_words ? verb_find(words[0], words[1]) : NULL;
	if (!v)
		return 0;
	for (const struct flag *f = v->flags; f && f->name && *typed == '-'; f++)
		offer(f->name, typed);
	if (*typed == '-')
		offer(JSON_FLAG, typed);
	if (v->kind == WORDS_USERS && *typed != '-' && n_words == 3)
		offer_users(a, typed);
	return 0;
}
