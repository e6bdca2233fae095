/*
 * Quoting and expanding are two languages: quotes and specifiers are gone when a unit is loaded,
 * $VAR is replaced at each spawn. exec_quote() speaks the first; what is to keep its '$' has the
 * ":" prefix.
 */
#include "unit/exec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "unit/word.h"

/* --- expansion --- */

static bool is_name(const char *text, size_t size)
{
	if (size == 0 || (text[0] >= '0' && text[0] <= '9'))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'z') &&
			!(text[i] >= 'A' && text[i] <= 'Z') && text[i] != '_')
			return false;
	return true;
}

static int append_variable(struct buf *buf, const struct strv *env, const char *name, size_t size)
{
	if (!is_name(name, size))
		return 0;
	_cleanup_(freep) char *copy = strndup(name, size);
	if (!copy)
		return -ENOMEM;
	const char *value = strv_get_env(env, copy);
	return value ? buf_append_string(buf, value) : 0;
}

/*
 * "${NAME}" inside a word, and "$$". A ':' within the braces is a shell's operator, which nobody
 * here knows: the "${" stays, and what follows is looked at anew.
 */
static int expand_inside(struct buf *buf, const struct strv *env, const char *word)
{
	while (*word) {
		size_t plain = strcspn(word, "$");
		buf_append(buf, word, plain);
		word += plain;
		if (word[0] == '$' && word[1] == '$') {
			buf_append_char(buf, '$');
			word += 2;
			continue;
		}
		size_t name_size = word[0] == '$' && word[1] == '{' ? strcspn(word + 2, ":}") : 0;
		if (word[0] == '$' && word[1] == '{' && word[2 + name_size] == '}') {
			int r = append_variable(buf, env, word + 2, name_size);
			if (r < 0)
				return r;
			word += 2 + name_size + 1;
		} else if (word[0] == '$') {
			buf_append_char(buf, '$');
			word++;
		}
	}
	return buf_status(buf);
}

/* "$NAME" alone: the value's words, none when it is unset. */
static int expand_to_words(const struct strv *env, const char *name, struct strv *argv)
{
	const char *value = strv_get_env(env, name);

	for (; value;) {
		_cleanup_(freep) char *word = NULL;

		int r = word_next(&value, WORD_UNQUOTE | WORD_RELAX, &word);
		if (r <= 0)
			return r;
		r = strv_append(argv, word);
		if (r < 0)
			return r;
	}
	return 0;
}

static int expand_word(const char *word, const struct strv *env, struct strv *argv)
{
	_cleanup_(buf_done) struct buf buf = {0};

	if (word[0] == '$' && word[1] != '{' && word[1] != '$')
		return expand_to_words(env, word + 1, argv);
	if (!strchr(word, '$'))
		return strv_append(argv, word);
	int r = expand_inside(&buf, env, word);
	if (r < 0)
		return r;
	return strv_append(argv, buf.size > 0 ? buf.data : "");
}

int exec_expand(const struct exec_command *command, const struct strv *env, struct strv *argv)
{
	size_t n_before = argv->n;

	for (const char *const *arg = command->argv; *arg; arg++) {
		int r = command->flags & EXEC_NO_EXPANSION ? strv_append(argv, *arg)
							   : expand_word(*arg, env, argv);
		if (r < 0)
			return r;
	}
	/* A lone "@/bin/x $EMPTY" leaves nothing; a program without argv[0] is no good to anybody.
	 */
	return argv->n > n_before ? 0 : strv_append(argv, command->path);
}

/* --- quoting --- */

static bool is_bare(const char *word)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "!#$&()*+,-./:<=>?@[]^_`{|}~";

	return *word != '\0' && word[strspn(word, safe)] == '\0';
}

static int append_escaped(struct buf *buf, const char *word)
{
	/* A line that is not UTF-8 would be ignored as a whole. */
	bool is_utf8 = text_is_utf8(word, strlen(word));

	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;
		if (c == '"' || c == '\\')
			buf_printf(buf, "\\%c", c);
		else if (c == '%')
			buf_append_string(buf, "%%");
		else if (c == '\n')
			buf_append_string(buf, "\\n");
		else if (c == '\t')
			buf_append_string(buf, "\\t");
		else if (c < ' ' || c == 0x7f || (c >= 0x80 && !is_utf8))
			buf_printf(buf, "\\x%02x", c);
		else
			buf_append_char(buf, (char)c);
	}
	return buf_status(buf);
}

int exec_quote(struct buf *buf, const char *word)
{
	if (is_bare(word))
		return buf_append_string(buf, word);
	buf_append_char(buf, '"');
	append_escaped(buf, word);
	return buf_append_char(buf, '"');
}

int exec_quote_environment(struct buf *buf, const char *assignment)
{
	return exec_quote(buf, assignment);
}
