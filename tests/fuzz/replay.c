/* SPDX-License-Identifier: MIT
 * Stands in for libFuzzer in every build: feeds the committed corpus, or the files and
 * folders that are named as arguments, to the target. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static unsigned replayed;

static void
replay_file(const char *path, size_t len)
{
	uint8_t *bytes =
		malloc(len ? len : 1); /* exact: a sanitizer sees a read behind */
	FILE *in = fopen(path, "rb");

	if (!in || !bytes || fread(bytes, 1, len, in) != len) {
		perror(path);
		exit(1);
	}
	fclose(in);
	LLVMFuzzerTestOneInput(bytes, len);
	free(bytes);
	replayed++;
}

static void
replay(const char *path)
{
	struct stat st;
	struct dirent **names;
	int n;

	if (stat(path, &st) != 0) {
		perror(path);
		exit(1);
	}
	if (S_ISREG(st.st_mode))
		replay_file(path, (size_t)st.st_size);
	if (!S_ISDIR(st.st_mode))
		return;
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char inner[4096];

		snprintf(inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && stat(inner, &st) == 0 &&
		    S_ISREG(st.st_mode))
			replay_file(inner, (size_t)st.st_size);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

int
main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char path[4096];

	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1) {
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/" FUZZ_CORPUS,
			 source ? source : ".");
		replay(path);
	}
	printf("%u inputs\n", replayed);
	return replayed == 0;
}
