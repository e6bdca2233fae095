/*
 * Runs a fuzz target over the files of a folder, without libFuzzer: one TAP test a file. A target
 * that finds something aborts; the line printed before names the file.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

static char *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	char *data = NULL;
	size_t size = 0, n;

	CHECK(file);
	do {
		data = realloc(data, size + 4096);
		CHECK(data);
		n = fread(data + size, 1, 4096, file);
		size += n;
	} while (n > 0);
	fclose(file);
	*ret_size = size;
	return data;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	char path[4096];

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	int n = scandir(argv[1], &entries, is_visible, alphasort);
	if (n <= 0) {
		printf("Bail out! %s: no files\n", argv[1]);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		size_t size;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
		printf("# %s\n", path);
		char *data = read_file(path, &size);
		LLVMFuzzerTestOneInput((const uint8_t *)data, size);
		printf("ok %d - %s\n", i + 1, entries[i]->d_name);
		free(data);
		free(entries[i]);
	}
	free(entries);
	return 0;
}
