/* SPDX-License-Identifier: MIT */
#include "tests/store/scripted.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
say(const char *format, ...)
{
	char line[640];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || write(STDOUT_FILENO, line, (size_t)len) != len)
		exit(1);
}
